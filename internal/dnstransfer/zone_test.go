// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/dnswire"
	"quill/internal/racetest"
)

// source is data.cdb of these lines.
func source(t testing.TB, text string) *cdb.Map {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "data.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	w := cdb.NewWriter(f)
	if err := errors.Join(dnsdata.Compile(strings.NewReader(text), 7, w.Put), w.Finish(), f.Close()); err != nil {
		t.Fatal(err)
	}
	m, err := cdb.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

var here = Client{Addr: netip.MustParseAddr("192.0.2.9"), Now: time.Unix(1700000000, 0)}

// request packs a request for a zone.
func request(t testing.TB, zone string, change func(*dns.Msg)) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetAxfr(zone)
	m.Id = 4660
	if change != nil {
		change(m)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// messages are those that answer a request, as another program reads them.
func messages(t testing.TB, src Source, packet []byte, c Client, limit int) (all []*dns.Msg, left int, err error) {
	t.Helper()
	q, ok := Read(packet)
	if !ok || q.Wrong() != nil {
		t.Fatalf("Read(%x) = %v, %v", packet, q, ok)
	}
	left, err = q.send(src, c, limit, func(b []byte) error {
		pointersBelow(t, b)
		m := new(dns.Msg)
		if err := m.Unpack(b); err != nil {
			t.Fatalf("a message cannot be read: %v", err)
		}
		all = append(all, m)
		return nil
	})
	return all, left, err
}

// pointersBelow wants every pointer of owners to be within 14 bits and before
// itself.
func pointersBelow(t testing.TB, b []byte) {
	t.Helper()
	if len(b) > maxMessage {
		t.Fatalf("message of %d bytes", len(b))
	}
	at := afterQuestions(b)
	for range u16(b, 6) {
		owner, _, ok := name(b, at)
		h, ok2 := record(b, at)
		if !ok || !ok2 || len(owner) == 0 {
			t.Fatalf("record at %d cannot be read", at)
		}
		if _, ok := expand(b, h); !ok {
			t.Fatalf("data at %d cannot be read", h.at)
		}
		at = h.end
	}
}

// texts are the records of messages but for the first and last, which must be
// the SOA.
func texts(t testing.TB, all []*dns.Msg) []string {
	t.Helper()
	var out []string
	for i, m := range all {
		if (len(m.Question) == 1) != (i == 0) || m.Id != 4660 || !m.Response || !m.Authoritative {
			t.Errorf("header of message %d: %v", i, m.MsgHdr)
		}
		for _, rr := range m.Answer {
			out = append(out, strings.Join(strings.Fields(rr.String()), " "))
		}
	}
	if len(out) < 2 || out[0] != out[len(out)-1] || !strings.Contains(out[0], " SOA ") {
		t.Fatalf("not framed by SOA: %q", out)
	}
	return out[1 : len(out)-1]
}

const top = "Zex.test:ns.ex.test:h.ex.test:7\n&ex.test::ns.other:60\n"

// TestZone: what belongs to a zone, and what does not.
func TestZone(t *testing.T) {
	past, future := "4000000065530000", "4000000075540000"
	for _, c := range []struct {
		why, lines string
		want       []string
		left       int
	}{
		{"own data", "+a.ex.test:1.2.3.4:5\n@ex.test::m.ex.test:10:6\n'ex.test:hi:7\n", []string{"ex.test. 6 IN MX 10 m.ex.test.", `ex.test. 7 IN TXT "hi"`, "a.ex.test. 5 IN A 1.2.3.4"}, 0},
		{"no other zones", "+a.exx.test:1.2.3.4\n+test:1.2.3.4\n+aex.test:1.2.3.4\n+ex.test.org:1.2.3.4\n", nil, 0},
		{"wildcards as they are", "+*.ex.test:1.2.3.4:5\n+*.*.ex.test:1.2.3.5:5\n+ex.test:1.2.3.6:5\n", []string{"*.ex.test. 5 IN A 1.2.3.4", "ex.test. 5 IN A 1.2.3.6", "*.*.ex.test. 5 IN A 1.2.3.5"}, 0},
		{"duplicates once", "+a.ex.test:1.2.3.4:5\n+a.ex.test:1.2.3.5:5\n+a.ex.test:1.2.3.4:5\n", []string{"a.ex.test. 5 IN A 1.2.3.4", "a.ex.test. 5 IN A 1.2.3.5"}, 0},
		{"one TTL for a set", "+a.ex.test:1.2.3.4:5\n+b.ex.test:1.1.1.1:9\n+a.ex.test:1.2.3.5:3\n", []string{"a.ex.test. 3 IN A 1.2.3.4", "a.ex.test. 3 IN A 1.2.3.5", "b.ex.test. 9 IN A 1.1.1.1"}, 0},
		{"delegation with glue and what it hides (RFC 5936 section 3.5)", "&d.ex.test:1.1.1.1:ns.d.ex.test:5\n+hidden.d.ex.test:1.1.1.2:5\n", []string{"d.ex.test. 5 IN NS ns.d.ex.test.", "ns.d.ex.test. 5 IN A 1.1.1.1", "hidden.d.ex.test. 5 IN A 1.1.1.2"}, 0},
		{"of a child zone NS, DS and glue", ".c.ex.test:1.1.1.1:ns.c.ex.test:5\n+www.c.ex.test:1.1.1.2:5\n+c.ex.test:1.1.1.3:5\n+*.c.ex.test:1.1.1.3:5\n:c.ex.test:43:\\000\\001\\010\\001\\001:5\n",
			[]string{"c.ex.test. 5 IN NS ns.c.ex.test.", "c.ex.test. 5 IN DS 1 8 1 01", "ns.c.ex.test. 5 IN A 1.1.1.1"}, 0},
		{"a child that serves itself", ".c.ex.test:1.1.1.1:c.ex.test:5\n", []string{"c.ex.test. 5 IN NS c.ex.test.", "c.ex.test. 5 IN A 1.1.1.1"}, 0},
		{"nothing of a child's child", ".c.ex.test::ns.other:5\n&d.c.ex.test:1.1.1.1:ns.d.c.ex.test:5\n", []string{"c.ex.test. 5 IN NS ns.other."}, 0},
		{"a child below a delegation", "&d.ex.test::ns.other:5\n.c.d.ex.test:1.1.1.1:ns.c.d.ex.test:5\n+x.c.d.ex.test:1.1.1.1:5\n", []string{"d.ex.test. 5 IN NS ns.other.", "c.d.ex.test. 5 IN NS ns.c.d.ex.test.", "ns.c.d.ex.test. 5 IN A 1.1.1.1"}, 0},
		{"SOA without NS is no child", "Zc.ex.test:a:b:1\n+c.ex.test:1.1.1.1:5\n", []string{"c.ex.test. 5 IN A 1.1.1.1"}, 0},
		{"times", "+a.ex.test:1.1.1.1:5:" + past + "\n+b.ex.test:1.1.1.1:5:" + future + "\n+c.ex.test:1.1.1.1:0:" + past + "\n+d.ex.test:1.1.1.1:0:" + future + "\n", []string{"a.ex.test. 5 IN A 1.1.1.1", "d.ex.test. 3600 IN A 1.1.1.1"}, 0},
		{"locations", "%in:192.0\n%no:10\n+a.ex.test:1.1.1.1:5::in\n+b.ex.test:1.1.1.1:5::no\n", []string{"a.ex.test. 5 IN A 1.1.1.1"}, 0},
		{"a hidden first value", "%no:10\n+a.ex.test:1.1.1.1:5::no\n+a.ex.test:1.1.1.2:5\n", []string{"a.ex.test. 5 IN A 1.1.1.2"}, 0},
		{"data that no type wants", ":a.ex.test:28:x\n:a.ex.test:1:x\n:b.ex.test:255:x\n:b.ex.test:41:x\n:c.ex.test:33:xxxxxxxx:5\n+d.ex.test:1.1.1.1:5\n", []string{"d.ex.test. 5 IN A 1.1.1.1"}, 5},
		{"second SOA", "Zex.test:x:y:8\n", nil, 0},
		{"case of data", "Cw.ex.test:Host.EX.test:5\n", []string{"w.ex.test. 5 IN CNAME Host.ex.test."}, 0},
	} {
		all, left, err := messages(t, source(t, top+c.lines), request(t, "ex.test.", nil), here, target)
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		got := texts(t, all)
		want := append([]string{}, c.want...)
		got = slices.DeleteFunc(got, func(s string) bool { return s == "ex.test. 60 IN NS ns.other." })
		slices.Sort(got)
		slices.Sort(want)
		if !slices.EqualFunc(got, want, strings.EqualFold) || left != c.left {
			t.Errorf("%s: zone is\n%s\n%d left out; want\n%s\n%d", c.why, strings.Join(got, "\n"), left, strings.Join(want, "\n"), c.left)
		}
	}
}

// TestLocation: the longest prefix of a client's address decides.
func TestLocation(t *testing.T) {
	src := source(t, top+"%aa:192\n%bb:192.0.2\n/cc:20010db8\n%dd\n+a.ex.test:1.1.1.1:5::aa\n+b.ex.test:1.1.1.1:5::bb\n+c.ex.test:1.1.1.1:5::cc\n+d.ex.test:1.1.1.1:5::dd\n")
	for from, want := range map[string]string{"192.0.2.1": "b", "192.1.2.3": "a", "::ffff:192.1.2.3": "a", "10.0.0.1": "d", "2001:db8::1": "c", "2001:db9::1": "d"} {
		all, _, err := messages(t, src, request(t, "ex.test.", nil), Client{netip.MustParseAddr(from), here.Now}, target)
		if got := texts(t, all); err != nil || len(got) != 2 || !strings.HasPrefix(got[1], want+".ex.test.") {
			t.Errorf("%s sees %q, %v; want %s", from, got, err, want)
		}
	}
}

// TestNoZone: what is no zone of ours.
func TestNoZone(t *testing.T) {
	src := source(t, top+"+nosoa.test:1.2.3.4\n&ns.test::a.b\nZsoa.test:a:b\n.hid.test::a.b:5::no\n%no:10\n")
	for _, zone := range []string{"other.", "test.", "a.ex.test.", "nosoa.test.", "ns.test.", "soa.test.", "hid.test.", "."} {
		if all, _, err := messages(t, src, request(t, zone, nil), here, target); !errors.Is(err, ErrNoZone) || len(all) > 0 {
			t.Errorf("transfer of %s: %v and %d messages; want ErrNoZone and none", zone, err, len(all))
		}
	}
	if all, _, err := messages(t, source(t, "Z.:a:b:1\n&.::a.b:5\n+x.y:1.2.3.4:5\n"), request(t, ".", nil), here, target); err != nil || len(texts(t, all)) != 2 {
		t.Errorf("transfer of the root: %v", err)
	}
}

// TestDN20: a zone of 10^5 records in messages as long as they can be: no
// pointer passes 14 bits, and another program reads every record right.
func TestDN20(t *testing.T) {
	var b strings.Builder
	b.WriteString(top)
	n := racetest.Fewer(100000)
	want := make(map[string]bool, n)
	for i := range n {
		host := fmt.Sprintf("host%06d.some-longer-label-%d.ex.test", i, i%977)
		if i%2 == 0 {
			fmt.Fprintf(&b, "C%s:target%d.elsewhere-%d.org:5\n", host, i%5000, i)
		} else {
			fmt.Fprintf(&b, "@%s::mail%d.%s:%d:5\n", host, i, host, i%65536)
		}
		want[host+"."] = true
	}
	src := source(t, b.String())
	for _, limit := range []int{target, maxMessage} {
		all, left, err := messages(t, src, request(t, "ex.test.", nil), here, limit)
		if err != nil || left != 0 {
			t.Fatalf("limit %d: %v, %d left", limit, err, left)
		}
		seen := 0
		for _, m := range all {
			for _, rr := range m.Answer {
				ok := false
				switch rr := rr.(type) {
				case *dns.CNAME:
					ok = strings.HasPrefix(rr.Target, "target") && strings.HasSuffix(rr.Target, fmt.Sprintf(".elsewhere-%s.org.", strings.TrimLeft(rr.Hdr.Name[4:10], "0")+zero(rr.Hdr.Name[4:10])))
				case *dns.MX:
					ok = strings.HasSuffix(rr.Mx, "."+rr.Hdr.Name)
				default:
					continue
				}
				if !ok || !want[rr.Header().Name] {
					t.Fatalf("limit %d: %v", limit, rr)
				}
				seen++
			}
		}
		if seen != n {
			t.Errorf("limit %d: %d records; want %d", limit, seen, n)
		}
	}
}

func zero(s string) string {
	if strings.Trim(s, "0") == "" {
		return "0"
	}
	return ""
}

// TestLongRecords: a record longer than a message usually is gets one of its
// own, one that has no room in any is left out.
func TestLongRecords(t *testing.T) {
	long := func(n int) string { return ":l.ex.test:65400:" + strings.Repeat("x", n) + ":5\n" }
	for n, left := range map[int]int{100: 0, target: 0, maxMessage - 40: 0, maxMessage: 1, 65535: 1} {
		all, got, err := messages(t, source(t, top+long(n)+"+a.ex.test:1.1.1.1\n"), request(t, "ex.test.", nil), here, target)
		if err != nil || got != left || len(texts(t, all)) != 3-left {
			t.Errorf("record of %d bytes: %v, %d left out; want %d", n, err, got, left)
		}
	}
}

// TestIXFR: a client with the serial number of ours or a later one gets it
// alone, others the zone (RFC 1995).
func TestIXFR(t *testing.T) {
	src := source(t, top+"+a.ex.test:1.1.1.1\n")
	for serial, records := range map[uint32]int{7: 1, 8: 1, 6: 4, 0: 4, 7 + 1<<31 - 1: 1, 7 + 1<<31 + 1: 4} {
		packet := request(t, "ex.test.", func(m *dns.Msg) { m.SetIxfr("ex.test.", serial, "a.ex.test.", "b.ex.test."); m.Id = 4660 })
		all, _, err := messages(t, src, packet, here, target)
		if err != nil || len(all) != 1 || len(all[0].Answer) != records || all[0].Question[0].Qtype != dns.TypeIXFR {
			t.Errorf("IXFR from %d: %v %v; want %d records", serial, err, all, records)
		}
	}
}

// TestRead: what is a request, and which are refused.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		why    string
		packet []byte
		is     bool
		rcode  int
	}{
		{"AXFR", request(t, "ex.test.", nil), true, -1},
		{"with EDNS", request(t, "ex.test.", func(m *dns.Msg) { m.SetEdns0(1232, false) }), true, -1},
		{"EDNS of another version", request(t, "ex.test.", func(m *dns.Msg) { m.SetEdns0(1232, false); m.IsEdns0().SetVersion(1) }), true, dns.RcodeBadVers},
		{"two OPT", request(t, "ex.test.", func(m *dns.Msg) { m.SetEdns0(1232, false); m.SetEdns0(1232, false) }), true, dns.RcodeFormatError},
		{"IXFR without SOA", request(t, "ex.test.", func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeIXFR }), true, dns.RcodeFormatError},
		{"class CH", request(t, "ex.test.", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), true, dns.RcodeRefused},
		{"TC", request(t, "ex.test.", func(m *dns.Msg) { m.Truncated = true }), true, dns.RcodeFormatError},
		{"garbage behind", append(request(t, "ex.test.", nil), 0), true, dns.RcodeFormatError},
		{"SOA", request(t, "ex.test.", func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeSOA }), false, 0},
		{"answer", request(t, "ex.test.", func(m *dns.Msg) { m.Response = true }), false, 0},
		{"NOTIFY", request(t, "ex.test.", func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), false, 0},
		{"two questions", request(t, "ex.test.", func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }), false, 0},
		{"no question", request(t, "ex.test.", func(m *dns.Msg) { m.Question = nil }), false, 0},
		{"short", []byte{1, 2, 3}, false, 0},
	} {
		q, is := Read(c.packet)
		if is != c.is {
			t.Errorf("%s: Read = %v; want %v", c.why, is, c.is)
		}
		if !is {
			continue
		}
		rcode := -1
		if wrong := q.Wrong(); wrong != nil {
			rcode = unpack(t, wrong).Rcode
		}
		if rcode != c.rcode {
			t.Errorf("%s: refused with %d; want %d", c.why, rcode, c.rcode)
		}
	}
	q, _ := Read(request(t, "Ex.test.", func(m *dns.Msg) { m.SetEdns0(1232, true) }))
	m := unpack(t, q.Prohibited())
	if e, ok := m.IsEdns0().Option[0].(*dns.EDNS0_EDE); !ok || e.InfoCode != dns.ExtendedErrorCodeProhibited || m.Rcode != dns.RcodeRefused || m.Question[0].Name != "Ex.test." || !m.IsEdns0().Do() {
		t.Errorf("Prohibited() = %v", m)
	}
	if m := unpack(t, q.NotOurs()); m.Rcode != dns.RcodeNotAuth {
		t.Errorf("NotOurs() = %v", m)
	}
}

