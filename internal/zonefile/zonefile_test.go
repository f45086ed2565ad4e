// SPDX-License-Identifier: ISC

package zonefile

import (
	"bytes"
	"errors"
	"fmt"
	"net"
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
)

// sample has every kind of record, a delegation with glue, a zone of its own
// below, and what a zone file cannot say.
const sample = `.ex.org:192.0.2.1:ns.ex.org:60
&ex.org::ns.other:60
@ex.org::mail.ex.org:10
@null.ex.org::.:0
=mail.ex.org:192.0.2.2
+*.ex.org:192.0.2.3
'ex.org:v=spf1 mx \072 -all "quoted" \\ ;
'long.ex.org:` + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" + `
Cwww.ex.org:mail.ex.org
Codd\056name\040x.ex.org:o\074.ex.org
S_submission._tcp.ex.org::mail.ex.org:587:0:1
3mail.ex.org:20010db8000000000000000000000001
:blob.ex.org:65400:\000\001x\377
!ex.org:CAA:::: 0 issue "ca.example; validationmethods=dns-01"
!_25._tcp.mail.ex.org:TLSA::::3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
!mail.ex.org:SSHFP::::4 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
!mail.ex.org:HTTPS::::1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.2
!ex.org:NAPTR::::100 10 "u" "E2U+sip" "!^.*$!sip:info@ex.org!" .
!d.ex.org:DNAME::::ex.net.
!u.ex.org:URI::::10 1 "https://ex.org:443/x"
!ex.org:TXT::::"` + "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" + `"
&sub.ex.org:192.0.2.7:ns.sub.ex.org:60
!sub.ex.org:DS::::1 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
.own.ex.org:192.0.2.8:ns.own.ex.org
=host.own.ex.org:192.0.2.9
`

// hidden is of other times and places, or not right.
const hidden = `'hidden.sub.ex.org:occluded
+loc.ex.org:192.0.2.3:::in
+later.ex.org:192.0.2.3:60:5000000000000000
+past.ex.org:192.0.2.3:0:4000000000000001
:bad.ex.org:28:x
+other.net:192.0.2.3
`

func compile(t *testing.T, text string) *cdb.Map {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "data.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	w := cdb.NewWriter(f)
	if err := errors.Join(dnsdata.Compile(strings.NewReader(text), 7, w.Put), w.Finish(), f.Close()); err != nil {
		t.Fatalf("compile %q: %v", text, err)
	}
	m, err := cdb.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func export(t *testing.T, m *cdb.Map, zone string) (text string, skipped []string) {
	t.Helper()
	name, _ := dnsdata.ParseName(zone)
	var b bytes.Buffer
	skipped, err := Export(m, name, time.Now(), &b)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), skipped
}

// set is the records of a database, in words and in order.
func set(t *testing.T, m *cdb.Map) (all []string) {
	t.Helper()
	err := m.All(func(key, val []byte) bool {
		r, _ := dnsdata.ParseRecord(key, val)
		all = append(all, fmt.Sprintf("%s %d %d %x", dnswire.Text(r.Owner), r.Type, r.TTL, r.Data))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestRoundTrip: export, import and compile bring the same records back; what a
// zone file cannot say is said to be left out.
func TestRoundTrip(t *testing.T) {
	text, skipped := export(t, compile(t, sample+hidden), "EX.org.")
	if len(skipped) != 2 || !strings.Contains(skipped[0], "3 records") || !strings.Contains(skipped[1], "bad.ex.org AAAA") {
		t.Errorf("left out: %q", skipped)
	}
	if !strings.HasPrefix(text, "ex.org.\t2560\tIN\tSOA\t") {
		t.Errorf("the zone file begins %.60q; want its SOA", text)
	}
	var lines bytes.Buffer
	if _, err := Import(strings.NewReader(text), "ex.org.zone", "", &lines); err != nil {
		t.Fatalf("Import: %v\n%s", err, text)
	}
	// Of the zone below, its servers alone belong here; so does no PTR.
	want := slices.DeleteFunc(set(t, compile(t, sample)), func(r string) bool {
		return strings.HasPrefix(r, "host.own.ex.org") || strings.HasPrefix(r, "own.ex.org 6 ") || strings.Contains(r, "in-addr.arpa")
	})
	if got := set(t, compile(t, lines.String())); !slices.Equal(got, want) {
		t.Errorf("after export and import:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	again, _ := export(t, compile(t, lines.String()), "ex.org")
	if again != text {
		t.Errorf("exported again:\n%s\nwant\n%s", again, text)
	}
}

func TestExportTimes(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	label := func(after int64) string { return fmt.Sprintf("%016x", uint64(1<<62+10+1_800_000_000+after)) }
	for lines, want := range map[string]string{
		"+a.b:1.2.3.4:60:" + label(-1): "60", "+a.b:1.2.3.4:60:" + label(0): "", "+a.b:1.2.3.4:60:" + label(1): "",
		"+a.b:1.2.3.4:0:" + label(-1): "", "+a.b:1.2.3.4:0:" + label(0): "2", "+a.b:1.2.3.4:0:" + label(100): "100", "+a.b:1.2.3.4:0:" + label(9999): "3600",
		"+a.b:1.2.3.4:60\n+a.b:1.2.3.5:50": "50", "+a.b:1.2.3.4:4294967295": "0",
	} {
		var b bytes.Buffer
		if _, err := Export(compile(t, "Zb:n.b:h.b\n"+lines), []byte("\x01b\x00"), now, &b); err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(b.String(), "a.b.\t")
		if got, _, _ := strings.Cut(rest, "\t"); got != want {
			t.Errorf("%q exports ttl %q; want %q\n%s", lines, got, want, b.String())
		}
	}
}

func TestExportNone(t *testing.T) {
	if _, err := Export(compile(t, "+a.b:1.2.3.4\n"), []byte("\x01b\x00"), time.Now(), &bytes.Buffer{}); err != ErrNoZone {
		t.Errorf("Export of a zone without SOA: %v", err)
	}
}

// TestImport: what master files have, and what is refused.
func TestImport(t *testing.T) {
	for _, c := range []struct {
		text, origin, want, fails string
		left                      Left
	}{
		{"$ORIGIN ex.org.\n$TTL 60\n@ SOA ns h ( 1 2 3 4 5 ) ; comment\n NS ns\nns A 192.0.2.1\n* 5 IN MX 10 m\n", "", "Zex.org:ns.ex.org:h.ex.org:1:2:3:4:5:60\n&ex.org::ns.ex.org:60\n+ns.ex.org:192.0.2.1:60\n@*.ex.org::m.ex.org:10:5\n", "", Left{}},
		{"a 60 IN A 192.0.2.1\n", "ex.org", "+a.ex.org:192.0.2.1:60\n", "", Left{}},
		{"a.b. 60 IN TYPE65400 \\# 2 3a0a\n", "", ":a.b:65400:\\072\\012:60\n", "", Left{}},
		{"a.b. 60 IN NSEC c.b. A\na.b. 60 IN RRSIG A 13 2 60 20300101000000 20200101000000 1 b. AAAA\n", "", "", "", Left{Signatures: 2}},
		{"$INCLUDE /etc/passwd\n", "ex.org", "", "INCLUDE", Left{}}, {"a.b. 60 CH TXT x\n", "", "", "class 3", Left{}}, {"a 60 IN A x\n", "b", "", "bad A", Left{}}, {"a 60 IN A 1.2.3.4\n", "", "", "", Left{}}, {"a 60 IN A 1.2.3.4\n", strings.Repeat("a", 64), "", "is no name", Left{}},
	} {
		var b bytes.Buffer
		left, err := Import(strings.NewReader(c.text), "x", c.origin, &b)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("Import(%q) = %v; want %q", c.text, err, c.fails)
			}
			continue
		}
		if c.want == "" && c.left == (Left{}) {
			if err == nil {
				t.Errorf("Import(%q) without an origin = %q", c.text, b.String())
			}
			continue
		}
		if err != nil || b.String() != c.want || left != c.left {
			t.Errorf("Import(%q) = %q, %+v, %v; want %q, %+v", c.text, b.String(), left, err, c.want, c.left)
		}
	}
}

// serve answers each question on a loopback port as handle does.
func serve(t *testing.T, handle func(w dns.ResponseWriter, q *dns.Msg)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	s := &dns.Server{Listener: l, Handler: dns.HandlerFunc(handle), NotifyStartedFunc: func() { close(started) }}
	done := make(chan error)
	go func() { done <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(), <-done); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func records(t testing.TB, lines ...string) (all []dns.RR) {
	t.Helper()
	for _, l := range lines {
		rr, err := dns.NewRR(l)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rr)
	}
	return all
}

// TestTransfer: a zone from a server, over several messages; and servers that
// refuse, lie or stop.
func TestTransfer(t *testing.T) {
	soa := "b. 60 IN SOA n.b. h.b. 1 2 3 4 5"
	for name, c := range map[string]struct {
		messages    [][]string
		want, fails string
		left        Left
	}{
		"whole":    {[][]string{{soa, "b. 60 IN NS n.b."}, {"n.b. 60 IN A 192.0.2.1", "x.c. 60 IN A 192.0.2.1"}, {soa}}, "Zb:n.b:h.b:1:2:3:4:5:60\n&b::n.b:60\n+n.b:192.0.2.1:60\n", "", Left{Outside: 1}},
		"injected": {[][]string{{soa, `a\010+evil.b. 60 IN TXT "x:\010+evil:1.2.3.4"`, soa}}, "Zb:n.b:h.b:1:2:3:4:5:60\n'a\\012\\053evil.b:x\\072\\012+evil\\0721.2.3.4:60\n", "", Left{}},
		"no SOA":   {[][]string{{"b. 60 IN NS n.b."}}, "", "SOA", Left{}},
		"other":    {[][]string{{"c. 60 IN SOA n.b. h.b. 1 2 3 4 5", "c. 60 IN SOA n.b. h.b. 1 2 3 4 5"}}, "", "no SOA of that zone", Left{}},
		"stops":    {[][]string{{soa}}, "", "transfer of b. from", Left{}},
		"refused":  {nil, "", "transfer of b. from", Left{}},
	} {
		server := serve(t, func(w dns.ResponseWriter, q *dns.Msg) {
			if c.messages == nil {
				w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused))
			}
			for _, m := range c.messages {
				a := new(dns.Msg).SetReply(q)
				a.Answer = records(t, m...)
				w.WriteMsg(a)
			}
			w.Close()
		})
		var b bytes.Buffer
		left, err := Transfer(server, "b", &b)
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s: %v; want %q", name, err, c.fails)
		case c.fails == "" && (err != nil || b.String() != c.want || left != c.left):
			t.Errorf("%s: %q, %+v, %v; want %q, %+v", name, b.String(), left, err, c.want, c.left)
		}
	}
	if _, err := Transfer("127.0.0.1:1", strings.Repeat("a", 64), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "is no name") {
		t.Errorf("Transfer of no name: %v", err)
	}
}

// FuzzRecord: whatever record another server sends, its data line is one line
// that makes this record alone, or there is an error.
func FuzzRecord(f *testing.F) {
	for _, rr := range records(f, "b. 60 IN SOA n.b. h.b. 1 2 3 4 5", `a\010+evil\:.b. 60 IN TXT "x:\010+evil:1.2.3.4" ""`, "*.b. 60 IN MX 0 .", `b. 60 IN HTTPS 1 . alpn=h2`, `b. 60 IN TYPE65400 \# 3 0a3a5c`, "b. 60 IN LOC 52 0 0 N 0 0 0 E 0m") {
		buf := make([]byte, 1000)
		n, err := dns.PackRR(rr, buf, 0, nil, false)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(buf[:n])
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		rr, _, err := dns.UnpackRR(wire, 0)
		if err != nil {
			return
		}
		var b bytes.Buffer
		out := newLines(&b)
		if err := out.add(rr); err != nil || out.left.Signatures > 0 {
			return
		}
		if err := out.finish(); err != nil {
			t.Fatal(err)
		}
		if line := b.String(); strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Errorf("%v becomes %q", rr, line)
		}
		made := 0
		err = dnsdata.Compile(&b, 1, func(key, val []byte) error {
			made++
			if r, ok := dnsdata.ParseRecord(key, val); !ok || r.Type != rr.Header().Rrtype || r.TTL != rr.Header().Ttl {
				t.Errorf("%v becomes %+v, %v", rr, r, ok)
			}
			return nil
		})
		if err != nil || made != 1 {
			t.Errorf("%v becomes %d records, %v", rr, made, err)
		}
	})
}

