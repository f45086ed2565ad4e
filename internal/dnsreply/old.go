// SPDX-License-Identifier: ISC

package dnsreply

import (
	"encoding/binary"

	"quill/internal/dnswire"
)

// Limits of djb's server.c, response.c and dns_packet.c.
const (
	oldPacket   = 512  // bytes of a question
	oldUDP      = 512  // bytes of an answer
	oldSteps    = 1000 // bytes looked at for a name
	oldNames    = 100  // names remembered for compression
	oldNameSize = 128  // bytes of one
)

// Old is a reply in the bytes of djb's programs.
type Old struct {
	Name  []byte // asked for, in lower case
	Type  uint16
	b     []byte
	start int
	names []oldName
}

type oldName struct {
	name []byte
	at   int
}

// OldAnswer is Answer as djb's server.c has it. find adds records; what it says is
// whether there is an answer at all.
func OldAnswer(out, packet []byte, tcp bool, q *dnswire.Query, find func(*Old) bool) ([]byte, Status) {
	if len(packet) > oldPacket || len(packet) < dnswire.HeaderLen || packet[2]&0x80 != 0 || packet[4] != 0 || packet[5] != 1 {
		return out, '/'
	}
	name, pos := oldGetName(packet, dnswire.HeaderLen)
	if name == nil || pos+4 > len(packet) {
		return out, '/'
	}
	q.ID, q.Name = binary.BigEndian.Uint16(packet), name
	q.Type, q.Class = binary.BigEndian.Uint16(packet[pos:]), binary.BigEndian.Uint16(packet[pos+2:])
	r := &Old{Type: q.Type, b: out, start: len(out)}
	r.b = append(append(r.b, packet[0], packet[1]), 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	r.name(name)
	r.u16(q.Type)
	r.u16(q.Class)
	cut := len(r.b)
	switch q.Class {
	case dnswire.ClassIN:
		r.b[r.start+2] |= 4
	case dnswire.TypeANY:
	default:
		r.b[r.start+3] |= 0x80 // set from the start in djb's, and cleared only now
		r.b[r.start+3] |= dnswire.RcodeFormErr
		return r.b, 'C'
	}
	if packet[2]&1 == 0 {
		r.b[r.start+2] &^= 1
	}
	if packet[2]&126 != 0 || q.Type == dnswire.TypeAXFR {
		r.b[r.start+3] |= dnswire.RcodeNotImp
		return r.b, 'I'
	}
	r.Name = dnswire.Lower(name)
	if !find(r) {
		return out, '-'
	}
	if len(r.b)-r.start > oldUDP && !tcp {
		r.b[r.start+2] |= 2
		r.b = r.b[:cut]
	}
	return r.b, '+'
}

// Refuse makes it REFUSED.
func (r *Old) Refuse() {
	r.b[r.start+2] &^= 4
	r.b[r.start+3] = r.b[r.start+3]&^15 | dnswire.RcodeRefused
}

// NXDomain says that there is no such name.
func (r *Old) NXDomain() {
	r.b[r.start+2] |= 4
	r.b[r.start+3] |= dnswire.RcodeNXDomain
}

// Record adds one of the name that was asked for to the answer; fill appends its
// data.
func (r *Old) Record(kind uint16, ttl uint32, fill func()) {
	r.name(r.Name)
	r.u16(kind)
	r.u16(dnswire.ClassIN)
	r.b = binary.BigEndian.AppendUint32(r.b, ttl)
	at := len(r.b)
	r.u16(0)
	fill()
	binary.BigEndian.PutUint16(r.b[at:], uint16(len(r.b)-at-2))
	r.b[r.start+7]++
}

// Bytes appends record data.
func (r *Old) Bytes(b ...byte) { r.b = append(r.b, b...) }

// OwnName appends the name that was asked for as record data.
func (r *Old) OwnName() { r.name(r.Name) }

func (r *Old) u16(n uint16) { r.b = binary.BigEndian.AppendUint16(r.b, n) }

// name appends a name: its suffixes are remembered where they are short enough,
// and pointers later.
func (r *Old) name(d []byte) {
	for d[0] != 0 {
		for _, n := range r.names {
			if sameName(n.name, d) {
				r.u16(0xc000 + uint16(n.at))
				return
			}
		}
		if at := len(r.b) - r.start; len(d) <= oldNameSize && at < 0x4000 && len(r.names) < oldNames {
			r.names = append(r.names, oldName{d, at})
		}
		l := 1 + int(d[0])
		r.b = append(r.b, d[:l]...)
		d = d[l:]
	}
	r.b = append(r.b, 0)
}

// sameName compares names whatever their case.
func sameName(a, b []byte) bool {
	return len(a) == len(b) && string(dnswire.Lower(a)) == string(dnswire.Lower(b))
}

// oldGetName reads a name at pos, following compression as djb's does; nil where
// there is none. next is what follows it.
func oldGetName(b []byte, pos int) (name []byte, next int) {
	name = make([]byte, 0, 64)
	left, steps := 0, 0
	get := func() (c byte, ok bool) {
		if steps++; pos >= len(b) || steps >= oldSteps {
			return 0, false
		}
		pos++
		return b[pos-1], true
	}
	for {
		c, ok := get()
		for ok && left == 0 && c >= 0xc0 {
			if pos >= len(b) {
				return nil, 0
			}
			to := int(c&0x3f)<<8 | int(b[pos])
			if next == 0 {
				next = pos + 1
			}
			pos = to
			c, ok = get()
		}
		if !ok || left == 0 && c >= 0x40 || len(name) == dnswire.MaxName {
			return nil, 0
		}
		name = append(name, c)
		switch {
		case left > 0:
			left--
		case c == 0:
			if next == 0 {
				next = pos
			}
			return name, next
		default:
			left = int(c)
		}
	}
}
