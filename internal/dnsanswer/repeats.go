// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"
	"hash/maphash"

	"quill/internal/dnswire"
)

const (
	maxRepeats  = 4096 // answers that are kept
	repeatBytes = 168  // of a question, its answer and its account
)

// repeat is an answer that is kept for the same question to the same data. It
// holds the question behind its id, the answer behind its id, and the account.
type repeat struct {
	data  uint64 // Data.id; 0: empty
	seen  uint32 // of the question that came last and was not the one kept
	size  uint16
	rcode uint8
	name  uint8 // lengths
	asked uint8
	said  uint8
	owed  uint8
	flags uint8
	b     [repeatBytes]byte
}

// what a repeat remembers of the question and its answer
const (
	repeatEDNS = 1 << iota
	repeatDO
	repeatTruncated
)

// repeats are the answers that a composer keeps over UDP: those that depend on
// question and data alone, and not on the client, the time, or chance. A
// question is kept the second time it comes, so that names without number do
// not drive out the others.
type repeats struct {
	seed    maphash.Seed
	entries []repeat
}

func newRepeats() *repeats {
	return &repeats{maphash.MakeSeed(), make([]repeat, maxRepeats)}
}

// at is where the answer to a packet is kept, if it is, and a mark of the
// packet.
func (r *repeats) at(packet []byte) (*repeat, uint32) {
	h := maphash.Bytes(r.seed, packet[2:])
	return &r.entries[h%maxRepeats], uint32(h >> 32)
}

// find appends the answer that is kept to out, and fills q as Parse and Answer
// would.
func (e *repeat) find(d *Data, out, packet []byte, q *dnswire.Query) (said []byte, ok bool) {
	n := int(e.asked)
	if e.data != d.id || string(e.b[:n]) != string(packet[2:]) {
		return out, false
	}
	head := dnswire.HeaderLen
	name := packet[head : head+int(e.name)]
	tail := packet[head+len(name):]
	*q = dnswire.Query{
		ID: binary.BigEndian.Uint16(packet), Flags: binary.BigEndian.Uint16(packet[2:]), Name: name, Type: binary.BigEndian.Uint16(tail), Class: binary.BigEndian.Uint16(tail[2:]),
		EDNS: e.flags&repeatEDNS != 0, DO: e.flags&repeatDO != 0, Size: int(e.size), Rcode: int(e.rcode), Truncated: e.flags&repeatTruncated != 0,
	}
	rest := e.b[n:]
	q.Account = rest[e.said : e.said+e.owed]
	return append(append(out, packet[:2]...), rest[:e.said]...), true
}

// keep keeps the answer to a packet, if there is room for it and it was asked
// before.
func (e *repeat) keep(mark uint32, d *Data, packet, said []byte, q *dnswire.Query) {
	n := len(packet) + len(said) - 4 + len(q.Account)
	if n > repeatBytes {
		return
	}
	if e.seen != mark {
		e.seen = mark
		return
	}
	e.data, e.size, e.rcode, e.flags = d.id, uint16(q.Size), uint8(q.Rcode), 0
	e.name, e.asked, e.said, e.owed = uint8(len(q.Name)), uint8(len(packet)-2), uint8(len(said)-2), uint8(len(q.Account))
	for _, f := range []struct {
		set bool
		bit uint8
	}{{q.EDNS, repeatEDNS}, {q.DO, repeatDO}, {q.Truncated, repeatTruncated}} {
		if f.set {
			e.flags |= f.bit
		}
	}
	at := copy(e.b[:], packet[2:])
	at += copy(e.b[at:], said[2:])
	copy(e.b[at:], q.Account)
}
