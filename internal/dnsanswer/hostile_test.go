// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// question is a packet that asks for mail.testingsmtp.org A.
const question = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04mail\x0btestingsmtp\x03org\x00\x00\x01\x00\x01"

// FuzzPacket: no packet and no data.cdb make Answer panic; answers over UDP
// stay small, and what comes back can be read.
func FuzzPacket(f *testing.F) {
	good := database(f, zoneText)
	f.Add([]byte(question), []byte(nil))
	f.Add([]byte(question[:11]+"\x01"+question[12:]+"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00"), []byte(nil))
	f.Add([]byte(question), good)
	f.Fuzz(func(t *testing.T, packet, data []byte) {
		trusted := len(data) == 0
		if trusted {
			data = good
		}
		d, err := Open(memory(data))
		if err != nil && trusted {
			t.Fatal(err)
		}
		if err != nil {
			d = &Data{b: data} // as if it had changed after Open
		}
		var q dnswire.Query
		out, _ := New(Config{}).Answer(d, nil, packet, localhost, false, time.Unix(1e9, 0), &q)
		if len(out) > dnswire.MaxUDP {
			t.Errorf("answer of %d bytes over UDP", len(out))
		}
		if trusted && len(out) > 0 {
			if err := new(dns.Msg).Unpack(out); err != nil {
				t.Errorf("answer to %q cannot be read: %v", packet, err)
			}
		}
	})
}

// TestDamagedData: each byte of a database flipped, and each length of it: an
// answer or SERVFAIL, no panic.
func TestDamagedData(t *testing.T) {
	good := database(t, ".testingsmtp.org:127.0.0.206:ns\n@testingsmtp.org:127.0.0.206:mail.testingsmtp.org\nCwww.testingsmtp.org:mail.testingsmtp.org\n")
	c := New(Config{})
	try := func(data []byte) {
		d, err := Open(memory(data))
		if err != nil {
			d = &Data{b: data} // as if it had changed after Open
		}
		for _, p := range []string{question, question[:12] + question[17:len(question)-4] + "\x00\x0f\x00\x01", question[:12] + "\x03www" + question[17:]} {
			var q dnswire.Query
			if out, _ := c.Answer(d, nil, []byte(p), localhost, true, time.Now(), &q); len(out) < dnswire.HeaderLen {
				t.Fatalf("answer of %d bytes", len(out))
			}
		}
	}
	for i := range good {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := append([]byte(nil), good...)
			bad[i] ^= flip
			try(bad)
		}
		try(good[:i])
	}
}

// TestHostileRecords: records that tinydns-data would never make.
func TestHostileRecords(t *testing.T) {
	val := func(kind uint16, marker byte, data string) []byte {
		b := append(binary.BigEndian.AppendUint16(nil, kind), marker)
		return append(append(b, make([]byte, 12)...), data...)
	}
	s := &table{}
	put := func(key string, v []byte) { s.put([]byte(key), v) }
	put("\x01a\x00", val(dnswire.TypeNS, '=', "\x00"))
	put("\x01a\x00", val(dnswire.TypeSOA, '=', "short"))
	for _, data := range []string{"", "\x00", "\x00\x0a", "\x00\x0a\x01h\x00junk\x40", "\x00\x0a\x40", "\x00\x0a\xc0\x0c", "\x00\x0a\x00\x40\x41"} {
		put("\x01a\x00", val(dnswire.TypeMX, '=', data))
		put("\x01a\x00", val(dnswire.TypeCNAME, '*', data))
	}
	put("\x01h\x00", val(dnswire.TypeA, '=', "not an address"))
	put("\x01a\x00", []byte{0})
	put("\x01a\x00", val(dnswire.TypeA, '>', "")[:dnsdata.ValueHeader])
	put("\x00%", []byte("too long"))
	put("\x40", val(dnswire.TypeA, '=', "1234"))
	put("", nil)
	d := open(t, s.finish())
	for _, name := range []string{"\x01a\x00", "\x01b\x01a\x00", "\x00"} {
		for _, kind := range []string{"\x00\x0f", "\x00\x05", "\x00\x01", "\x00\x06", "\x00\x02", "\x00\xff", "\x00\x2b"} {
			var q dnswire.Query
			say(d, question[:12]+name+kind+"\x00\x01", true, &q)
		}
	}
}

