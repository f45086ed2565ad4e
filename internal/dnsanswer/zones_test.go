// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnswire"
)

// generic is a : line for data in bytes.
func generic(owner string, kind uint16, data string) string {
	var b strings.Builder
	for _, c := range []byte(data) {
		fmt.Fprintf(&b, `\%03o`, c)
	}
	return fmt.Sprintf(":%s:%d:%s:60\n", owner, kind, b.String())
}

const ip6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"

// moreZones has what djb's data file has no lines for.
func moreZones() string {
	long := strings.Repeat("\x32"+strings.Repeat("l", 50), 4)
	return ".z.org:192.0.2.1:ns.z.org:60\n+host.z.org:192.0.2.2:60\n" + generic("host.z.org", dns.TypeAAAA, ip6) +
		generic("d.z.org", dns.TypeDNAME, "\x01t\x01z\x03org\x00") + "+d.z.org:192.0.2.3:60\n+a.t.z.org:192.0.2.4:60\nCc.t.z.org:x.d.z.org:60\n+x.t.z.org:192.0.2.5:60\n" +
		generic("dl.z.org", dns.TypeDNAME, long+"\x01z\x03org\x00") + generic("dx.z.org", dns.TypeDNAME, "\x01x\x00") + generic("ring.z.org", dns.TypeDNAME, "\x01a\x04ring\x01z\x03org\x00") + generic("bad.z.org", dns.TypeDNAME, "\x40") +
		generic("svc.z.org", dns.TypeHTTPS, "\x00\x01\x00") + "+svc.z.org:192.0.2.6:60\n" + generic("alias.z.org", dns.TypeHTTPS, "\x00\x00\x04host\x01z\x03org\x00") + generic("alias0.z.org", dns.TypeSVCB, "\x00\x00\x00") +
		generic("odd.z.org", 65399, "\xc0\x0c\x00") + "@far.z.org::mx.elsewhere.example:10:60\n+mx.elsewhere.example:192.0.2.7:60\n@in.z.org::mx.cut.z.org:10:60\n" +
		"&cut.z.org:192.0.2.8:ns.cut.z.org:60\n" + generic("ns.cut.z.org", dns.TypeAAAA, ip6) + "&cut.z.org::host.z.org:60\n+mx.cut.z.org:192.0.2.9:60\n" + generic("cut.z.org", dns.TypeDS, "\x00\x01\x0d\x02abcd") +
		"+*.wild.z.org:192.0.2.10:60\n'*.wild.z.org:text:60\nC*.away.z.org:nowhere.z.org:60\n"
}

