// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// table is the bytes of a cdb that is made in memory.
type table struct {
	b       []byte
	entries [256][][2]uint32 // hash, place
}

func (s *table) put(key, val []byte) {
	if s.b == nil {
		s.b = make([]byte, cdbHeader)
	}
	h := cdb.Hash(key)
	s.entries[h&255] = append(s.entries[h&255], [2]uint32{h, uint32(len(s.b))})
	s.b = binary.LittleEndian.AppendUint32(s.b, uint32(len(key)))
	s.b = binary.LittleEndian.AppendUint32(s.b, uint32(len(val)))
	s.b = append(append(s.b, key...), val...)
}

// finish writes the tables, as cdb has them.
func (s *table) finish() []byte {
	if s.b == nil {
		s.b = make([]byte, cdbHeader)
	}
	for i, all := range s.entries {
		slots := make([][2]uint32, 2*len(all))
		last := make(map[uint32]int) // where the last of a hash went
		for _, e := range all {
			at, again := last[e[0]]
			if !again {
				at = int(e[0]>>8) % len(slots)
			}
			for slots[at][1] != 0 {
				at = (at + 1) % len(slots)
			}
			slots[at], last[e[0]] = e, at
		}
		binary.LittleEndian.PutUint32(s.b[i*8:], uint32(len(s.b)))
		binary.LittleEndian.PutUint32(s.b[i*8+4:], uint32(len(slots)))
		for _, e := range slots {
			s.b = binary.LittleEndian.AppendUint32(s.b, e[0])
			s.b = binary.LittleEndian.AppendUint32(s.b, e[1])
		}
	}
	return s.b
}

// bytes is a source in memory.
type memory []byte

func (m memory) Bytes() []byte { return m }

const zoneText = `# the lecture's zone and some corners
.testingsmtp.org:127.0.0.206:ns.testingsmtp.org:3600
@testingsmtp.org::mail.testingsmtp.org:10:3600
=mail.testingsmtp.org:127.0.0.206:3600
:mail6.testingsmtp.org:28:\040\001\015\270\000\000\000\000\000\000\000\000\000\000\000\001:3600
@testingsmtp.org::mail6.testingsmtp.org:20:3600
.0.0.127.in-addr.arpa:127.0.0.206:ns.testingsmtp.org:3600
Cwww.testingsmtp.org:mail.testingsmtp.org:60
Cout.testingsmtp.org:www.elsewhere.example:60
Cloop.testingsmtp.org:loop.testingsmtp.org:60
+ent.a.b.testingsmtp.org:1.2.3.4
+*.w.testingsmtp.org:1.2.3.5
+sub.w.testingsmtp.org:1.2.3.6
&del.testingsmtp.org:1.2.3.7:ns.del.testingsmtp.org
+many.testingsmtp.org:1.0.0.1
+many.testingsmtp.org:1.0.0.1
'txt.testingsmtp.org:hello\072 world
+ended.testingsmtp.org:1.2.3.8:0:4000000000000001
+soon.testingsmtp.org:1.2.3.8:60:4fffffff00000000
%in:127
+split.testingsmtp.org:10.0.0.1:60::in
+split.testingsmtp.org:10.0.0.2:60::ex
S_smtp._tcp.testingsmtp.org::mail6.testingsmtp.org:25:1:2:60
Zshort.example:ns.short.example:root.short.example:9::::300:3600
&short.example:1.2.3.9:ns.short.example
'short.example:a text that takes more room than an address
+short.example:1.2.3.4
+huge.short.example:1.2.3.4:4294967295
+least.short.example:1.2.3.4:60
+least.short.example:1.2.3.5:30
&cut.short.example:1.2.3.10:ns.cut.short.example
&low.cut.short.example:1.2.3.11:ns.low.cut.short.example
Cone.short.example:two.short.example:60
Ctwo.short.example:one.short.example:60
Cin.short.example:host.cut.short.example:60
C*.wc.short.example:short.example:60
`

