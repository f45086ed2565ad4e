// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// transferOf packs messages of these records, in zone file form.
func transferOf(t testing.TB, compress bool, perMessage int, records ...string) [][]byte {
	t.Helper()
	var all [][]byte
	for chunk := range slices.Chunk(records, perMessage) {
		m := new(dns.Msg)
		m.SetQuestion("ex.test.", dns.TypeAXFR)
		m.Id, m.Response, m.Compress, m.RecursionDesired = 0, true, compress, false
		if len(all) > 0 {
			m.Question = nil
		}
		for _, r := range chunk {
			rr, err := dns.NewRR(r)
			if err != nil {
				t.Fatalf("%s: %v", r, err)
			}
			m.Answer = append(m.Answer, rr)
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// read is the lines of a transfer.
func read(all [][]byte, six bool) (text string, done bool, err error) {
	zone, _ := dnswire.Name("ex.test")
	l := &Lines{Zone: zone, Six: six}
	var b strings.Builder
	for _, msg := range all {
		if done, err = l.Message(msg, func(line []byte) error { b.Write(line); return nil }); err != nil || done {
			break
		}
	}
	return b.String(), done, err
}

const soaText = "ex.test. 2560 IN SOA ns.ex.test. h.ex.test. 7 1 2 3 4"
const soaLine = "#7 auto axfr-get\nZex.test:ns.ex.test.:h.ex.test.:7:1:2:3:4:2560\n"

// TestLines: the line of each kind of record, whatever the messages are like;
// and compiled, it is the record again: also port, priority and weight of SRV.
func TestLines(t *testing.T) {
	for _, c := range []struct{ record, line string }{
		{"ex.test. 5 IN NS a.ns.ex.test.", "&ex.test::a.ns.ex.test.:5"},
		{"ex.test. 5 IN MX 10 Mail.ex.test.", "@ex.test::mail.ex.test.:10:5"},
		{"a.ex.test. 5 IN MX 0 .", "@a.ex.test::..:0:5"},
		{"w.ex.test. 5 IN CNAME x.y.", "Cw.ex.test:x.y.:5"},
		{"p.ex.test. 5 IN PTR x.y.", "^p.ex.test:x.y.:5"},
		{"_imaps._tcp.ex.test. 5 IN SRV 1 2 143 m.ex.test.", "S_imaps._tcp.ex.test::m.ex.test.:143:1:2:5"},
		{"*.ex.test. 0 IN A 1.2.3.4", `+\052.ex.test:1.2.3.4:0`},
		{"a.ex.test. 4294967295 IN A 255.2.3.4", "+a.ex.test:255.2.3.4:4294967295"},
		{"a.ex.test. 5 IN AAAA 2001:db8::1", `:a.ex.test:28:\040\001\015\270\000\000\000\000\000\000\000\000\000\000\000\001:5`},
		{`a.ex.test. 5 IN TXT "Az0.-:"`, `:a.ex.test:16:\006Az0.-\072:5`},
		{`a\.b.ex.test. 5 IN TXT "x"`, `:a\056b.ex.test:16:\001x:5`},
		{"a.ex.test. 5 IN RP a.ex.test. b.ex.test.", `:a.ex.test:17:\001a\002ex\004test\000\001b\002ex\004test\000:5`},
		{`a.ex.test. 5 IN NAPTR 1 2 "u" "s" "" a.ex.test.`, `:a.ex.test:35:\000\001\000\002\001u\001s\000\001a\002ex\004test\000:5`},
		{`ex.test. 5 IN CAA 0 issue "ca"`, `:ex.test:257:\000\005issueca:5`},
		{"d.ex.test. 5 IN DNAME o.org.", `:d.ex.test:39:\001o\003org\000:5`},
	} {
		for _, compress := range []bool{false, true} {
			for _, per := range []int{1, 2, 3} {
				got, done, err := read(transferOf(t, compress, per, soaText, c.record, soaText), false)
				if want := soaLine + c.line + "\n"; got != want || !done || err != nil {
					t.Errorf("lines of %s (compressed %v, %d a message) = %q, %v, %v; want %q", c.record, compress, per, got, done, err, want)
				}
			}
		}
		got := texts(t, must(messages(t, source(t, soaLine+"&ex.test::z.org:5\n"+c.line+"\n"), request(t, "ex.test.", nil), here, target)))
		want, err := dns.NewRR(c.record)
		if err != nil {
			t.Fatal(err)
		}
		if want.Header().Ttl > maxTTL {
			want.Header().Ttl = maxTTL
		}
		text := strings.Join(strings.Fields(want.String()), " ")
		if !slices.ContainsFunc(got, func(s string) bool { return strings.EqualFold(s, text) }) {
			t.Errorf("%s compiled is %q; want %q", c.line, got, text)
		}
	}
	if got, _, err := read(transferOf(t, true, 3, soaText, "a.ex.test. 5 IN AAAA 2001:db8::1", soaText), true); got != soaLine+"3a.ex.test:20010db8000000000000000000000001:5\n" {
		t.Errorf("with -3: %q, %v", got, err)
	}
}

func must(all []*dns.Msg, _ int, err error) []*dns.Msg {
	if err != nil {
		panic(err)
	}
	return all
}

// TestHostile: what a server must not say, and what does not count.
func TestHostile(t *testing.T) {
	for _, c := range []struct {
		why     string
		records []string
		change  func(b []byte) []byte
		ok      bool
		lines   string
	}{
		{"nothing but SOA", []string{soaText, soaText}, nil, true, ""},
		{"no last SOA", []string{soaText, "a.ex.test. 5 IN A 1.2.3.4"}, nil, true, "+a.ex.test:1.2.3.4:5\n"}, // not done
		{"other zones", []string{soaText, "a.exx.test. 5 IN A 1.2.3.4", "test. 5 IN A 1.2.3.4", "aex.test. 5 IN A 1.2.3.4", soaText}, nil, true, ""},
		{"class CH", []string{soaText, "a.ex.test. 5 CH TXT x", soaText}, nil, true, ""},
		{"no first SOA", []string{"a.ex.test. 5 IN A 1.2.3.4", soaText, soaText}, nil, false, ""},
		{"SOA of a child", []string{soaText, "c.ex.test. 5 IN SOA a. b. 1 2 3 4 5", soaText}, nil, false, ""},
		{"SOA of another zone first", []string{"other. 5 IN SOA a. b. 1 2 3 4 5", soaText, soaText}, nil, false, ""},
		{"serial that changes", []string{soaText, strings.Replace(soaText, " 7 ", " 8 ", 1)}, nil, false, ""},
		{"record behind the last SOA", []string{soaText, soaText, "a.ex.test. 5 IN A 1.2.3.4"}, nil, false, ""},
		{"NS of a wildcard", []string{soaText, "*.ex.test. 5 IN NS a.b.", soaText}, nil, false, ""},
		{"refusal", []string{soaText, soaText}, func(b []byte) []byte { b[3] |= 5; return b }, false, ""},
		{"question", []string{soaText, soaText}, func(b []byte) []byte { b[2] &^= 0x80; return b }, false, ""},
		{"another ID", []string{soaText, soaText}, func(b []byte) []byte { b[1] = 1; return b }, false, ""},
		{"no records", []string{soaText, soaText}, func(b []byte) []byte { b[7] = 0; return b }, false, ""},
		{"a record too few", []string{soaText, soaText}, func(b []byte) []byte { b[7] = 3; return b }, false, ""},
		{"65535 records", []string{soaText, soaText}, func(b []byte) []byte { b[6], b[7] = 0xff, 0xff; return b }, false, ""},
		{"65535 questions", []string{soaText, soaText}, func(b []byte) []byte { b[4], b[5] = 0xff, 0xff; return b }, false, ""},
		{"owner that points to itself", []string{soaText, soaText}, func(b []byte) []byte { return append(b[:25], 0xc0, 25, 0, 6, 0, 1, 0, 0, 0, 1, 0, 0) }, false, ""},
		{"owner that points onward", []string{soaText, soaText}, func(b []byte) []byte { return append(b[:25], 0xff, 0xff, 0, 6, 0, 1, 0, 0, 0, 1, 0, 0) }, false, ""},
		{"label of a kind that does not exist", []string{soaText, soaText}, func(b []byte) []byte { b[25] = 0x80; return b }, false, ""},
		{"cut short", []string{soaText, soaText}, func(b []byte) []byte { return b[:len(b)-1] }, false, ""},
		{"header cut short", []string{soaText, soaText}, func(b []byte) []byte { return b[:11] }, false, ""},
	} {
		all := transferOf(t, false, 10, c.records...)
		if c.change != nil {
			all[0] = c.change(all[0])
		}
		got, _, err := read(all, false)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrProtocol) || c.ok && got != soaLine+c.lines {
			t.Errorf("%s: %q, %v; want ok %v, %q", c.why, got, err, c.ok, c.lines)
		}
	}
	zone, _ := dnswire.Name("ex.test")
	l := &Lines{Zone: zone, bytes: MaxTransfer}
	if _, err := l.Message(transferOf(t, false, 1, soaText)[0], nil); !errors.Is(err, ErrProtocol) {
		t.Errorf("a byte more than MaxTransfer: %v", err)
	}
}

// TestReadSerial: the answer to the first question.
func TestReadSerial(t *testing.T) {
	zone, _ := dnswire.Name("EX.test")
	if serial, err := ReadSerial(zone, transferOf(t, true, 1, soaText)[0]); serial != 7 || err != nil {
		t.Errorf("ReadSerial = %d, %v; want 7", serial, err)
	}
	refused := transferOf(t, true, 1, soaText)[0]
	refused[3] = 5
	for _, b := range [][]byte{nil, refused, transferOf(t, true, 1, "ex.test. 5 IN A 1.2.3.4")[0], transferOf(t, true, 1, "o.test. 5 IN SOA a. b. 1 2 3 4 5")[0]} {
		if serial, err := ReadSerial(zone, b); !errors.Is(err, ErrProtocol) {
			t.Errorf("ReadSerial(%x) = %d, %v; want ErrProtocol", b, serial, err)
		}
	}
}

// FuzzLines: any message gives lines or an error; what lines come can be
// compiled, and belong to the zone.
func FuzzLines(f *testing.F) {
	for _, compress := range []bool{false, true} {
		f.Add(transferOf(f, compress, 9, soaText, "a.ex.test. 5 IN MX 1 a.b.", "a.ex.test. 5 IN TXT x", `a.ex.test. 5 IN NAPTR 1 2 "u" "s" "" a.ex.test.`, "_x.ex.test. 5 IN SRV 1 2 143 m.ex.test.", soaText)[0])
	}
	for _, b := range transferOf(f, true, 1, soaText, "a.ex.test. 5 IN RP a.b. c.d.", "a.ex.test. 5 IN AAAA ::1", `*.ex.test. 5 IN TXT "\:\001"`) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text, _, _ := read([][]byte{b}, len(b)%2 == 0)
		if strings.HasPrefix(text, "#") {
			if err := dnsdata.Compile(strings.NewReader(text), 7, func(_, _ []byte) error { return nil }); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		} else if text != "" {
			t.Errorf("lines without SOA: %q", text)
		}
		if len(text) > 8*len(b)*len(b)+1000 {
			t.Errorf("%d bytes of lines of %d", len(text), len(b))
		}
	})
}

