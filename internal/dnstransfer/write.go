// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"encoding/binary"

	"quill/internal/dnswire"
)

const (
	// target is the bytes of a message, above which the next begins. So all
	// of its names can be pointed at.
	target = 16 << 10
	// maxOffset is the last place that a pointer can name.
	maxOffset = 0x3fff
	// maxMessage is the bytes of a message that leave room for a signature.
	maxMessage = dnswire.MaxTCP - SignatureRoom
)

// slots is the size of the table of names, a power of two; half of it is used.
const slots = 4096

// writer writes messages one after another.
type writer struct {
	b     []byte
	names [slots]uint16 // offsets of suffixes by their hash; 0 is none
	used  int
	count int // records of the answer section
}

// begin begins a message.
func (w *writer) begin(id, flags uint16) {
	w.b = append(w.b[:0], make([]byte, dnswire.HeaderLen)...)
	binary.BigEndian.PutUint16(w.b, id)
	binary.BigEndian.PutUint16(w.b[2:], flags)
	clear(w.names[:])
	w.used, w.count = 0, 0
}

// ask writes the question.
func (w *writer) ask(owner []byte, kind, class uint16) {
	binary.BigEndian.PutUint16(w.b[4:], 1)
	w.name(owner)
	w.u16(kind)
	w.u16(class)
}

// message is what was written.
func (w *writer) message() []byte {
	binary.BigEndian.PutUint16(w.b[6:], uint16(w.count))
	return w.b
}

func (w *writer) u16(n uint16) { w.b = binary.BigEndian.AppendUint16(w.b, n) }

// record writes a record of the answer section; where it has no room below
// limit, the message is as it was. Names in the data of the oldest types are
// compressed (RFC 3597 §4).
func (w *writer) record(owner []byte, r *rr, limit int) bool {
	size := len(w.b)
	if size+len(owner)+len(r.data)+10 > limit {
		return false
	}
	w.name(owner)
	w.u16(r.kind)
	w.u16(dnswire.ClassIN)
	w.b = binary.BigEndian.AppendUint32(w.b, r.ttl)
	at := len(w.b)
	w.u16(0)
	data := r.data
	switch l := layouts[r.kind]; r.kind {
	case dnswire.TypeNS, dnswire.TypeCNAME, dnswire.TypePTR, dnswire.TypeMX, dnswire.TypeSOA:
		w.b = append(w.b, data[:l.before]...)
		data = data[l.before:]
		for range l.names {
			n := dnswire.NameLen(data)
			w.name(data[:n])
			data = data[n:]
		}
	}
	w.b = append(w.b, data...)
	binary.BigEndian.PutUint16(w.b[at:], uint16(len(w.b)-at-2))
	w.count++
	return true
}

// name writes a name, its suffix as a pointer where that stands already.
func (w *writer) name(n []byte) {
	for len(n) > 1 {
		slot, at := w.find(n)
		if at > 0 {
			w.u16(0xc000 | at)
			return
		}
		if here := len(w.b); here <= maxOffset && w.used < slots/2 {
			w.names[slot] = uint16(here)
			w.used++
		}
		l := 1 + int(n[0])
		w.b = append(w.b, n[:l]...)
		n = n[l:]
	}
	w.b = append(w.b, 0)
}

// find is where a name stands, or the slot for it.
func (w *writer) find(n []byte) (slot int, at uint16) {
	h := uint32(2166136261)
	for _, c := range n {
		h = (h ^ uint32(lower(c))) * 16777619
	}
	for slot = int(h % slots); ; slot = (slot + 1) % slots {
		at = w.names[slot]
		if at == 0 || w.same(n, int(at)) {
			return slot, at
		}
	}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// same says whether a name stands at a place that we wrote.
func (w *writer) same(n []byte, at int) bool {
	for {
		if at >= len(w.b) {
			return false // the name that is being written
		}
		if w.b[at] >= 0xc0 {
			at = u16(w.b, at) & maxOffset
			continue
		}
		l := int(w.b[at])
		if l != int(n[0]) {
			return false
		}
		if l == 0 {
			return true
		}
		if at+1+l > len(w.b) {
			return false
		}
		for i := 1; i <= l; i++ {
			if lower(w.b[at+i]) != lower(n[i]) {
				return false
			}
		}
		at, n = at+1+l, n[1+l:]
	}
}

// opt writes our EDNS record with an extended error, or none (RFC 6891, 8914),
// as the additional section.
func (w *writer) opt(rcode int, ede int, do bool) {
	w.b = append(w.b, 0)
	w.u16(dnswire.TypeOPT)
	w.u16(dnswire.MaxUDP)
	w.u16(uint16(rcode>>4) << 8)
	if do {
		w.u16(dnswire.FlagDO)
	} else {
		w.u16(0)
	}
	if ede == dnswire.EdeNone {
		w.u16(0)
	} else {
		for _, n := range []uint16{6, 15, 2, uint16(ede)} { // length, option, its length, code
			w.u16(n)
		}
	}
	binary.BigEndian.PutUint16(w.b[10:], 1)
}