// database is text compiled into the bytes of a cdb.
func database(t testing.TB, text string) []byte {
	t.Helper()
	s := &table{}
	if err := dnsdata.Compile(strings.NewReader(text), 7, func(k, v []byte) error { s.put(k, v); return nil }); err != nil {
		t.Fatal(err)
	}
	return s.finish()
}

func open(t testing.TB, b []byte) *Data {
	t.Helper()
	d, err := Open(memory(b))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func compiled(t testing.TB, text string) *Data {
	t.Helper()
	return open(t, database(t, text))
}

var localhost = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// say is the answer of a new composer to a packet from localhost now.
func say(d *Data, packet string, tcp bool, q *dnswire.Query) ([]byte, Status) {
	return New(Config{}).Answer(d, nil, []byte(packet), localhost, tcp, time.Now(), q)
}

// ask puts a question and reads the answer with another library.
func ask(t testing.TB, d *Data, m *dns.Msg, tcp bool) (*dns.Msg, Status) {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var q dnswire.Query
	out, status := say(d, string(b), tcp, &q)
	if out == nil {
		return nil, status
	}
	a := new(dns.Msg)
	if err := a.Unpack(out); err != nil {
		t.Fatalf("answer to %v cannot be read: %v", m.Question, err)
	}
	return a, status
}

func section(rrs []dns.RR) string {
	var out []string
	for _, r := range rrs {
		if r.Header().Rrtype != dns.TypeOPT {
			out = append(out, strings.Join(strings.Fields(r.String()), " "))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// TestAnswers (DN14): wildcards, empty non-terminals, aliases, delegations, and
// what there is not.
func TestAnswers(t *testing.T) {
	d := compiled(t, zoneText)
	const soa = "testingsmtp.org. 2560 IN SOA ns.testingsmtp.org. hostmaster.testingsmtp.org. 7 16384 2048 1048576 2560"
	const short = "short.example. 300 IN SOA ns.short.example. root.short.example. 9 16384 2048 1048576 300"
	for _, c := range []struct {
		name, kind, rcode  string
		answer, auth, more string
	}{
		{"mail.testingsmtp.org.", "A", "NOERROR", "mail.testingsmtp.org. 3600 IN A 127.0.0.206", "", ""},
		{"MAIL.testingSMTP.org.", "A", "NOERROR", "MAIL.testingSMTP.org. 3600 IN A 127.0.0.206", "", ""},
		{"mail.testingsmtp.org.", "AAAA", "NOERROR", "", soa, ""},
		{"206.0.0.127.in-addr.arpa.", "PTR", "NOERROR", "206.0.0.127.in-addr.arpa. 3600 IN PTR mail.testingsmtp.org.", "", ""},
		{"testingsmtp.org.", "MX", "NOERROR", "testingsmtp.org. 3600 IN MX 10 mail.testingsmtp.org.; testingsmtp.org. 3600 IN MX 20 mail6.testingsmtp.org.", "", "mail.testingsmtp.org. 3600 IN A 127.0.0.206; mail6.testingsmtp.org. 3600 IN AAAA 2001:db8::1"},
		{"testingsmtp.org.", "SOA", "NOERROR", soa, "", ""},
		{"testingsmtp.org.", "NS", "NOERROR", "testingsmtp.org. 3600 IN NS ns.testingsmtp.org.", "", "ns.testingsmtp.org. 3600 IN A 127.0.0.206"},
		{"nosuch.testingsmtp.org.", "A", "NXDOMAIN", "", soa, ""},
		{"b.testingsmtp.org.", "A", "NOERROR", "", soa, ""},
		{"a.b.testingsmtp.org.", "A", "NOERROR", "", soa, ""},
		{"c.b.testingsmtp.org.", "A", "NXDOMAIN", "", soa, ""},
		{"x.w.testingsmtp.org.", "A", "NOERROR", "x.w.testingsmtp.org. 86400 IN A 1.2.3.5", "", ""},
		{"x.y.w.testingsmtp.org.", "A", "NOERROR", "x.y.w.testingsmtp.org. 86400 IN A 1.2.3.5", "", ""},
		{"x.w.testingsmtp.org.", "MX", "NOERROR", "", soa, ""},
		{"w.testingsmtp.org.", "A", "NOERROR", "", soa, ""},
		{"y.sub.w.testingsmtp.org.", "A", "NXDOMAIN", "", soa, ""},
		{"www.testingsmtp.org.", "A", "NOERROR", "mail.testingsmtp.org. 3600 IN A 127.0.0.206; www.testingsmtp.org. 60 IN CNAME mail.testingsmtp.org.", "", ""},
		{"www.testingsmtp.org.", "CNAME", "NOERROR", "www.testingsmtp.org. 60 IN CNAME mail.testingsmtp.org.", "", ""},
		{"www.testingsmtp.org.", "AAAA", "NOERROR", "www.testingsmtp.org. 60 IN CNAME mail.testingsmtp.org.", soa, ""},
		{"out.testingsmtp.org.", "A", "NOERROR", "out.testingsmtp.org. 60 IN CNAME www.elsewhere.example.", "", ""},
		{"x.del.testingsmtp.org.", "A", "NOERROR", "", "del.testingsmtp.org. 259200 IN NS ns.del.testingsmtp.org.", "ns.del.testingsmtp.org. 259200 IN A 1.2.3.7"},
		{"del.testingsmtp.org.", "DS", "NOERROR", "", soa, ""},
		{"many.testingsmtp.org.", "A", "NOERROR", "many.testingsmtp.org. 86400 IN A 1.0.0.1", "", ""},
		{"txt.testingsmtp.org.", "TXT", "NOERROR", `txt.testingsmtp.org. 86400 IN TXT "hello: world"`, "", ""},
		{"ended.testingsmtp.org.", "A", "NXDOMAIN", "", soa, ""},
		{"soon.testingsmtp.org.", "A", "NXDOMAIN", "", soa, ""},
		{"split.testingsmtp.org.", "A", "NOERROR", "split.testingsmtp.org. 60 IN A 10.0.0.1", "", ""},
		{"mail.testingsmtp.org.", "ANY", "NOERROR", "mail.testingsmtp.org. 3600 IN A 127.0.0.206", "", ""},
		{"_tcp.testingsmtp.org.", "SRV", "NOERROR", "", soa, ""},
		{"_smtp._tcp.testingsmtp.org.", "SRV", "NOERROR", "_smtp._tcp.testingsmtp.org. 60 IN SRV 1 2 25 mail6.testingsmtp.org.", "", "mail6.testingsmtp.org. 3600 IN AAAA 2001:db8::1"},
		{"*.w.testingsmtp.org.", "A", "NOERROR", "*.w.testingsmtp.org. 86400 IN A 1.2.3.5", "", ""},
		{"no.short.example.", "A", "NXDOMAIN", "", short, ""},
		{"short.example.", "SOA", "NOERROR", strings.Replace(short, "300", "3600", 1), "", ""},
		{"short.example.", "DS", "NOERROR", "", short, ""},
		{"short.example.", "ANY", "NOERROR", "short.example. 86400 IN A 1.2.3.4", "", ""},
		{"huge.short.example.", "A", "NOERROR", "huge.short.example. 2147483647 IN A 1.2.3.4", "", ""},
		{"least.short.example.", "A", "NOERROR", "least.short.example. 30 IN A 1.2.3.4; least.short.example. 30 IN A 1.2.3.5", "", ""},
		{"x.low.cut.short.example.", "A", "NOERROR", "", "cut.short.example. 259200 IN NS ns.cut.short.example.", "ns.cut.short.example. 259200 IN A 1.2.3.10"},
		{"cut.short.example.", "NS", "NOERROR", "", "cut.short.example. 259200 IN NS ns.cut.short.example.", "ns.cut.short.example. 259200 IN A 1.2.3.10"},
		{"one.short.example.", "A", "NOERROR", "one.short.example. 60 IN CNAME two.short.example.; two.short.example. 60 IN CNAME one.short.example.", "", ""},
		{"in.short.example.", "A", "NOERROR", "in.short.example. 60 IN CNAME host.cut.short.example.", "", ""},
		{"a.b.wc.short.example.", "A", "NOERROR", "a.b.wc.short.example. 60 IN CNAME short.example.; short.example. 86400 IN A 1.2.3.4", "", ""},
		{"www.elsewhere.example.", "A", "REFUSED", "", "", ""},
		{".", "NS", "REFUSED", "", "", ""},
		{"testingsmtp.org.", "AXFR", "REFUSED", "", "", ""},
	} {
		m := new(dns.Msg).SetQuestion(c.name, dns.StringToType[c.kind])
		a, _ := ask(t, d, m, false)
		if dns.RcodeToString[a.Rcode] != c.rcode || section(a.Answer) != c.answer || section(a.Ns) != c.auth || section(a.Extra) != c.more || a.Id != m.Id || a.Question[0] != m.Question[0] {
			t.Errorf("%s %s = %s\n answer %q; want %q\n authority %q; want %q\n additional %q; want %q", c.name, c.kind, dns.RcodeToString[a.Rcode], section(a.Answer), c.answer, section(a.Ns), c.auth, section(a.Extra), c.more)
		}
		if want := c.rcode != "REFUSED" && !strings.HasSuffix(c.name, ".del.testingsmtp.org.") && !strings.HasSuffix(c.name, "cut.short.example."); a.Authoritative != want {
			t.Errorf("%s %s: AA %v; want %v", c.name, c.kind, a.Authoritative, want)
		}
	}
}

// TestLoopEnds (DN14): aliases in a ring end.
func TestLoopEnds(t *testing.T) {
	a, _ := ask(t, compiled(t, zoneText), new(dns.Msg).SetQuestion("loop.testingsmtp.org.", dns.TypeA), false)
	if a.Rcode != dns.RcodeSuccess || len(a.Answer) > maxChase {
		t.Errorf("CNAME loop: %v, %d records", a.Rcode, len(a.Answer))
	}
	text := ".c.org:1.2.3.4:ns.c.org\n"
	for i := range 20 {
		text += fmt.Sprintf("C%d.c.org:%d.c.org\n", i, i+1)
	}
	a, _ = ask(t, compiled(t, text), new(dns.Msg).SetQuestion("0.c.org.", dns.TypeA), false)
	if a.Rcode != dns.RcodeSuccess || len(a.Answer) != maxChase {
		t.Errorf("CNAME chain: %v, %d records; want %d", a.Rcode, len(a.Answer), maxChase)
	}
}

func TestTruncation(t *testing.T) {
	text := ".big.org:1.2.3.4:ns.big.org\n"
	for i := range 100 {
		text += fmt.Sprintf("+big.org:10.0.0.%d\n", i)
	}
	d := compiled(t, text)
	m := new(dns.Msg).SetQuestion("big.org.", dns.TypeA)
	a, _ := ask(t, d, m, false)
	if !a.Truncated || len(a.Answer)+len(a.Ns)+len(a.Extra) != 0 {
		t.Errorf("512 bytes: TC %v, %d records; want TC and none", a.Truncated, len(a.Answer))
	}
	if a, _ = ask(t, d, m, true); a.Truncated || len(a.Answer) != 100 {
		t.Errorf("TCP: TC %v, %d records; want 100", a.Truncated, len(a.Answer))
	}
	m.SetEdns0(4096, false)
	if a, _ = ask(t, d, m, false); !a.Truncated || a.IsEdns0() == nil {
		t.Errorf("EDNS 4096: TC %v; want TC, for we send at most %d", a.Truncated, dnswire.MaxUDP)
	}
}

func TestEDNS(t *testing.T) {
	d := compiled(t, zoneText)
	m := new(dns.Msg).SetQuestion("mail.testingsmtp.org.", dns.TypeA)
	m.SetEdns0(1232, true)
	if a, _ := ask(t, d, m, false); a.IsEdns0() == nil || a.IsEdns0().UDPSize() != dnswire.MaxUDP {
		t.Errorf("EDNS question: OPT %v", a.IsEdns0())
	}
	m.IsEdns0().SetVersion(1)
	if a, _ := ask(t, d, m, false); a.Rcode != dns.RcodeBadVers || len(a.Answer) != 0 {
		t.Errorf("EDNS version 1: %v; want BADVERS", a.Rcode)
	}
	m = new(dns.Msg).SetQuestion("x.example.", dns.TypeA)
	m.SetEdns0(1232, false)
	a, _ := ask(t, d, m, false)
	if o := a.IsEdns0(); o == nil || len(o.Option) != 1 || o.Option[0].Option() != dns.EDNS0EDE {
		t.Errorf("REFUSED without an extended error: %v", o)
	}
}

// TestPackets is bytes that are no question, and what comes back.
func TestPackets(t *testing.T) {
	d := compiled(t, zoneText)
	good := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04mail\x0btestingsmtp\x03org\x00\x00\x01\x00\x01"
	for _, c := range []struct {
		name, packet string
		rcode        int // -1: silence
	}{
		{"good", good, 0}, {"empty", "", -1}, {"short", good[:11], -1}, {"an answer", "\x12\x34\x81\x80" + good[4:], -1},
		{"no question", good[:5] + "\x00" + good[6:12], 1}, {"two questions", good[:5] + "\x02" + good[6:], 1}, {"an answer in it", good[:7] + "\x01" + good[8:], 1},
		{"pointer to itself", good[:12] + "\xc0\x0c\x00\x01\x00\x01", 1}, {"label type 0x40", good[:12] + "\x40a\x00\x00\x01\x00\x01", 1},
		{"no end", good[:20], 1}, {"128 labels", good[:12] + strings.Repeat("\x01a", 128) + "\x00\x00\x01\x00\x01", 1},
		{"NOTIFY", "\x12\x34\x20\x00" + good[4:], 4}, {"UPDATE", "\x12\x34\x28\x00" + good[4:], 4}, {"class CH", good[:len(good)-1] + "\x03", 5}, {"class ANY", good[:len(good)-1] + "\xff", 5},
		{"more after the question", good + "\x00", 1}, {"OPT beyond the end", good[:11] + "\x01" + good[12:] + "\x00\x00\x29\x04", 1}, {"QTYPE OPT", good[:len(good)-3] + "\x29" + good[len(good)-2:], 1},
		{"two OPT", good[:11] + "\x02" + good[12:] + strings.Repeat("\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00", 2), 1},
		{"OPT with a name", good[:11] + "\x01" + good[12:] + "\x01a\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00", 1},
		{"option beyond its end", good[:11] + "\x01" + good[12:] + "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x09", 1},
	} {
		var q dnswire.Query
		out, _ := say(d, c.packet, false, &q)
		switch {
		case (out == nil) != (c.rcode == -1):
			t.Errorf("%s: answer of %d bytes; want silence %v", c.name, len(out), c.rcode == -1)
		case out != nil && int(out[3]&15) != c.rcode:
			t.Errorf("%s: rcode %d; want %d", c.name, out[3]&15, c.rcode)
		}
	}
}

// FuzzLine: no line of data that compiles makes an answer panic.
func FuzzLine(f *testing.F) {
	for line := range strings.Lines(zoneText) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &table{}
		var keys [][]byte
		if err := dnsdata.Compile(strings.NewReader(text), 1, func(k, v []byte) error { keys = append(keys, slices.Clone(k)); s.put(k, v); return nil }); err != nil {
			return
		}
		d := open(t, s.finish())
		for _, k := range keys {
			if dnswire.NameLen(k) == len(k) {
				for _, cfg := range []Config{{}, {DJB: true}} {
					var q dnswire.Query
					New(cfg).Answer(d, nil, []byte(question[:12]+string(k)+"\x00\xff\x00\x01"), localhost, true, time.Unix(1e9, 0), &q)
				}
			}
		}
	})
}