// FuzzExport: whatever a database holds, an exported zone can be read again. Of
// types that miekg/dns has words for and we have none, broken data cannot be told.
func FuzzExport(f *testing.F) {
	soa, _ := dnsdata.ParseData(6, []byte("n.b. h.b. 1 2 3 4 5"))
	head := "\x00\x06=\x00\x00\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00"
	f.Add([]byte("\x01b\x00"), []byte(head+string(soa)), []byte("\x01a\x01b\x00"), []byte("\x00\x02"+head[2:]+"\x01x\x00"))
	f.Add([]byte("\x01b\x00"), []byte(head+string(soa)), []byte("\x02\x00\xff\x01b\x00"), []byte("\xff\xff*"+head[3:]+"x"))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		for _, v := range [][]byte{v1, v2} {
			if len(v) >= 2 {
				typ := uint16(v[0])<<8 | uint16(v[1])
				if _, known := dns.TypeToString[typ]; known && !dnsdata.HasWords(typ) {
					return
				}
			}
		}
		var file memory
		w := cdb.NewWriter(&file)
		if err := errors.Join(w.Put(k1, v1), w.Put(k2, v2), w.Finish()); err != nil {
			t.Fatal(err)
		}
		m, err := cdb.FromBytes(file)
		if err != nil {
			t.Fatal(err)
		}
		var text, lines bytes.Buffer
		if _, err := Export(m, []byte("\x01b\x00"), time.Unix(1, 0), &text); err != nil {
			return
		}
		if _, err := Import(&text, "x", "", &lines); err != nil && !strings.Contains(err.Error(), "no data line") {
			t.Errorf("Import(%q) = %v", text.String(), err)
		}
	})
}

// memory is a file in memory, written from its start, then at its header.
type memory []byte

func (m *memory) Write(p []byte) (int, error) {
	if len(*m) > 0 && len(p) == 2048 {
		copy(*m, p)
	} else {
		*m = append(*m, p...)
	}
	return len(p), nil
}

func (m *memory) Seek(int64, int) (int64, error) { return 0, nil }
