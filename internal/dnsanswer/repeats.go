// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"quill/internal/dnswire"
)

const (
	maxRepeats  = 4096 // answers that are kept
	repeatBytes = 128  // of a question and its answer
	hasHead     = 10   // bytes of a header behind the id
)

// repeat is an answer that is kept for the same question to the same data. It
// holds the question behind its id, the header of the answer behind its id, and
// what follows the question there.
type repeat struct {
	data  uint64 // Data.id; 0: empty
	seen  uint16 // of the question that came last and was not the one kept
	size  uint16
	rcode uint8
	name  uint8 // length of the name, and of
	owed  uint8 // the end of it that is the account
	asked uint8
	said  uint8
	flags uint8
	b     [repeatBytes - 2]byte
}

// what a repeat remembers of the question and its answer
const (
	repeatEDNS = 1 << iota
	repeatDO
	repeatTruncated
	repeatLower // the account stands in the question in lower case
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
func (r *repeats) at(packet []byte) (*repeat, uint16) {
	h := maphash.Bytes(r.seed, packet[2:])
	return &r.entries[h%maxRepeats], uint16(h >> 48)
}

// find appends the answer that is kept to out, and fills q as Parse and Answer
// would; account is room for q.Account.
func (e *repeat) find(d *Data, out, packet []byte, q *dnswire.Query, account []byte) (said []byte, ok bool) {
	n := int(e.asked)
	if e.data != d.id || string(e.b[:n]) != string(packet[2:]) {
		return out, false
	}
	name := packet[dnswire.HeaderLen : dnswire.HeaderLen+int(e.name)]
	question := packet[dnswire.HeaderLen : dnswire.HeaderLen+len(name)+4]
	tail := question[len(name):]
	*q = dnswire.Query{
		ID: binary.BigEndian.Uint16(packet), Flags: binary.BigEndian.Uint16(packet[2:]), Name: name, Type: binary.BigEndian.Uint16(tail), Class: binary.BigEndian.Uint16(tail[2:]),
		EDNS: e.flags&repeatEDNS != 0, DO: e.flags&repeatDO != 0, Size: int(e.size), Rcode: int(e.rcode), Truncated: e.flags&repeatTruncated != 0,
	}
	if q.Account = name[len(name)-int(e.owed):]; e.flags&repeatLower == 0 {
		q.Account = dnswire.AppendLower(account[:0], q.Account)
	}
	rest := e.b[n : n+int(e.said)]
	at := len(out)
	out = slices.Grow(out, len(question)+len(rest)+2)[:at+len(question)+len(rest)+2]
	to := out[at:]
	copy(to, packet[:2])
	copy(to[2:], rest[:hasHead])
	copy(to[dnswire.HeaderLen:], question)
	copy(to[dnswire.HeaderLen+len(question):], rest[hasHead:])
	return out, true
}

// keep keeps the answer to a packet, if there is room for it and it was asked
// before.
func (e *repeat) keep(mark uint16, d *Data, packet, said []byte, q *dnswire.Query) {
	question := dnswire.HeaderLen + len(q.Name) + 4
	owed := len(q.Account)
	if len(said) < question || owed > len(q.Name) || !dnswire.Equal(q.Name[len(q.Name)-owed:], q.Account) {
		return
	}
	rest := said[question:]
	if len(packet)-2+hasHead+len(rest) > len(e.b) {
		return
	}
	if e.seen != mark {
		e.seen = mark
		return
	}
	e.data, e.size, e.rcode, e.flags = d.id, uint16(q.Size), uint8(q.Rcode), 0
	e.name, e.owed, e.asked, e.said = uint8(len(q.Name)), uint8(owed), uint8(len(packet)-2), uint8(hasHead+len(rest))
	for _, f := range []struct {
		set bool
		bit uint8
	}{{q.EDNS, repeatEDNS}, {q.DO, repeatDO}, {q.Truncated, repeatTruncated}, {string(q.Name[len(q.Name)-owed:]) == string(q.Account), repeatLower}} {
		if f.set {
			e.flags |= f.bit
		}
	}
	at := copy(e.b[:], packet[2:])
	at += copy(e.b[at:], said[2:dnswire.HeaderLen])
	copy(e.b[at:], rest)
}
