// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"encoding/binary"

	"quill/internal/dnswire"
)

// Request is a question for a zone.
type Request struct {
	ID, Flags uint16
	Name      []byte // wire form, in the case of the client
	Type      uint16 // AXFR or IXFR
	Class     uint16
	edns, do  bool
	current   *uint32 // the serial number that the client has: IXFR
	rcode     int     // what is wrong with it
}

// Read reads a packet; ok is whether it is a request for a zone at all.
func Read(packet []byte) (q *Request, ok bool) {
	end := question(packet)
	if end == 0 || packet[2]&0xf8 != 0 {
		return nil, false
	}
	q = &Request{ID: uint16(u16(packet, 0)), Flags: uint16(u16(packet, 2)), Name: packet[dnswire.HeaderLen:end], Type: uint16(u16(packet, end)), Class: uint16(u16(packet, end+2))}
	if q.Type != dnswire.TypeAXFR && q.Type != dnswire.TypeIXFR {
		return nil, false
	}
	q.rcode = q.records(packet, end+4)
	return q, true
}

// records reads what is behind the question: the SOA of IXFR in the authority
// section (RFC 1995 §3), EDNS in the additional one.
func (q *Request) records(packet []byte, at int) (rcode int) {
	if u16(packet, 6) != 0 || u16(packet, 8) > 1 || q.Flags&dnswire.FlagTC != 0 {
		return dnswire.RcodeFormErr
	}
	version := byte(0)
	for n, authority := u16(packet, 8)+u16(packet, 10), u16(packet, 8); n > 0; n-- {
		h, ok := record(packet, at)
		if !ok {
			return dnswire.RcodeFormErr
		}
		switch {
		case authority > 0:
			data, ok := expand(packet, h)
			if !ok || h.kind != dnswire.TypeSOA || !sound(h.kind, data) {
				return dnswire.RcodeFormErr
			}
			serial := serialOf(data)
			q.current = &serial
			authority--
		case h.kind == dnswire.TypeOPT && (q.edns || packet[h.owner] != 0):
			return dnswire.RcodeFormErr
		case h.kind == dnswire.TypeOPT:
			q.edns, q.do = true, h.ttl&dnswire.FlagDO != 0
			version = byte(h.ttl >> 16)
		}
		at = h.end
	}
	switch {
	case at != len(packet) || q.Type == dnswire.TypeIXFR && q.current == nil:
		return dnswire.RcodeFormErr
	case version != 0:
		return dnswire.RcodeBadVers
	}
	return dnswire.RcodeOK
}

// Zone is the name in lower case.
func (q *Request) Zone() []byte { return dnswire.Lower(q.Name) }

// Wrong is the refusal of a request that is not as it should be; nil for others.
func (q *Request) Wrong() []byte {
	switch {
	case q.rcode != dnswire.RcodeOK:
		return q.refuse(q.rcode, dnswire.EdeNone)
	case q.Class != dnswire.ClassIN:
		return q.refuse(dnswire.RcodeRefused, dnswire.EdeNone)
	}
	return nil
}

// Prohibited is the refusal of a client whom no rule lets have the zone.
func (q *Request) Prohibited() []byte {
	return q.refuse(dnswire.RcodeRefused, dnswire.EdeProhibited)
}

// NotOurs is the refusal of a zone that is not here (RFC 5936 §2.2.1).
func (q *Request) NotOurs() []byte { return q.refuse(rcodeNotAuth, dnswire.EdeNotAuth) }

// Failure is the refusal where we cannot: no data, or too much to do.
func (q *Request) Failure() []byte { return q.refuse(dnswire.RcodeServFail, dnswire.EdeNone) }

func (q *Request) refuse(rcode int, ede int) []byte {
	var w writer
	w.begin(q.ID, dnswire.FlagQR|q.Flags&dnswire.FlagRD|uint16(rcode&15))
	w.ask(q.Name, q.Type, q.Class)
	if q.edns {
		w.opt(rcode, ede, q.do)
	}
	return w.message()
}

// transfer is one on its way.
type transfer struct {
	q     *Request
	w     writer
	limit int
	write func(msg []byte) error
	sent  bool // the first message has been
	left  int  // records left out
}

