// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"quill/internal/dnswire"
)

const (
	maxChase  = 8   // CNAMEs that one answer follows
	maxGather = 512 // records of the additional section
)

// placed is a record of an answer with its owner.
type placed struct {
	owner []byte
	rr
}

// answer is what will be said.
type answer struct {
	d          *Data
	c          client
	rcode      int
	ede        uint16
	aa         bool
	foreign    bool // not in any zone of ours
	referral   bool // authority and additional lead to other servers
	answers    []placed
	authority  []placed
	additional []placed
}

// Status is how a packet was dealt with, as djb's log has it: + answered, - not
// ours, I not implemented, C other class, / unreadable.
type Status byte

// Failure appends SERVFAIL to out, for a question that was read but whose data
// could not be.
func Failure(out []byte, q *dnswire.Query) []byte { return refusal(out, q, dnswire.RcodeServFail) }

// Answer appends the answer to a packet to out; nothing where it must not be
// answered. ip is the client's address of 4 or 16 bytes, now what start and end
// times of records count against. q, empty before, is filled for the log. No
// packet and no data make it panic.
func (d *Data) Answer(out, packet []byte, ip []byte, tcp bool, now time.Time, q *dnswire.Query) ([]byte, Status) {
	verdict := dnswire.Parse(packet, q)
	limit := dnswire.MaxTCP
	if !tcp {
		limit = q.Size
	}
	switch {
	case verdict == dnswire.Drop:
		return out, '/'
	case verdict == dnswire.RcodeNotImp || verdict == dnswire.RcodeBadVers:
		return refusal(out, q, verdict), 'I'
	case verdict != dnswire.Accept:
		return refusal(out, q, verdict), '/'
	case q.Class != dnswire.ClassIN:
		return refusal(out, q, dnswire.RcodeRefused), 'C'
	case q.Type == dnswire.TypeOPT:
		return refusal(out, q, dnswire.RcodeFormErr), 'I'
	case q.Type == dnswire.TypeAXFR || q.Type == dnswire.TypeIXFR:
		return refuse(out, q, dnswire.RcodeRefused, dnswire.EdeProhibited), 'I'
	}
	a := &answer{d: d, c: client{now: now}, aa: true}
	if err := a.compose(q, ip); err != nil {
		return refusal(out, q, dnswire.RcodeServFail), '-'
	}
	if a.foreign {
		return refuse(out, q, dnswire.RcodeRefused, dnswire.EdeNotAuth), '-'
	}
	return a.write(out, q, limit), '+'
}

// compose gathers the sections.
func (a *answer) compose(q *dnswire.Query, ip []byte) (err error) {
	if a.c.loc, err = a.d.location(ip); err != nil {
		return err
	}
	name := q.Name
	for range maxChase {
		z, err := a.zone(q.Type, dnswire.Lower(name))
		if err != nil {
			return err
		}
		if z == nil {
			a.foreign = len(a.answers) == 0
			return nil
		}
		if z.soa == nil {
			a.refer(z)
			return nil
		}
		next, err := a.within(q, z, name)
		if err != nil || next == nil || a.answered(next) {
			return err
		}
		name = next
	}
	return nil
}

// zone is the one that answers for a name; for DS the one above it, where that
// is ours (RFC 4035 §3.1.4.1).
func (a *answer) zone(kind uint16, name []byte) (*zone, error) {
	if kind == dnswire.TypeDS && len(name) > 1 {
		z, err := a.d.control(a.c, dnswire.Parent(name))
		if err != nil || z != nil && z.soa != nil {
			return z, err
		}
	}
	return a.d.control(a.c, name)
}

// answered says whether a name was followed already: CNAMEs in a ring.
func (a *answer) answered(name []byte) bool {
	for _, p := range a.answers {
		if string(dnswire.Lower(p.owner)) == string(dnswire.Lower(name)) {
			return true
		}
	}
	return false
}