func TestMoreAnswers(t *testing.T) {
	d := compiled(t, moreZones())
	const soa = "z.org. 2560 IN SOA ns.z.org. hostmaster.z.org. 7 16384 2048 1048576 2560"
	for _, c := range []struct {
		name, kind, rcode  string
		answer, auth, more string
		account            string
	}{
		{"d.z.org.", "A", "NOERROR", "d.z.org. 60 IN A 192.0.2.3", "", "", "d.z.org"},
		{"a.D.z.org.", "A", "NOERROR", "D.z.org. 60 IN DNAME t.z.org.; a.D.z.org. 60 IN CNAME a.t.z.org.; a.t.z.org. 60 IN A 192.0.2.4", "", "", "z.org"},
		{"a.d.z.org.", "CNAME", "NOERROR", "a.d.z.org. 60 IN CNAME a.t.z.org.; d.z.org. 60 IN DNAME t.z.org.", "", "", "z.org"},
		{"no.d.z.org.", "A", "NXDOMAIN", "d.z.org. 60 IN DNAME t.z.org.; no.d.z.org. 60 IN CNAME no.t.z.org.", soa, "", "z.org"},
		{"c.d.z.org.", "A", "NOERROR", "c.d.z.org. 60 IN CNAME c.t.z.org.; c.t.z.org. 60 IN CNAME x.d.z.org.; d.z.org. 60 IN DNAME t.z.org.; x.d.z.org. 60 IN CNAME x.t.z.org.; x.t.z.org. 60 IN A 192.0.2.5", "", "", "z.org"},
		{"a.dx.z.org.", "A", "NOERROR", "a.dx.z.org. 60 IN CNAME a.x.; dx.z.org. 60 IN DNAME x.", "", "", "z.org"},
		{"a.bad.z.org.", "A", "NXDOMAIN", "", soa, "", "z.org"},
		{strings.Repeat("y", 60) + ".dl.z.org.", "A", "YXDOMAIN", "dl.z.org. 60 IN DNAME " + strings.Repeat(strings.Repeat("l", 50)+".", 4) + "z.org.", "", "", "z.org"},
		{"svc.z.org.", "HTTPS", "NOERROR", `svc.z.org. 60 IN HTTPS 1 .`, "", "svc.z.org. 60 IN A 192.0.2.6", "svc.z.org"},
		{"alias.z.org.", "HTTPS", "NOERROR", `alias.z.org. 60 IN HTTPS 0 host.z.org.`, "", "host.z.org. 60 IN A 192.0.2.2; host.z.org. 60 IN AAAA 2001:db8::1", "alias.z.org"},
		{"alias0.z.org.", "SVCB", "NOERROR", `alias0.z.org. 60 IN SVCB 0 .`, "", "", "alias0.z.org"},
		{"odd.z.org.", "TYPE65399", "NOERROR", `odd.z.org. 60 CLASS1 TYPE65399 \# 3 c00c00`, "", "", "odd.z.org"},
		{"far.z.org.", "MX", "NOERROR", "far.z.org. 60 IN MX 10 mx.elsewhere.example.", "", "", "far.z.org"},
		{"in.z.org.", "MX", "NOERROR", "in.z.org. 60 IN MX 10 mx.cut.z.org.", "", "", "in.z.org"},
		{"mx.elsewhere.example.", "A", "REFUSED", "", "", "", "."},
		{"www.cut.z.org.", "A", "NOERROR", "", "cut.z.org. 60 IN NS host.z.org.; cut.z.org. 60 IN NS ns.cut.z.org.", "host.z.org. 60 IN A 192.0.2.2; host.z.org. 60 IN AAAA 2001:db8::1; ns.cut.z.org. 60 IN A 192.0.2.8; ns.cut.z.org. 60 IN AAAA 2001:db8::1", "cut.z.org"},
		{"cut.z.org.", "DS", "NOERROR", "cut.z.org. 60 IN DS 1 13 2 61626364", "", "", "cut.z.org"},
		{"a.cut.z.org.", "DS", "NOERROR", "", "cut.z.org. 60 IN NS host.z.org.; cut.z.org. 60 IN NS ns.cut.z.org.", "host.z.org. 60 IN A 192.0.2.2; host.z.org. 60 IN AAAA 2001:db8::1; ns.cut.z.org. 60 IN A 192.0.2.8; ns.cut.z.org. 60 IN AAAA 2001:db8::1", "cut.z.org"},
		{"q.wild.z.org.", "A", "NOERROR", "q.wild.z.org. 60 IN A 192.0.2.10", "", "", "z.org"},
		{"q.wild.z.org.", "ANY", "NOERROR", "q.wild.z.org. 60 IN A 192.0.2.10", "", "", "z.org"},
		{"q.*.wild.z.org.", "A", "NXDOMAIN", "", soa, "", "z.org"},
		{"*.wild.z.org.", "A", "NOERROR", "*.wild.z.org. 60 IN A 192.0.2.10", "", "", "z.org"},
		{"q.away.z.org.", "A", "NXDOMAIN", "q.away.z.org. 60 IN CNAME nowhere.z.org.", soa, "", "z.org"},
		{"no.z.org.", "A", "NXDOMAIN", "", soa, "", "z.org"},
		{"Host.Z.org.", "A", "NOERROR", "Host.Z.org. 60 IN A 192.0.2.2", "", "", "host.z.org"},
		{"host.z.org.", "MX", "NOERROR", "", soa, "", "host.z.org"},
		{"z.org.", "IXFR", "NOERROR", soa, "", "", "z.org"},
		{"host.z.org.", "IXFR", "REFUSED", "", "", "", "."},
		{"host.z.org.", "OPT", "FORMERR", "", "", "", "."},
		{"host.z.org.", "TSIG", "FORMERR", "", "", "", "."},
	} {
		kind, ok := dns.StringToType[c.kind]
		if !ok {
			fmt.Sscanf(c.kind, "TYPE%d", &kind)
		}
		m := new(dns.Msg).SetQuestion(c.name, kind)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var q dnswire.Query
		out, _ := say(d, string(b), false, &q)
		a := new(dns.Msg)
		if err := a.Unpack(out); err != nil {
			t.Errorf("%s %s: %v in %x", c.name, c.kind, err, out)
			continue
		}
		if dns.RcodeToString[a.Rcode] != c.rcode || section(a.Answer) != c.answer || section(a.Ns) != c.auth || section(a.Extra) != c.more {
			t.Errorf("%s %s = %s\n answer %q; want %q\n authority %q; want %q\n additional %q; want %q", c.name, c.kind, dns.RcodeToString[a.Rcode], section(a.Answer), c.answer, section(a.Ns), c.auth, section(a.Extra), c.more)
		}
		if got := dnswire.Text(q.Account); got != c.account || q.Rcode != a.Rcode {
			t.Errorf("%s %s: account %s, rcode %d; want %s, %d", c.name, c.kind, got, q.Rcode, c.account, a.Rcode)
		}
	}
	if a, _ := ask(t, d, new(dns.Msg).SetQuestion("b.ring.z.org.", dns.TypeA), false); len(a.Answer) != 1+maxChase || a.Rcode != dns.RcodeSuccess {
		t.Errorf("DNAME into itself: %v", a)
	}
}