func unpack(t testing.TB, b []byte) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return m
}

// TestNotify: the message as another program reads it, and which answers count.
func TestNotify(t *testing.T) {
	zone, _ := dnswire.Name("ex.test")
	msg, serial, err := Notify(77, source(t, top), zone, here)
	if err != nil || serial != 7 {
		t.Fatalf("Notify: %d, %v", serial, err)
	}
	m := unpack(t, msg)
	if m.Opcode != dns.OpcodeNotify || !m.Authoritative || m.Response || m.Id != 77 || m.Question[0] != (dns.Question{Name: "ex.test.", Qtype: dns.TypeSOA, Qclass: dns.ClassINET}) || m.Answer[0].(*dns.SOA).Serial != 7 {
		t.Errorf("Notify() = %v", m)
	}
	for _, c := range []struct {
		why    string
		change func(*dns.Msg)
		rcode  int
		ok     bool
	}{
		{"answer", func(*dns.Msg) {}, 0, true},
		{"refusal", func(m *dns.Msg) { m.Rcode = dns.RcodeRefused }, 5, true},
		{"error without question", func(m *dns.Msg) { m.Rcode = dns.RcodeNotImplemented; m.Question = nil }, 4, true},
		{"yes without question", func(m *dns.Msg) { m.Question = nil }, 0, false},
		{"other case", func(m *dns.Msg) { m.Question[0].Name = "EX.test." }, 0, true},
		{"other zone", func(m *dns.Msg) { m.Question[0].Name = "ey.test." }, 0, false},
		{"other id", func(m *dns.Msg) { m.Id++ }, 0, false},
		{"question", func(m *dns.Msg) { m.Response = false }, 0, false},
		{"answer to a query", func(m *dns.Msg) { m.Opcode = dns.OpcodeQuery }, 0, false},
	} {
		r := unpack(t, msg)
		r.SetReply(unpack(t, msg))
		r.Opcode = dns.OpcodeNotify
		c.change(r)
		b, _ := r.Pack()
		if rcode, ok := Notified(msg, b); ok != c.ok || ok && rcode != c.rcode {
			t.Errorf("%s: Notified = %d, %v; want %d, %v", c.why, rcode, ok, c.rcode, c.ok)
		}
	}
	if _, _, err := Notify(1, source(t, "+ex.test:1.2.3.4\n"), zone, here); !errors.Is(err, ErrNoZone) {
		t.Errorf("Notify of no zone: %v", err)
	}
}

// BenchmarkSend: a zone of 10^5 hosts.
func BenchmarkSend(b *testing.B) {
	var text strings.Builder
	text.WriteString(top)
	for i := range 100000 {
		fmt.Fprintf(&text, "+host%d.l%d.ex.test:1.2.3.4\n", i, i%100)
	}
	src := source(b, text.String())
	q, _ := Read(request(b, "ex.test.", nil))
	b.ResetTimer()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if _, err := q.Send(src, here, func(m []byte) error { n += len(m); return nil }); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(n))
	}
}