// FuzzRead: any request gets messages that can be read, and no more of them than
// the zone takes; Notified takes any packet.
func FuzzRead(f *testing.F) {
	src := source(f, top+"+a.ex.test:1.2.3.4\n")
	f.Add(request(f, "ex.test.", nil))
	f.Add(request(f, "eX.test.", func(m *dns.Msg) { m.SetIxfr("ex.test.", 7, "a.ex.test.", "b.ex.test."); m.SetEdns0(1, true) }))
	f.Fuzz(func(t *testing.T, b []byte) {
		Notified(b, b)
		Signed(b)
		if q, err := ReadDJB(b); err == nil {
			if err := q.SendDJB(src, here, func(m []byte) error { unpack(t, m); return nil }); err != nil && !errors.Is(err, ErrNoZone) {
				t.Error(err)
			}
		}
		q, ok := Read(b)
		if !ok {
			return
		}
		n := 0
		for _, m := range [][]byte{q.Wrong(), q.NotOurs(), q.Failure(), q.Prohibited()} {
			if m != nil {
				checkAnswer(t, b, m)
			}
		}
		if _, err := q.Send(src, here, func(m []byte) error { n++; checkAnswer(t, b, m); return nil }); err != nil && !errors.Is(err, ErrNoZone) || n > 1 {
			t.Errorf("Send: %v, %d messages", err, n)
		}
	})
}