// TestIncrementalTransfer: IXFR over UDP says what version there is, whatever
// the client has (RFC 1995 §2); over TCP it is not for this package.
func TestIncrementalTransfer(t *testing.T) {
	d := compiled(t, moreZones())
	m := new(dns.Msg).SetIxfr("z.org.", 1, "ns.z.org.", "hostmaster.z.org.")
	if a, _ := ask(t, d, m, false); len(a.Answer) != 1 || a.Answer[0].(*dns.SOA).Serial != 7 || !a.Authoritative {
		t.Errorf("IXFR over UDP: %v; want the SOA", a)
	}
	if a, _ := ask(t, d, m, true); a.Rcode != dns.RcodeRefused {
		t.Errorf("IXFR over TCP: %v; want REFUSED", a)
	}
}

// TestRandomOrder: addresses of either family come in all orders.
func TestRandomOrder(t *testing.T) {
	d := compiled(t, ".z.org:192.0.2.1:ns.z.org\n+m.z.org:10.0.0.1\n+m.z.org:10.0.0.2\n+m.z.org:10.0.0.3\n"+generic("m.z.org", dns.TypeAAAA, ip6)+generic("m.z.org", dns.TypeAAAA, ip6[:15]+"\x02")+generic("m.z.org", dns.TypeAAAA, ip6[:15]+"\x03"))
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		orders := make(map[string]bool)
		for range 500 {
			a, _ := ask(t, d, new(dns.Msg).SetQuestion("m.z.org.", kind), false)
			orders[fmt.Sprint(a.Answer)] = true
		}
		if len(orders) != 6 {
			t.Errorf("%s: %d orders; want 6", dns.TypeToString[kind], len(orders))
		}
	}
}

