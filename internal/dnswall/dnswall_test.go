// SPDX-License-Identifier: ISC

package dnswall

import (
	"strings"
	"testing"

	"github.com/miekg/dns"

	"quill/internal/dnsreply"
	"quill/internal/dnswire"
)

// wall is one for zones; none: for all.
func wall(t testing.TB, servers string, bases ...string) *Wall {
	t.Helper()
	s, err := dnsreply.Names(servers)
	if err != nil {
		t.Fatal(err)
	}
	names, err := dnsreply.Names(strings.Join(bases, "/"))
	if err != nil {
		t.Fatal(err)
	}
	w := &Wall{}
	for _, b := range names {
		w.Zones = append(w.Zones, dnsreply.Zone{Base: b, Servers: s})
	}
	return w
}

// ask is the answer as words: status, code, aa, answers, authority.
func ask(t *testing.T, w *Wall, name string, kind uint16) string {
	t.Helper()
	b, err := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind).Pack()
	if err != nil {
		t.Fatal(err)
	}
	var q dnswire.Query
	said, status := w.Answer(nil, b, false, &q)
	var a dns.Msg
	if err := a.Unpack(said); err != nil {
		t.Fatalf("%s: %v in %x", name, err, said)
	}
	words := []string{string(status), dns.RcodeToString[a.Rcode]}
	if a.Authoritative {
		words = append(words, "aa")
	}
	for _, rr := range a.Answer {
		words = append(words, strings.Join(strings.Fields(strings.TrimPrefix(rr.String(), rr.Header().Name)), " "))
	}
	for _, rr := range a.Ns {
		words = append(words, "/ "+strings.Join(strings.Fields(rr.String()), " "))
	}
	return strings.Join(words, " ")
}

const six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"

// TestAll: a wall for all reverse names.
func TestAll(t *testing.T) {
	w := wall(t, "")
	for _, c := range []struct {
		name string
		kind uint16
		want string
	}{
		{"4.3.2.1.in-addr.arpa", dns.TypePTR, "+ NOERROR aa 655360 IN PTR 4.3.2.1.in-addr.arpa."},
		{"4.3.2.1.IN-addr.ARPA", dns.TypePTR, "+ NOERROR aa 655360 IN PTR 4.3.2.1.IN-addr.ARPA."},
		{"4.3.2.1.in-addr.arpa", dns.TypeA, "+ NOERROR aa 655360 IN A 1.2.3.4"},
		{"4.3.2.1.in-addr.arpa", dns.TypeANY, "+ NOERROR aa 655360 IN A 1.2.3.4 655360 IN PTR 4.3.2.1.in-addr.arpa."},
		{"4.3.2.1.in-addr.arpa", dns.TypeAAAA, "+ NOERROR aa"},
		{"2.1.in-addr.arpa", dns.TypePTR, "+ NOERROR aa 655360 IN PTR 2.1.in-addr.arpa."},
		{"2.1.in-addr.arpa", dns.TypeA, "+ NOERROR aa"},
		{"x.4.3.2.1.in-addr.arpa", dns.TypePTR, "+ NXDOMAIN aa"},
		{"256.3.2.1.in-addr.arpa", dns.TypePTR, "+ NXDOMAIN aa"},
		{"1.2.3.4", dns.TypeA, "+ NOERROR aa 655360 IN A 1.2.3.4"},
		{"1.2.3.4", dns.TypePTR, "+ NOERROR aa"},
		{"1.2.3", dns.TypeA, "- REFUSED"}, {"www.example.org", dns.TypeA, "- REFUSED"}, {"arpa", dns.TypeNS, "- REFUSED"}, {".", dns.TypeNS, "- REFUSED"},
		{six, dns.TypePTR, "+ NOERROR aa 655360 IN PTR " + six + "."},
		{six, dns.TypeAAAA, "+ NOERROR aa 655360 IN AAAA 2001:db8::1"},
		{six, dns.TypeANY, "+ NOERROR aa 655360 IN AAAA 2001:db8::1 655360 IN PTR " + six + "."},
		{six, dns.TypeA, "+ NOERROR aa"},
		{six[2:], dns.TypeAAAA, "+ NOERROR aa"},
		{"0." + six, dns.TypePTR, "+ NXDOMAIN aa"}, {"g.ip6.arpa", dns.TypePTR, "+ NXDOMAIN aa"}, {"10.ip6.arpa", dns.TypePTR, "+ NXDOMAIN aa"},
	} {
		if got := ask(t, w, c.name, c.kind); got != c.want {
			t.Errorf("%s %s = %s; want %s", c.name, dns.TypeToString[c.kind], got, c.want)
		}
	}
}

// TestZones: a wall for what is delegated to it has SOA and NS, and nothing else.
func TestZones(t *testing.T) {
	w := wall(t, "ns.example.org", "10.in-addr.arpa", "1.10.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")
	const soa = ".in-addr.arpa. 300 IN SOA ns.example.org. hostmaster.10.in-addr.arpa. 1 16384 2048 1048576 300"
	for _, c := range []struct {
		name string
		kind uint16
		want string
	}{
		{"4.3.2.10.in-addr.arpa", dns.TypePTR, "+ NOERROR aa 655360 IN PTR 4.3.2.10.in-addr.arpa."},
		{"4.3.2.10.in-addr.arpa", dns.TypeMX, "+ NOERROR aa / 10" + soa},
		{"4.3.1.10.in-addr.arpa", dns.TypeMX, "+ NOERROR aa / 1.10" + strings.Replace(soa, "hostmaster.", "hostmaster.1.", 1)},
		{"x.2.10.in-addr.arpa", dns.TypePTR, "+ NXDOMAIN aa / 10" + soa},
		{"10.in-addr.arpa", dns.TypeSOA, "+ NOERROR aa 300 IN SOA ns.example.org. hostmaster.10.in-addr.arpa. 1 16384 2048 1048576 300"},
		{"10.in-addr.arpa", dns.TypeNS, "+ NOERROR aa 259200 IN NS ns.example.org."},
		{"10.in-addr.arpa", dns.TypeMX, "+ NOERROR aa / 10" + soa},
		{six, dns.TypeAAAA, "+ NOERROR aa 655360 IN AAAA 2001:db8::1"},
		{"4.3.2.11.in-addr.arpa", dns.TypePTR, "- REFUSED"}, {"in-addr.arpa", dns.TypePTR, "- REFUSED"}, {"1.2.3.10", dns.TypeA, "- REFUSED"},
	} {
		if got := ask(t, w, c.name, c.kind); got != c.want {
			t.Errorf("%s %s = %s; want %s", c.name, dns.TypeToString[c.kind], got, c.want)
		}
	}
}

// FuzzAnswer: no packet makes any wall panic, and answers are whole messages.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"4.3.2.1.in-addr.arpa.", six + ".", "1.2.3.4.", "10.in-addr.arpa.", "x."} {
		m := new(dns.Msg).SetQuestion(name, dns.TypeANY)
		m.SetEdns0(1232, true)
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	walls := []*Wall{wall(f, ""), wall(f, "ns.example.org", "10.in-addr.arpa"), {Old: true}}
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, w := range walls {
			var q dnswire.Query
			said, _ := w.Answer(nil, packet, false, &q)
			if len(said) > dnswire.MaxUDP {
				t.Errorf("an answer of %d bytes over UDP to %x", len(said), packet)
			}
			var a dns.Msg
			if err := a.Unpack(said); len(said) > 0 && !w.Old && err != nil {
				t.Errorf("to %x: %v in %x", packet, err, said)
			}
		}
	})
}