// TestUnreadableData: SERVFAIL without AA, why, and - in the log.
func TestUnreadableData(t *testing.T) {
	pointsOut := database(t, zoneText)
	for i := range 256 {
		binary.LittleEndian.PutUint32(pointsOut[i*8:], 1<<31)
	}
	if _, err := Open(memory(pointsOut[:100])); err != ErrCorrupt {
		t.Errorf("open of 100 bytes: %v; want %v", err, ErrCorrupt)
	}
	for name, d := range map[string]*Data{"no data": nil, "empty data": {}, "tables outside": {b: pointsOut}} {
		a, status := ask(t, d, new(dns.Msg).SetQuestion("mail.testingsmtp.org.", dns.TypeA), false)
		if a.Rcode != dns.RcodeServerFailure || a.Authoritative || status != '-' {
			t.Errorf("%s: %v, AA %v, %c; want SERVFAIL without AA, -", name, a.Rcode, a.Authoritative, status)
		}
		var q dnswire.Query
		if out, status := New(Config{DJB: true}).Answer(d, nil, []byte(question), localhost, false, time.Now(), &q); out != nil || status != '-' {
			t.Errorf("%s, as djb: %x %c; want silence, -", name, out, status)
		}
	}
}

// TestTimes: what is seen when, and for how long.
func TestTimes(t *testing.T) {
	at := uint64(taiEpoch + 1000)
	for _, c := range []struct {
		ttl   uint32
		stamp uint64
		now   int64
		want  uint32
		ok    bool
	}{
		{60, at, 999, 60, false}, {60, at, 1000, 60, false}, {60, at, 1001, 60, true},
		{0, at, 500, 500, true}, {0, at, 999, 2, true}, {0, at, 1000, 2, true}, {0, at, 1001, 0, false}, {0, at + 1e6, 1000, 3600, true},
		{60, 1<<64 - 1, 1000, 60, false}, {0, 1<<64 - 1, 1000, 3600, true}, {60, 1, 1000, 60, true}, {0, 1, 1000, 0, false},
	} {
		ttl, ok := visible(uint64(c.now)+taiEpoch, c.ttl, c.stamp)
		if ok != c.ok || ok && ttl != c.want {
			t.Errorf("visible(%d, %x) at %d = %d, %v; want %d, %v", c.ttl, c.stamp, c.now, ttl, ok, c.want, c.ok)
		}
	}
}

// TestLocations: the longest prefix of a client's address counts.
func TestLocations(t *testing.T) {
	d := compiled(t, ".a:1.2.3.4:ns\n%no\n%in:10\n%de:10.1\n%me:10.1.2.3\n+a:1.1.1.1:9::no\n+a:2.2.2.2:9::in\n+a:3.3.3.3:9::de\n+a:4.4.4.4:9::me\n")
	for ip, want := range map[string]string{"\x0a\x01\x02\x03": "4.4.4.4", "\x0a\x01\x02\x04": "3.3.3.3", "\x0a\x02\x00\x00": "2.2.2.2", "\x0b\x00\x00\x00": "1.1.1.1", strings.Repeat("\x0a", 16): "1.1.1.1"} {
		var q dnswire.Query
		from, _ := netip.AddrFromSlice([]byte(ip))
		out, _ := New(Config{}).Answer(d, nil, []byte(question[:12]+"\x01a\x00\x00\x01\x00\x01"), from, false, time.Now(), &q)
		a := new(dns.Msg)
		if err := a.Unpack(out); err != nil || len(a.Answer) != 1 || a.Answer[0].(*dns.A).A.String() != want {
			t.Errorf("answer for %x = %v, %v; want %s", ip, a.Answer, err, want)
		}
	}
}