// Send writes the messages that answer q; each is the callee's until it
// returns. leftOut is the number of records whose data are not what their type
// wants, or have no room in a message: one of them would make the client refuse
// the zone. ErrNoZone comes before anything is written; after other errors the
// connection is of no more use.
func (q *Request) Send(src Source, c Client, write func(msg []byte) error) (leftOut int, err error) {
	return q.send(src, c, target, write)
}

func (q *Request) send(src Source, c Client, limit int, write func(msg []byte) error) (leftOut int, err error) {
	v, err := see(src, c)
	if err != nil {
		return 0, err
	}
	zone := q.Zone()
	soa, ns, err := v.top(zone)
	if err != nil {
		return 0, err
	}
	if soa == nil || !ns {
		return 0, ErrNoZone
	}
	t := &transfer{q: q, limit: limit, write: write}
	t.begin()
	t.w.record(q.Name, soa, maxMessage)
	if q.current != nil && int32(*q.current-serialOf(soa.data)) >= 0 {
		return 0, t.flush() // the client has it (RFC 1995 §4)
	}
	var wildcard []byte
	err = v.walk(zone, func(key []byte, all []rr) error {
		wildcard = append(append(wildcard[:0], 1, '*'), key...)
		for i := range all {
			owner := key
			if all[i].wild {
				owner = wildcard
			}
			if err := t.add(owner, &all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = t.add(zone, soa)
	}
	if err == nil {
		err = t.flush()
	}
	return t.left, err
}

// begin begins a message: the question is in the first only (RFC 5936 §2.2.1).
func (t *transfer) begin() {
	t.w.begin(t.q.ID, dnswire.FlagQR|dnswire.FlagAA|t.q.Flags&dnswire.FlagRD)
	if !t.sent {
		t.w.ask(t.q.Name, t.q.Type, t.q.Class)
	}
}

// flush writes the message.
func (t *transfer) flush() error {
	if !t.sent && t.q.edns {
		t.w.opt(dnswire.RcodeOK, dnswire.EdeNone, t.q.do)
	}
	t.sent = true
	return t.write(t.w.message())
}

// add adds a record to this message or the next.
func (t *transfer) add(owner []byte, r *rr) error {
	if !sound(r.kind, r.data) || len(owner) > dnswire.MaxName {
		t.left++
		return nil
	}
	if t.w.record(owner, r, t.limit) {
		return nil
	}
	if t.w.count > 0 {
		if err := t.flush(); err != nil {
			return err
		}
		t.begin()
	}
	if !t.w.record(owner, r, maxMessage) {
		t.left++
	}
	return nil
}

// Notify is the message that says that a zone has a new serial number
// (RFC 1996 §3).
func Notify(id uint16, src Source, zone []byte, c Client) (msg []byte, serial uint32, err error) {
	v, err := see(src, c)
	if err != nil {
		return nil, 0, err
	}
	soa, ns, err := v.top(zone)
	if err == nil && (soa == nil || !ns) {
		err = ErrNoZone
	}
	if err != nil {
		return nil, 0, err
	}
	var w writer
	w.begin(id, opNotify<<11|dnswire.FlagAA)
	w.ask(zone, dnswire.TypeSOA, dnswire.ClassIN)
	w.record(zone, soa, maxMessage)
	return w.message(), serialOf(soa.data), nil
}

// Notified says whether a packet is the answer to a NOTIFY, and with which code
// (RFC 1996 §4.7).
func Notified(asked, packet []byte) (rcode int, ok bool) {
	end := question(asked)
	if len(packet) < dnswire.HeaderLen || u16(packet, 0) != u16(asked, 0) || packet[2]&0xf8 != 0x80|opNotify<<3 {
		return 0, false
	}
	rcode = int(packet[3] & 15)
	theirs := question(packet)
	if theirs == 0 { // an error may come without the question
		return rcode, rcode != 0 && u16(packet, 4) == 0
	}
	same := theirs == end && string(dnswire.Lower(packet[dnswire.HeaderLen:theirs])) == string(dnswire.Lower(asked[dnswire.HeaderLen:end])) &&
		binary.BigEndian.Uint32(packet[theirs:]) == binary.BigEndian.Uint32(asked[end:])
	return rcode, same
}