// refer points to the servers of a delegated zone.
func (a *answer) refer(z *zone) {
	if len(a.answers) > 0 {
		return // a CNAME that leads out of our zones
	}
	a.aa, a.referral = false, true
	for _, ns := range z.ns {
		a.authority = append(a.authority, placed{z.apex, ns})
	}
	a.addresses(a.authority)
}

// within answers for a name of a zone of ours; next is where a CNAME leads.
func (a *answer) within(q *dnswire.Query, z *zone, name []byte) (next []byte, err error) {
	records, exists, err := a.d.find(a.c, z, dnswire.Lower(name))
	if err != nil {
		return nil, err
	}
	kind := q.Type
	if kind == dnswire.TypeANY {
		kind = least(records)
	}
	found := false
	for _, r := range records {
		if r.kind == kind && !(kind == dnswire.TypeSOA && found) {
			a.answers = append(a.answers, placed{name, r})
			found = true
		}
	}
	if found {
		shuffle(a.answers, kind)
		if q.Type != dnswire.TypeANY {
			a.addresses(a.answers)
		}
		return nil, nil
	}
	for _, r := range records {
		if r.kind == dnswire.TypeCNAME && dnswire.NameLen(r.data) == len(r.data) {
			a.answers = append(a.answers, placed{name, r})
			return r.data, nil
		}
	}
	if !exists {
		a.rcode = dnswire.RcodeNXDomain
	}
	a.negative(z)
	return nil, nil
}

// least is the type whose records take the least room: one set is enough for ANY
// (RFC 8482 §4.1), and a small one is no weapon. 0 where there are no records.
func least(records []rr) (kind uint16) {
	sizes := make(map[uint16]int)
	for _, r := range records {
		sizes[r.kind] += 12 + len(r.data)
	}
	for _, r := range records {
		if kind == 0 || sizes[r.kind] < sizes[kind] {
			kind = r.kind
		}
	}
	return kind
}

// shuffle puts addresses in a random order, so that load spreads.
func shuffle(all []placed, kind uint16) {
	if kind != dnswire.TypeA && kind != dnswire.TypeAAAA {
		return
	}
	first := 0
	for first < len(all) && all[first].kind != kind {
		first++
	}
	rand.Shuffle(len(all)-first, func(i, j int) { all[first+i], all[first+j] = all[first+j], all[first+i] })
}

// negative adds the SOA that says how long "no" holds: the least of its ttl and
// its minimum (RFC 2308 §3).
func (a *answer) negative(z *zone) {
	soa := *z.soa
	if n := len(soa.data); n >= 20 {
		soa.ttl = min(soa.ttl, binary.BigEndian.Uint32(soa.data[n-4:]))
	}
	a.authority = append(a.authority, placed{z.apex, soa})
}

// targetAt is where in a record's data the name of a host begins.
var targetAt = map[uint16]int{dnswire.TypeNS: 0, dnswire.TypeMX: 2, dnswire.TypeSRV: 6}

// addresses adds what we know of the hosts that records name.
func (a *answer) addresses(of []placed) {
	for _, p := range of {
		at, ok := targetAt[p.kind]
		if !ok || len(p.data) <= at {
			continue
		}
		host := p.data[at : at+dnswire.NameLen(p.data[at:])]
		if len(host) < 2 {
			continue // no name, or the root
		}
		records, err := a.d.records(a.c, dnswire.Lower(host), false)
		if err != nil {
			continue
		}
		for _, r := range records {
			if (r.kind == dnswire.TypeA || r.kind == dnswire.TypeAAAA) && len(a.additional) < maxGather && !a.has(host, r) {
				a.additional = append(a.additional, placed{host, r})
			}
		}
	}
}

// has says whether a record is in the additional section already.
func (a *answer) has(owner []byte, r rr) bool {
	for _, p := range a.additional {
		if p.kind == r.kind && string(p.data) == string(r.data) && string(dnswire.Lower(p.owner)) == string(dnswire.Lower(owner)) {
			return true
		}
	}
	return false
}
