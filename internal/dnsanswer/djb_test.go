// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnswire"
)

// TestLikeDJB: what is peculiar to djb's answers; that they are djb's to the
// byte is TestPeerQuestions' business.
func TestLikeDJB(t *testing.T) {
	text := zoneText + "'long.testingsmtp.org:" + strings.Repeat("x", 600) + "\n"
	for i := range 20 {
		text += fmt.Sprintf("+twenty.testingsmtp.org:10.0.0.%d:%d\n", i, 100+i)
	}
	d, c := compiled(t, text), New(Config{DJB: true, NSID: []byte("x"), Cookies: dnswire.NewCookies([16]byte{1})})
	const soa = "testingsmtp.org. 2560 IN SOA ns.testingsmtp.org. hostmaster.testingsmtp.org. 7 16384 2048 1048576 2560"
	const ns = "testingsmtp.org. 3600 IN NS ns.testingsmtp.org."
	const nsA = "ns.testingsmtp.org. 3600 IN A 127.0.0.206; ns.testingsmtp.org. 3600 IN A 127.0.0.206" // of two lines
	for _, q := range []struct {
		name, kind   string
		class        uint16
		tcp          bool
		flags        string // of the answer, in hexadecimal; empty: silence
		status       Status
		answer, auth string
		more         string
	}{
		{"mail.testingsmtp.org.", "A", 1, false, "8500", '+', "mail.testingsmtp.org. 3600 IN A 127.0.0.206", ns, nsA},
		{"MAIL.testingsmtp.org.", "A", 1, false, "8500", '+', "MAIL.testingsmtp.org. 3600 IN A 127.0.0.206", "testingsmtp.org. 3600 IN NS ns.testingsmtp.org.", nsA},
		{"testingsmtp.org.", "MX", 1, false, "8500", '+', "testingsmtp.org. 3600 IN MX 10 mail.testingsmtp.org.; testingsmtp.org. 3600 IN MX 20 mail6.testingsmtp.org.", ns, "mail.testingsmtp.org. 3600 IN A 127.0.0.206; " + nsA},
		{"b.testingsmtp.org.", "A", 1, false, "8503", '+', "", soa, ""},
		{"y.sub.w.testingsmtp.org.", "A", 1, false, "8500", '+', "y.sub.w.testingsmtp.org. 86400 IN A 1.2.3.5", ns, nsA},
		{"www.testingsmtp.org.", "A", 1, false, "8500", '+', "www.testingsmtp.org. 60 IN CNAME mail.testingsmtp.org.", ns, nsA},
		{"x.del.testingsmtp.org.", "A", 1, false, "8100", '+', "", "del.testingsmtp.org. 259200 IN NS ns.del.testingsmtp.org.", "ns.del.testingsmtp.org. 259200 IN A 1.2.3.7"},
		{"many.testingsmtp.org.", "A", 1, false, "8500", '+', "many.testingsmtp.org. 86400 IN A 1.0.0.1; many.testingsmtp.org. 86400 IN A 1.0.0.1", ns, nsA},
		{"least.short.example.", "A", 1, false, "8500", '+', "least.short.example. 30 IN A 1.2.3.4; least.short.example. 30 IN A 1.2.3.5", "short.example. 259200 IN NS ns.short.example.", "ns.short.example. 259200 IN A 1.2.3.9"},
		{"no.short.example.", "A", 1, false, "8503", '+', "", strings.Replace("short.example. 300 IN SOA ns.short.example. root.short.example. 9 16384 2048 1048576 300", "300", "3600", 1), ""},
		{"mail.testingsmtp.org.", "A", 3, false, "8181", 'C', "", "", ""},
		{"mail.testingsmtp.org.", "A", 255, false, "8100", '+', "mail.testingsmtp.org. 3600 IN A 127.0.0.206", ns, nsA},
		{"mail.testingsmtp.org.", "A", 255, true, "8500", '+', "mail.testingsmtp.org. 3600 IN A 127.0.0.206", ns, nsA},
		{"testingsmtp.org.", "AXFR", 1, false, "8504", 'I', "", "", ""},
		{"testingsmtp.org.", "AXFR", 1, true, "", 'I', "", "", ""},
		{"mail.testingsmtp.org.", "A", 3, true, "", '/', "", "", ""},
		{"www.elsewhere.example.", "A", 1, false, "", '-', "", "", ""},
		{"long.testingsmtp.org.", "TXT", 1, true, "8500", '+', `long.testingsmtp.org. 86400 IN TXT "` + strings.Join(slicesOf(strings.Repeat("x", 600), 127), `" "`) + `"`, "", ""},
	} {
		m := new(dns.Msg).SetQuestion(q.name, dns.StringToType[q.kind])
		m.Question[0].Qclass = q.class
		m.SetEdns0(4096, true)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var query dnswire.Query
		out, status := c.Answer(d, nil, b, localhost, q.tcp, time.Now(), &query)
		if status != q.status || (len(out) == 0) != (q.flags == "") {
			t.Errorf("%s %s: %x %c; want %c", q.name, q.kind, out, status, q.status)
			continue
		}
		if len(out) == 0 {
			continue
		}
		a := new(dns.Msg)
		if err := a.Unpack(out); err != nil {
			t.Errorf("%s %s: %v", q.name, q.kind, err)
			continue
		}
		if flags := fmt.Sprintf("%x", out[2:4]); flags != q.flags || section(a.Answer) != q.answer || !strings.EqualFold(section(a.Ns), q.auth) || !strings.EqualFold(section(a.Extra), q.more) || a.IsEdns0() != nil {
			t.Errorf("%s %s = %s, want %s\n answer %q; want %q\n authority %q; want %q\n additional %q; want %q", q.name, q.kind, flags, q.flags, section(a.Answer), q.answer, section(a.Ns), q.auth, section(a.Extra), q.more)
		}
	}
	var q dnswire.Query
	out, _ := c.Answer(d, nil, packetFor(t, "long.testingsmtp.org", dnswire.TypeTXT, ""), localhost, false, time.Now(), &q)
	if out[2]&2 == 0 || out[7] != 1 || !q.Truncated || len(out) != len(packetFor(t, "long.testingsmtp.org", dnswire.TypeTXT, "")) {
		t.Errorf("long TXT over UDP: %x; want TC, a count of 1 and no record", out)
	}
	out, _ = c.Answer(d, nil, packetFor(t, "twenty.testingsmtp.org", dnswire.TypeA, ""), localhost, false, time.Now(), &q)
	a := new(dns.Msg)
	if err := a.Unpack(out); err != nil || len(a.Answer) != djbAddresses || a.Answer[0].Header().Ttl != 119 || a.Answer[7].Header().Ttl != 119 {
		t.Errorf("20 addresses: %v, %v; want 8 with the TTL of the last", a, err)
	}
}

// slicesOf cuts a text.
func slicesOf(s string, n int) (out []string) {
	for len(s) > n {
		out, s = append(out, s[:n]), s[n:]
	}
	return append(out, s)
}

// TestBehind: an answer is appended to what is there, and is the same there.
func TestBehind(t *testing.T) {
	d, now := compiled(t, zoneText), time.Now()
	for _, cfg := range []Config{{}, {DJB: true}} {
		c := New(cfg)
		for _, u := range usual {
			for _, tcp := range []bool{false, true} {
				packet := packetFor(t, u.host, u.kind, optRecord)
				var q dnswire.Query
				alone, status := c.Answer(d, nil, packet, localhost, tcp, now, &q)
				alone = append([]byte(nil), alone...)
				behind, status2 := c.Answer(d, []byte("to"), packet, localhost, tcp, now, &q)
				if string(behind) != "to"+string(alone) || status != status2 {
					t.Errorf("%s, djb %v: behind two bytes %x %c; want 746f%x %c", u.name, cfg.DJB, behind, status2, alone, status)
				}
			}
		}
	}
}
