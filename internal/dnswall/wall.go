// SPDX-License-Identifier: ISC

// Package dnswall is what walldns answers: a name for every address, which is the
// reverse name itself, so that nothing is told of what lies behind it. It is pure.
package dnswall

import (
	"quill/internal/dnsreply"
	"quill/internal/dnswire"
)

// ttl is the time to live of all records, in seconds; nothing ever changes.
const (
	ttl    = 655360
	serial = 1
)

const (
	inAddr = "\x07in-addr\x04arpa\x00"
	ip6    = "\x03ip6\x04arpa\x00"
	root   = "\x00"
)

// Wall answers for reverse names.
type Wall struct {
	Zones []dnsreply.Zone // what is delegated to it; empty: all reverse names, without an SOA
	Old   bool            // djb's answers
}

// Answer appends the answer to packet to out; nothing where it must not be
// answered. q, empty before, is filled for the log. No packet makes it panic.
func (w *Wall) Answer(out, packet []byte, tcp bool, q *dnswire.Query) ([]byte, dnsreply.Status) {
	if w.Old {
		return dnsreply.OldAnswer(out, packet, tcp, q, old)
	}
	return dnsreply.Answer(out, packet, tcp, q, w.find)
}

// find answers for a name.
func (w *Wall) find(q *dnswire.Query, r *dnsreply.Reply) {
	name := dnswire.Lower(q.Name)
	if len(w.Zones) == 0 {
		made(name, q, r)
		return
	}
	z := w.zone(name)
	if z == nil {
		r.Foreign = true
		return
	}
	if len(name) == len(z.Base) {
		z.Apex(q, r, serial)
	}
	made(name, q, r)
	z.Close(q, r, serial)
}

// zone is the longest that a name is in; nil for none.
func (w *Wall) zone(name []byte) (best *dnsreply.Zone) {
	for i := range w.Zones {
		if z := &w.Zones[i]; dnsreply.Under(name, z.Base) && (best == nil || len(z.Base) > len(best.Base)) {
			best = z
		}
	}
	return best
}

// made makes up what is at a name. One whose labels begin an address is there, and
// has its PTR too, as djb's has it.
func made(name []byte, q *dnswire.Query, r *dnsreply.Reply) {
	add := func(kind uint16, data []byte) {
		if q.Type == kind || q.Type == dnswire.TypeANY {
			r.Answers = append(r.Answers, dnsreply.Record{Owner: q.Name, Type: kind, TTL: ttl, Data: data})
		}
	}
	if ip, n := dnsreply.Octets(name, []byte(inAddr)); n >= 0 {
		if n == 4 {
			add(dnswire.TypeA, []byte{ip[3], ip[2], ip[1], ip[0]})
		}
		add(dnswire.TypePTR, dnsreply.Pointer())
		return
	}
	if ip, n := dnsreply.Nibbles(name, []byte(ip6)); n >= 0 {
		if n == 32 {
			add(dnswire.TypeAAAA, ip[:])
		}
		add(dnswire.TypePTR, dnsreply.Pointer())
		return
	}
	if ip, n := dnsreply.Octets(name, []byte(root)); n == 4 {
		add(dnswire.TypeA, ip[:])
		return
	}
	if dnsreply.Under(name, []byte(inAddr)) || dnsreply.Under(name, []byte(ip6)) {
		r.Rcode = dnswire.RcodeNXDomain
		return
	}
	r.Foreign = true
}

// old is djb's walldns.c.
func old(r *dnsreply.Old) bool {
	wantA := r.Type == dnswire.TypeA || r.Type == dnswire.TypeANY
	wantPTR := r.Type == dnswire.TypePTR || r.Type == dnswire.TypeANY
	if !wantA && !wantPTR {
		r.Refuse()
		return true
	}
	if ip, n := dnsreply.Octets(r.Name, []byte(root)); n == 4 {
		if wantA {
			r.Record(dnswire.TypeA, ttl, func() { r.Bytes(ip[:]...) })
		}
		return true
	}
	ip, n := dnsreply.Octets(r.Name, []byte(inAddr))
	if n < 0 {
		r.Refuse()
		return true
	}
	if wantA && n == 4 {
		r.Record(dnswire.TypeA, ttl, func() { r.Bytes(ip[3], ip[2], ip[1], ip[0]) })
	}
	if wantPTR {
		r.Record(dnswire.TypePTR, ttl, r.OwnName)
	}
	return true
}
