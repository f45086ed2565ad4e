// SPDX-License-Identifier: ISC

package dnsrbl

import (
	"net/netip"

	"quill/internal/dnsreply"
	"quill/internal/dnswire"
)

// ttl is the time to live of what is listed, in seconds.
const ttl = 2048

const (
	oldLimit = 100                                                      // bytes of data that djb's program reads
	limit    = 4 + 255 - len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") // so that one TXT string holds text and address
)

// List is a list below its base.
type List struct {
	dnsreply.Zone
	Old bool // djb's answers
}

// Answer appends the answer to packet to out; nothing where it must not be
// answered. serial tells one version of the data from the next. q, empty before,
// is filled for the log. No packet and no data make it panic.
func (l *List) Answer(src Source, serial uint32, out, packet []byte, tcp bool, q *dnswire.Query) ([]byte, dnsreply.Status) {
	if l.Old {
		return dnsreply.OldAnswer(out, packet, tcp, q, func(r *dnsreply.Old) bool { return l.old(src, r) })
	}
	return dnsreply.Answer(out, packet, tcp, q, func(q *dnswire.Query, r *dnsreply.Reply) {
		name := dnswire.Lower(q.Name)
		switch {
		case !dnsreply.Under(name, l.Base):
			r.Foreign = true
			return
		case len(name) == len(l.Base):
			l.Apex(q, r, serial)
		default:
			r.Failed = l.below(src, name, q, r) != nil
		}
		l.Close(q, r, serial)
	})
}

// below answers for a name below the base. One that could have others below it,
// because its labels begin an address, is there (RFC 8020); to know which ones do
// have some, all data would have to be read.
func (l *List) below(src Source, name []byte, q *dnswire.Query, r *dnsreply.Reply) error {
	lengths, err := lengths6(src)
	if err != nil {
		return err
	}
	begins := false
	if ip, n := dnsreply.Octets(name, l.Base); n == 4 {
		ip[0], ip[1], ip[2], ip[3] = ip[3], ip[2], ip[1], ip[0]
		yes, err := listed4(src, ip)
		if err != nil {
			return err
		}
		if yes {
			return l.listed(src, netip.AddrFrom4(ip), q, r)
		}
	} else if n > 0 {
		begins = true
	}
	if len(lengths) > 0 {
		if ip, n := dnsreply.Nibbles(name, l.Base); n == 32 {
			yes, err := listed6(src, ip, lengths)
			if err != nil {
				return err
			}
			if yes {
				return l.listed(src, netip.AddrFrom16(ip), q, r)
			}
		} else if n > 0 {
			begins = true
		}
	}
	if !begins {
		r.Rcode = dnswire.RcodeNXDomain
	}
	return nil
}

// listed adds what is said of an address that is listed.
func (l *List) listed(src Source, ip netip.Addr, q *dnswire.Query, r *dnsreply.Reply) error {
	addr, text, err := said(src, ip, limit)
	if err != nil {
		return err
	}
	if q.Type == dnswire.TypeA || q.Type == dnswire.TypeANY {
		r.Answers = append(r.Answers, dnsreply.Record{Owner: q.Name, Type: dnswire.TypeA, TTL: ttl, Data: addr})
	}
	if q.Type == dnswire.TypeTXT || q.Type == dnswire.TypeANY {
		r.Answers = append(r.Answers, dnsreply.Record{Owner: q.Name, Type: dnswire.TypeTXT, TTL: ttl, Data: append([]byte{byte(len(text))}, text...)})
	}
	return nil
}

// old is djb's rbldns.c.
func (l *List) old(src Source, r *dnsreply.Old) bool {
	wantA := r.Type == dnswire.TypeA || r.Type == dnswire.TypeANY
	wantTXT := r.Type == dnswire.TypeTXT || r.Type == dnswire.TypeANY
	ip, n := dnsreply.Octets(r.Name, l.Base)
	if !wantA && !wantTXT || n != 4 {
		r.Refuse()
		return true
	}
	ip[0], ip[1], ip[2], ip[3] = ip[3], ip[2], ip[1], ip[0]
	yes, err := listed4(src, ip)
	if err != nil {
		return false
	}
	if !yes {
		r.NXDomain()
		return true
	}
	addr, text, err := said(src, netip.AddrFrom4(ip), oldLimit)
	if err != nil {
		return false
	}
	if wantA {
		r.Record(dnswire.TypeA, ttl, func() { r.Bytes(addr...) })
	}
	if wantTXT {
		r.Record(dnswire.TypeTXT, ttl, func() { r.Bytes(append([]byte{byte(len(text))}, text...)...) })
	}
	return true
}
