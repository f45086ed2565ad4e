// SPDX-License-Identifier: ISC

package dnsreply

import "quill/internal/dnswire"

// oldUDP is the bytes of an answer over UDP (djb's server.c).
const oldUDP = 512

// Old is a reply in the bytes of djb's programs.
type Old struct {
	Name  []byte // asked for, in lower case
	Type  uint16
	m     dnswire.Message
	flags uint16
	asked [dnswire.MaxName]byte
}

// OldAnswer is Answer as djb's server.c has it. find adds records; what it says is
// whether there is an answer at all.
func OldAnswer(out, packet []byte, tcp bool, q *dnswire.Query, find func(*Old) bool) ([]byte, Status) {
	r := &Old{flags: dnswire.FlagQR | dnswire.FlagRD}
	if !dnswire.ParseDJB(packet, q, &r.asked) {
		return out, '/'
	}
	r.Type = q.Type
	r.m.Begin(out, q.ID, r.flags)
	r.m.LikeDJB()
	r.m.Question(q)
	bare := r.m.Mark()
	switch q.Class {
	case dnswire.ClassIN:
		r.flags |= dnswire.FlagAA
	case dnswire.TypeANY:
	default:
		return r.end(0x80 | dnswire.RcodeFormErr), 'C' // RA: set from the start in djb's, and cleared only later
	}
	if q.Flags&dnswire.FlagRD == 0 {
		r.flags &^= dnswire.FlagRD
	}
	if q.Flags&0x7e00 != 0 || q.Type == dnswire.TypeAXFR {
		return r.end(dnswire.RcodeNotImp), 'I'
	}
	if r.Name = dnswire.Lower(q.Name); !find(r) {
		return out, '-'
	}
	if r.m.Len() > oldUDP && !tcp {
		r.flags |= dnswire.FlagTC
		r.m.Back(bare) // the counts stay, as in djb's
	}
	return r.end(0), '+'
}

// end is the message, with flags and these.
func (r *Old) end(flags uint16) []byte {
	r.m.SetFlags(r.flags | flags)
	return r.m.B
}

// Refuse makes it REFUSED.
func (r *Old) Refuse() { r.flags = r.flags&^(dnswire.FlagAA|15) | dnswire.RcodeRefused }

// NXDomain says that there is no such name.
func (r *Old) NXDomain() { r.flags |= dnswire.FlagAA | dnswire.RcodeNXDomain }

// Record adds one of the name that was asked for to the answer; fill appends its
// data.
func (r *Old) Record(kind uint16, ttl uint32, fill func()) {
	at := r.m.Start(r.Name, kind, ttl)
	fill()
	r.m.Finish(at)
	r.m.Count(dnswire.Answers, 1)
}

// Bytes appends record data.
func (r *Old) Bytes(b ...byte) { r.m.Bytes(b) }

// OwnName appends the name that was asked for as record data.
func (r *Old) OwnName() { r.m.Name(r.Name) }