// TestAdditionalFits: of what is only kind to give, whole sets, as many as fit.
func TestAdditionalFits(t *testing.T) {
	text := ".z.org:192.0.2.1:ns.z.org\n"
	for i := range 12 {
		text += fmt.Sprintf("@z.org:10.0.0.%d:m%d.z.org:%d\n+m%d.z.org:10.0.1.%d\n", i, i, i, i, i)
	}
	a, _ := ask(t, compiled(t, text), new(dns.Msg).SetQuestion("z.org.", dns.TypeMX), false)
	if a.Truncated || len(a.Answer) != 12 || len(a.Extra) < 8 || len(a.Extra)%2 != 0 {
		t.Errorf("512 bytes: TC %v, %d answers, %d additional; want 12 and whole sets", a.Truncated, len(a.Answer), len(a.Extra))
	}
}

// TestLocationsIPv6: the longest prefix in hexadecimal digits counts, then what
// is for all.
func TestLocationsIPv6(t *testing.T) {
	compile := func(all string) *Data {
		s := &table{}
		loc := func(key, lo string) { s.put([]byte(key), []byte(lo)) }
		loc("\x00%s20010db8", "a\x00")
		loc("\x00%s20010db80001", "b\x00")
		loc("\x00%s20010db8000000000000000000000001", "c\x00")
		if all != "" {
			loc("\x00%", all)
		}
		val := func(kind byte, lo, data string) []byte {
			return []byte("\x00" + string(kind) + ">" + lo + "\x00\x00\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00" + data)
		}
		for i, lo := range []string{"a\x00", "b\x00", "c\x00", "d\x00"} {
			s.put([]byte("\x01z\x00"), val(1, lo, "\x0a\x00\x00"+string(byte('0'+i))))
		}
		s.put([]byte("\x01z\x00"), []byte("\x00\x02=\x00\x00\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
		s.put([]byte("\x01z\x00"), []byte("\x00\x06=\x00\x00\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"+strings.Repeat("\x00", 20)))
		return open(t, s.finish())
	}
	for _, c := range []struct {
		from, all, want string
	}{
		{"2001:db8::1", "", "10.0.0.50"}, {"2001:db8:1::9", "", "10.0.0.49"}, {"2001:db8:2::1", "", "10.0.0.48"}, {"2001:db9::1", "d\x00", "10.0.0.51"}, {"2001:db9::1", "", ""}, {"192.0.2.1", "d\x00", "10.0.0.51"}, {"::ffff:192.0.2.1", "d\x00", "10.0.0.51"},
	} {
		var q dnswire.Query
		out, _ := New(Config{}).Answer(compile(c.all), nil, []byte(question[:12]+"\x01z\x00\x00\x01\x00\x01"), netip.MustParseAddr(c.from), false, time.Now(), &q)
		a := new(dns.Msg)
		if err := a.Unpack(out); err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(a.Answer) == 1 {
			got = a.Answer[0].(*dns.A).A.String()
		}
		if got != c.want {
			t.Errorf("%s with %q for all: %q; want %q", c.from, c.all, got, c.want)
		}
	}
}

// TestInvisibleParents: names whose own records nobody sees now, or not
// everybody, are empty non-terminals still.
func TestInvisibleParents(t *testing.T) {
	d := compiled(t, ".z.org:192.0.2.1:ns.z.org\n+ended.z.org:1.2.3.4:0:4000000000000001\n+a.ended.z.org:1.2.3.4\n+other.z.org:1.2.3.4:60::xx\n+a.other.z.org:1.2.3.4\n+*.w.z.org:1.2.3.4:60::xx\n")
	for name, want := range map[string]int{"ended.z.org.": 0, "other.z.org.": 0, "w.z.org.": 0, "b.ended.z.org.": 3, "b.w.z.org.": 3} {
		if a, _ := ask(t, d, new(dns.Msg).SetQuestion(name, dns.TypeA), false); a.Rcode != want || len(a.Answer) != 0 {
			t.Errorf("%s: %v; want rcode %d without answer", name, a, want)
		}
	}
}