// TestReferralKeepsGlue: a delegation whose glue has no room is TC, not half of
// it (RFC 9471).
func TestReferralKeepsGlue(t *testing.T) {
	text := ".org:1.2.3.4:ns.org\n"
	for i := range 20 {
		text += fmt.Sprintf("&sub.org:10.0.0.%d:ns%d.sub.org\n", i, i)
	}
	a, _ := ask(t, compiled(t, text), new(dns.Msg).SetQuestion("x.sub.org.", dns.TypeA), false)
	if !a.Truncated || a.Authoritative || len(a.Ns)+len(a.Extra) != 0 {
		t.Errorf("referral: TC %v, AA %v, %d+%d records; want TC and none", a.Truncated, a.Authoritative, len(a.Ns), len(a.Extra))
	}
	b, _ := ask(t, compiled(t, text), new(dns.Msg).SetQuestion("x.sub.org.", dns.TypeA), true)
	if b.Truncated || len(b.Ns) != 20 || len(b.Extra) != 20 {
		t.Errorf("referral over TCP: TC %v, %d+%d records; want 20+20", b.Truncated, len(b.Ns), len(b.Extra))
	}
}

// TestBigMessage: DN20: no compression pointer reaches beyond 14 bits in a
// message of nearly 65535 bytes; a set with more records than that holds is TC,
// not cut.
func TestBigMessage(t *testing.T) {
	mx := func(n int) string {
		text := ".org:1.2.3.4:ns.org\n"
		for i := range n {
			text += fmt.Sprintf("@big.org::a-host-with-a-long-name-%d.domain-%d.org:%d\n", i, i, i)
		}
		return text
	}
	a, _ := ask(t, compiled(t, mx(1024)), new(dns.Msg).SetQuestion("big.org.", dns.TypeMX), true)
	if a.Truncated || len(a.Answer) != 1024 {
		t.Errorf("TCP: TC %v, %d records; want 1024", a.Truncated, len(a.Answer))
	}
	for _, more := range []int{0, 6, 7} {
		var text strings.Builder
		text.WriteString(".org:1.2.3.4:ns.org\n")
		for i := range 2 * (4090 + more) { // each twice
			fmt.Fprintf(&text, "+big.org:10.0.%d.%d\n", i>>9, i>>1&255)
		}
		a, _ := ask(t, compiled(t, text.String()), new(dns.Msg).SetQuestion("big.org.", dns.TypeA), true)
		if fits := more == 0; a.Truncated == fits || fits && len(a.Answer) != 4090 {
			t.Errorf("%d addresses: TC %v, %d records", 4090+more, a.Truncated, len(a.Answer))
		}
	}
}

// TestAmplification (DN8): ANY over UDP gives no more than three times what was
// asked, for each name of the zone.
func TestAmplification(t *testing.T) {
	d := compiled(t, zoneText)
	for _, name := range []string{"testingsmtp.org.", "mail.testingsmtp.org.", "short.example.", "txt.testingsmtp.org.", "x.del.testingsmtp.org.", "no.testingsmtp.org.", "elsewhere.example."} {
		m := new(dns.Msg).SetQuestion(name, dns.TypeANY)
		m.SetEdns0(4096, true)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var q dnswire.Query
		if out, _ := say(d, string(b), false, &q); len(out) > 3*len(b) {
			t.Errorf("%s ANY: %d bytes for %d", name, len(out), len(b))
		}
	}
}

// TestExtendedErrors: why it was refused, and DO as it came.
func TestExtendedErrors(t *testing.T) {
	d := compiled(t, zoneText)
	for _, c := range []struct {
		name string
		kind uint16
		want []uint16
	}{{"testingsmtp.org.", dns.TypeA, nil}, {"x.example.", dns.TypeA, []uint16{dnswire.EdeNotAuth}}, {"testingsmtp.org.", dns.TypeAXFR, []uint16{dnswire.EdeProhibited}}} {
		m := new(dns.Msg).SetQuestion(c.name, c.kind)
		m.SetEdns0(1232, true)
		a, _ := ask(t, d, m, false)
		var got []uint16
		for _, o := range a.IsEdns0().Option {
			got = append(got, o.(*dns.EDNS0_EDE).InfoCode)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || !a.IsEdns0().Do() {
			t.Errorf("%s %d: extended errors %v, DO %v; want %v, true", c.name, c.kind, got, a.IsEdns0().Do(), c.want)
		}
	}
}
