// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestRFC8906 is the questions of RFC 8906 §8 and what is expected, by their
// numbers.
func TestRFC8906(t *testing.T) {
	d := compiled(t, zoneText+"'big.testingsmtp.org:"+strings.Repeat("long text ", 60)+"\n")
	bare := func(m *dns.Msg) {}
	edns := func(version uint8, flags uint16, options ...dns.EDNS0) func(*dns.Msg) {
		return func(m *dns.Msg) {
			o := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: 4096, Ttl: uint32(version)<<16 | uint32(flags)}, Option: options}
			m.Extra = append(m.Extra, o)
		}
	}
	unknown := &dns.EDNS0_LOCAL{Code: 100}
	known := []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET}, &dns.EDNS0_EXPIRE{Code: dns.EDNS0EXPIRE, Empty: true}}
	const soa = "testingsmtp.org."
	for _, c := range []struct {
		number string
		name   string
		kind   uint16
		change func(*dns.Msg)
		tcp    bool
		rcode  int
		answer bool // the SOA
		opt    bool
		tc     bool
	}{
		{"8.1.1", soa, dns.TypeSOA, bare, false, dns.RcodeSuccess, true, false, false},
		{"8.1.2", soa, 1000, bare, false, dns.RcodeSuccess, false, false, false},
		{"8.1.3.1", soa, dns.TypeSOA, func(m *dns.Msg) { m.CheckingDisabled = true }, false, dns.RcodeSuccess, true, false, false},
		{"8.1.3.2", soa, dns.TypeSOA, func(m *dns.Msg) { m.AuthenticatedData = true }, false, dns.RcodeSuccess, true, false, false},
		{"8.1.3.3", soa, dns.TypeSOA, func(m *dns.Msg) { m.Zero = true }, false, dns.RcodeSuccess, true, false, false},
		{"8.1.3.4", soa, dns.TypeSOA, func(m *dns.Msg) { m.RecursionDesired = true }, false, dns.RcodeSuccess, true, false, false},
		{"8.1.4", soa, dns.TypeSOA, func(m *dns.Msg) { m.Opcode, m.Question = 15, nil }, false, dns.RcodeNotImplemented, false, false, false},
		{"8.1.5", soa, dns.TypeSOA, bare, true, dns.RcodeSuccess, true, false, false},
		{"8.2.1", soa, dns.TypeSOA, edns(0, 0), false, dns.RcodeSuccess, true, true, false},
		{"8.2.2", soa, dns.TypeSOA, edns(1, 0), false, dns.RcodeBadVers, false, true, false},
		{"8.2.3", soa, dns.TypeSOA, edns(0, 0, unknown), false, dns.RcodeSuccess, true, true, false},
		{"8.2.4", soa, dns.TypeSOA, edns(0, 0x40), false, dns.RcodeSuccess, true, true, false},
		{"8.2.5", soa, dns.TypeSOA, edns(1, 0x40), false, dns.RcodeBadVers, false, true, false},
		{"8.2.6", soa, dns.TypeSOA, edns(1, 0, unknown), false, dns.RcodeBadVers, false, true, false},
		{"8.2.7", "big." + soa, dns.TypeTXT, func(m *dns.Msg) { m.SetEdns0(512, true) }, false, dns.RcodeSuccess, false, true, true},
		{"8.2.8", soa, dns.TypeSOA, edns(0, 0x8000), false, dns.RcodeSuccess, true, true, false},
		{"8.2.9", soa, dns.TypeSOA, edns(1, 0x8000), false, dns.RcodeBadVers, false, true, false},
		{"8.2.10", soa, dns.TypeSOA, edns(0, 0, known...), false, dns.RcodeSuccess, true, true, false},
	} {
		m := new(dns.Msg).SetQuestion(c.name, c.kind)
		m.RecursionDesired = false
		c.change(m)
		a, _ := ask(t, d, m, c.tcp)
		if a == nil {
			t.Errorf("%s: silence", c.number)
			continue
		}
		answered := len(a.Answer) == 1 && a.Answer[0].Header().Rrtype == dns.TypeSOA
		if a.Rcode != c.rcode || answered != c.answer || a.Truncated != c.tc || a.Authoritative != (c.rcode == dns.RcodeSuccess) || !a.Response || a.Opcode != m.Opcode {
			t.Errorf("%s: %v; want rcode %d, SOA %v, TC %v", c.number, a, c.rcode, c.answer, c.tc)
		}
		if a.RecursionDesired != m.RecursionDesired || a.RecursionAvailable || a.AuthenticatedData || a.CheckingDisabled || a.Zero {
			t.Errorf("%s: flags %v; want RD %v and of RA, AD, CD and Z none", c.number, a.MsgHdr, m.RecursionDesired)
		}
		o := a.IsEdns0()
		if (o != nil) != c.opt {
			t.Errorf("%s: OPT %v; want %v", c.number, o, c.opt)
		} else if o != nil && (o.Version() != 0 || len(o.Option) != 0 || o.Do() != m.IsEdns0().Do() || o.Hdr.Ttl&0x7fff != 0) {
			t.Errorf("%s: OPT %v; want version 0, no options, DO as it came, no other flag", c.number, o)
		}
	}
}
