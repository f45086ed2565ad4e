// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"

	"quill/internal/dnswire"
)

const (
	maxWarm = 64 // questions
	// large is the bytes of data that fit in no cache of a processor. There,
	// questions seldom come again, and each waits for memory.
	large = 4 << 20
)

// Warm reads ahead what the questions that came together will want of large
// data: the processor waits for many places of its memory at once, where answers
// one by one would wait for each. It may fault as Answer may.
func (c *Composer) Warm(d *Data, n int, packet func(i int) []byte) {
	if d == nil || len(d.b) < large {
		return
	}
	n = min(n, maxWarm)
	hashes, places := &c.hashes, &c.places
	for i := range n {
		hashes[i] = nameHash(packet(i))
	}
	size := uint64(len(d.b))
	for i := range n {
		h := hashes[i]
		at := binary.LittleEndian.Uint64(d.b[h&255*8:])
		table, slots := at&(1<<32-1), at>>32
		places[i] = 0
		if slots != 0 && table+slots*8 <= size {
			places[i] = table + uint64(h>>8)%slots*8
		}
	}
	for i := range n {
		places[i] = uint64(binary.LittleEndian.Uint32(d.b[places[i]+4:]))
	}
	for i := range n {
		if p := places[i]; p+32 <= size {
			c.warmth += d.b[p] + d.b[p+31]
		}
	}
}

// nameHash is the hash of cdb of a packet's name in lower case, as far as it
// can be read.
func nameHash(packet []byte) uint32 {
	h := uint32(5381)
	if len(packet) <= dnswire.HeaderLen {
		return h
	}
	name := packet[dnswire.HeaderLen:]
	for at := 0; at < len(name) && name[at] != 0; {
		end := min(at+1+int(name[at]), len(name))
		for _, b := range name[at:end] {
			if b-'A' < 26 {
				b += 'a' - 'A'
			}
			h = h<<5 + h ^ uint32(b)
		}
		at = end
	}
	return h<<5 + h // the last label, which is empty
}