func checkAnswer(t *testing.T, asked, said []byte) {
	t.Helper()
	pointersBelow(t, said)
	if !bytes.Equal(asked[:2], said[:2]) || said[2]&0x80 == 0 || !bytes.Equal(said[12:question(said)+4], asked[12:question(asked)+4]) {
		t.Errorf("%x answered by %x", asked, said)
	}
}

// TestFiles: lines of keys, transfer and notify that are right, and that are
// not.
func TestFiles(t *testing.T) {
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{"k:hmac-sha256:YWJj", true}, {"k::YWJj", true}, {"k:YWJj", true}, {"a.b.:HMAC-SHA512.:YWJj", true}, {"k:hmac-sha1:YWJj", true}, {"# k", true}, {"", true},
		{"k:hmac-md5:YWJj", false}, {"k:hmac-md5.sig-alg.reg.int:YWJj", false}, {"k:sha256:YWJj", false}, {"k:hmac-sha256:", false}, {"k:hmac-sha256:a", false}, {":hmac-sha256:YWJj", false}, {"k", false}, {"k:::YWJj", false},
		{"k:YWJj\nK.:YWJj", false},
	} {
		if _, err := ParseKeys(strings.NewReader(c.line)); (err == nil) != c.ok || err != nil && strings.Contains(err.Error(), "YWJj") {
			t.Errorf("ParseKeys(%q): %v; want ok %v", c.line, err, c.ok)
		}
	}
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{"ex.test:1.2.3.4@5300", true}, {"ex.test:1.2.3.4:key", true}, {"ex.test:[::1]:key", true}, {"ex.test:[::1@53]", true},
		{"ex.test", false}, {"ex.test:host", false}, {"ex.test:1.2.3.4@0", false}, {"ex.test:1.2.3.4@70000", false}, {"ex.test:1.2.3.4:", false}, {":1.2.3.4", false},
	} {
		if _, err := ParseTargets(strings.NewReader(c.line)); (err == nil) != c.ok {
			t.Errorf("ParseTargets(%q): %v; want ok %v", c.line, err, c.ok)
		}
	}
	for in, want := range map[string]string{"1.2.3.4": "1.2.3.4:53", "1.2.3.4:5": "1.2.3.4:5", "1.2.3.4@5": "1.2.3.4:5", "::1": "[::1]:53", "[::1]": "[::1]:53", "[::1]:5": "[::1]:5", "::1@5": "[::1]:5"} {
		if got, err := ParseAddress(in); err != nil || got != netip.MustParseAddrPort(want) {
			t.Errorf("ParseAddress(%q) = %v, %v; want %s", in, got, err, want)
		}
	}
	if keys := keysOf(t, "Key.One:YWJj"); keys.Named("KEY.one.") == nil || keys.Named("key") != nil || keys.Named(strings.Repeat("a", 64)) != nil {
		t.Error("Named does not find its key, or another")
	}
}

// TestDN9: who may have which zone; nobody where no rule says so.
func TestDN9(t *testing.T) {
	keys := keysOf(t, "k1:YWJj", "k2:YWJj")
	for _, c := range []struct {
		rules, zone, from, key string
		want                   bool
	}{
		{"", "ex.test", "127.0.0.1", "", false},
		{"ex.test:192.0.2.1", "ex.test", "192.0.2.1", "", true},
		{"ex.test:192.0.2.1", "ex.test", "192.0.2.1", "k1", true},
		{"ex.test:192.0.2.1", "ex.test", "192.0.2.2", "", false},
		{"ex.test:192.0.2.1", "a.ex.test", "192.0.2.1", "", false},
		{"ex.test:192.0.2.1", "test", "192.0.2.1", "", false},
		{"EX.test.:192.0.2.0/24", "ex.test", "192.0.2.2", "", true},
		{"ex.test:192.0.2.0/24", "ex.test", "::ffff:192.0.2.2", "", true},
		{"ex.test:192.0.2.0/24", "ex.test", "192.0.3.2", "", false},
		{"ex.test:*", "ex.test", "2001:db8::1", "", true},
		{"*:192.0.2.1", "other", "192.0.2.1", "", true},
		{"ex.test:*:k1", "ex.test", "192.0.2.1", "", false},
		{"ex.test:*:k1", "ex.test", "192.0.2.1", "k1", true},
		{"ex.test:*:k1", "ex.test", "192.0.2.1", "k2", false},
		{"ex.test:192.0.2.1:K1.", "ex.test", "192.0.2.2", "k1", false},
		{"ex.test:[2001:db8::/32]:k1", "ex.test", "2001:db8::5", "k1", true},
		{"ex.test:[2001:db8::1]", "ex.test", "2001:db8::1", "", true},
		{"ex.test:[2001:db8::1]", "ex.test", "2001:db8::2", "", false},
		{"a:*:k2\nex.test:192.0.2.1:k1\nex.test:192.0.2.7", "ex.test", "192.0.2.7", "", true},
	} {
		rules, err := ParseRules(strings.NewReader(c.rules))
		zone, _ := dnswire.Name(c.zone)
		if got := rules.Allow(zone, netip.MustParseAddr(c.from), keys.Named(c.key)); got != c.want || err != nil {
			t.Errorf("rules %q: %s to %s with key %q: %v, %v; want %v", c.rules, c.zone, c.from, c.key, got, err, c.want)
		}
	}
	for _, bad := range []string{"ex.test", "ex.test:", "ex.test:host", "ex.test:1.2.3", "ex.test:1.2.3.4/33", "ex.test:1.2.3.4/24", "ex.test:2001:db8::1", "ex.test:[2001:db8::1", "ex.test:*:", ":*", strings.Repeat("a", 64) + ":*"} {
		if r, err := ParseRules(strings.NewReader("ok:*\n" + bad)); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("ParseRules(%q) = %v, %v; want an error of line 2", bad, r, err)
		}
	}
}
