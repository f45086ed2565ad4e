// SPDX-License-Identifier: ISC

package dnswire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSiphash: vectors of the reference implementation, for the key 00 01 … 0f
// and messages of 0, 1, … bytes.
func TestSiphash(t *testing.T) {
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137, 8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		if got := siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, b); got != want {
			t.Errorf("siphash of %d bytes = %x; want %x", n, got, want)
		}
	}
}

// TestCookieVectors: RFC 9018 appendix A.
func TestCookieVectors(t *testing.T) {
	const first, second, third = "e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715"
	for _, c := range []struct {
		name, secret, previous, from, question string
		at, now                                uint32 // of reading and of answering
		state                                  CookieState
		want                                   string
	}{
		{"A.1", first, "", "198.51.100.100", "2464c4abcf10c957", 1559731985, 1559731985, CookieClient, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.2", first, "", "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385, 1559734385, CookieGood, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		{"A.3", first, "", "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559727985, 1559734700, CookieGood, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
		{"A.4", second, third, "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, 1559741961, CookieGood, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
	} {
		cookies := NewCookies([16]byte(unhex(t, c.secret)))
		if c.previous != "" {
			cookies = NewCookies([16]byte(unhex(t, c.secret)), [16]byte(unhex(t, c.previous)))
		}
		from, option := netip.MustParseAddr(c.from), unhex(t, c.question)
		state, ok := cookies.Read(option, from, c.at)
		if state != c.state || !ok {
			t.Errorf("%s: read = %d, %v; want %d", c.name, state, ok, c.state)
		}
		if got := hex.EncodeToString(cookies.append(nil, option, state, from, c.now)[4:]); got != c.want {
			t.Errorf("%s: answer %s; want %s", c.name, got, c.want)
		}
	}
}

// TestCookies: what is a cookie, whose, and for how long.
func TestCookies(t *testing.T) {
	const now = 1559731985
	cookies, from := NewCookies([16]byte{1}), netip.MustParseAddr("192.0.2.1")
	made := func(at uint32) []byte { return cookies.append(nil, []byte("12345678"), CookieClient, from, at)[4:] }
	flip := func(i int) []byte { b := made(now); b[i] ^= 1; return b }
	for _, c := range []struct {
		name   string
		option []byte
		from   string
		state  CookieState
		ok     bool
	}{
		{"client only", []byte("12345678"), "192.0.2.1", CookieClient, true}, {"good", made(now), "192.0.2.1", CookieGood, true}, {"another address", made(now), "192.0.2.2", CookieBad, true}, {"mapped", made(now), "::ffff:192.0.2.1", CookieGood, true},
		{"an hour old", made(now - 3600), "192.0.2.1", CookieGood, true}, {"too old", made(now - 3601), "192.0.2.1", CookieBad, true}, {"5 minutes ahead", made(now + 300), "192.0.2.1", CookieGood, true}, {"too far ahead", made(now + 301), "192.0.2.1", CookieBad, true},
		{"another client", flip(0), "192.0.2.1", CookieBad, true}, {"version", flip(8), "192.0.2.1", CookieBad, true}, {"reserved", flip(10), "192.0.2.1", CookieBad, true}, {"hash", flip(23), "192.0.2.1", CookieBad, true},
		{"none", nil, "192.0.2.1", CookieNone, false}, {"7", make([]byte, 7), "192.0.2.1", CookieNone, false}, {"15", make([]byte, 15), "192.0.2.1", CookieNone, false}, {"16", make([]byte, 16), "192.0.2.1", CookieBad, true}, {"40", make([]byte, 40), "192.0.2.1", CookieBad, true}, {"41", make([]byte, 41), "192.0.2.1", CookieNone, false},
	} {
		if state, ok := cookies.Read(c.option, netip.MustParseAddr(c.from), now); state != c.state || ok != c.ok {
			t.Errorf("%s: %d, %v; want %d, %v", c.name, state, ok, c.state, c.ok)
		}
	}
	young, old := made(now-1799), made(now-1800)
	if got := cookies.append(nil, young, CookieGood, from, now)[4:]; string(got) != string(young) {
		t.Errorf("answer to a young cookie: %x; want %x", got, young)
	}
	if got := cookies.append(nil, old, CookieGood, from, now)[4:]; string(got) != string(made(now)) {
		t.Errorf("answer to an old cookie: %x; want %x", got, made(now))
	}
}

// TestSkipName: names before EDNS may be compressed, in the oldest way.
func TestSkipName(t *testing.T) {
	for in, want := range map[string]int{"": 0, "\x00": 1, "\x01a\x00": 3, "\x01a\xc0\x0c": 4, "\xc0": 0, "\xc0\x00": 2, "\x40": 0, "\x01": 0, strings.Repeat("\x01a", 127) + "\x00": 255, strings.Repeat("\x01a", 128) + "\x00": 0} {
		if got := skipName([]byte(in)); got != want {
			t.Errorf("skipName(%q) = %d; want %d", in, got, want)
		}
	}
}

// TestUnpackName: names as djb's programs read them.
func TestUnpackName(t *testing.T) {
	head := "............" // 12 bytes; each a pointer nowhere
	for _, c := range []struct {
		name, in, want string
		next           int
	}{
		{"plain", "\x01a\x00", "\x01a\x00", 15}, {"root", "\x00", "\x00", 13}, {"to itself", "\xc0\x0c", "", 0}, {"two that point to each other", "\xc0\x0e\xc0\x0c", "", 0}, {"on", "\xc0\x10..\x01b\x00", "\x01b\x00", 14},
		{"label, then on", "\x01a\xc0\x11.\x01b\x00", "\x01a\x01b\x00", 16}, {"outside", "\xc0\xff", "", 0}, {"cut", "\xc0", "", 0}, {"0x40", "\x40a", "", 0}, {"0x80", "\x80a", "", 0}, {"no end", "\x01a", "", 0},
		{"255 bytes", strings.Repeat("\x01a", 127) + "\x00", strings.Repeat("\x01a", 127) + "\x00", 267}, {"256 bytes", "\x02aa" + strings.Repeat("\x01a", 126) + "\x00", "", 0},
	} {
		var name [MaxName]byte
		n, next := unpackName([]byte(head+c.in), 12, &name)
		if string(name[:n]) != c.want || next != c.next {
			t.Errorf("%s: %q, %d; want %q, %d", c.name, name[:n], next, c.want, c.next)
		}
	}
}

// TestCompression: what is a pointer, and what never is (DN20).
func TestCompression(t *testing.T) {
	var m Message
	m.Begin([]byte("before"), 1, 0)
	for _, n := range []string{"\x03www\x07Example\x03org\x00", "\x03WWW\x07example\x03org\x00", "\x04mail\x07example\x03org\x00", "\x03net\x00", "\x00"} {
		m.Name([]byte(n))
	}
	if got, want := string(m.B[6+HeaderLen:]), "\x03www\x07Example\x03org\x00\xc0\x0c\x04mail\xc0\x10\x03net\x00\x00"; got != want {
		t.Errorf("names %q; want %q", got, want)
	}
	mark := m.Mark()
	m.Name([]byte("\x03new\x00"))
	m.Back(mark)
	m.Name([]byte("\x03new\x00"))
	if got := string(m.B[len(m.B)-5:]); got != "\x03new\x00" {
		t.Errorf("after going back: %q; want the name whole", got)
	}
	m.Begin(nil, 1, 0)
	m.Bytes(make([]byte, maxPointer-HeaderLen))
	for range 2 {
		m.Name([]byte("\x01a\x00"))
	}
	if got, want := string(m.B[maxPointer:]), "\x01a\x00\xff\xff"; got != want {
		t.Errorf("at the last place: %q; want %q", got, want)
	}
	m.Begin(nil, 1, 0)
	m.Bytes(make([]byte, maxPointer-HeaderLen+1))
	for range 2 {
		m.Name([]byte("\x01a\x00"))
	}
	if got, want := string(m.B[maxPointer+1:]), "\x01a\x00\x01a\x00"; got != want {
		t.Errorf("behind the last place: %q; want %q", got, want)
	}
	m.Begin(nil, 1, 0)
	for i := range maxNames + 50 {
		m.Name(fmt.Appendf(nil, "\x03%03d\x00", i))
	}
	if at := m.Len(); m.n != maxNames {
		t.Errorf("%d names remembered after %d bytes; want %d", m.n, at, maxNames)
	}
}

// FuzzParse: no packet makes it panic, and what it accepts has a name.
func FuzzParse(f *testing.F) {
	f.Add([]byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a\x00\x00\x01\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x0812345678"))
	f.Add([]byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x01\x00\x00\x01a\x00\x00\xfb\x00\x01\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var q Query
		if Parse(b, &q) == Accept && q.Name == nil && q.Option == nil {
			t.Errorf("%x: accepted without a name or cookie", b)
		}
		if q.Name != nil && NameLen(q.Name) != len(q.Name) {
			t.Errorf("%x: name %x", b, q.Name)
		}
		var name [MaxName]byte
		if ParseDJB(b, &q, &name) && NameLen(q.Name) != len(q.Name) {
			t.Errorf("%x: djb's name %x", b, q.Name)
		}
		NewCookies([16]byte{}).Read(b, netip.IPv6LinkLocalAllNodes(), 0)
	})
}

// TestOPT: the record says what was asked for, and its length is what Room
// says.
func TestOPT(t *testing.T) {
	from := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		q    Query
		r    Reply
		want string
	}{
		{Query{}, Reply{Ede: EdeNone}, ""}, {Query{EDNS: true}, Reply{Ede: EdeNone}, "00002904d000000000" + "0000"}, {Query{EDNS: true, DO: true, Rcode: RcodeBadVers}, Reply{Ede: EdeNone}, "00002904d001008000" + "0000"},
		{Query{EDNS: true, NSID: true}, Reply{Ede: EdeNotAuth, NSID: []byte("a")}, "00002904d000000000" + "000b" + "000f00020014" + "0003000161"},
		{Query{EDNS: true, Cookie: CookieClient, Option: []byte("12345678")}, Reply{Ede: EdeNone, Cookies: NewCookies([16]byte{1}), From: from, Now: 7}, ""},
	} {
		got := c.r.Append(nil, &c.q)
		if c.want != "" && hex.EncodeToString(got) != c.want || len(got) != c.r.Room(&c.q) {
			t.Errorf("OPT for %+v: %x of %d bytes; want %s of %d", c.q, got, len(got), c.want, c.r.Room(&c.q))
		}
		if len(got) > 0 && int(binary.BigEndian.Uint16(got[9:]))+optLen != len(got) {
			t.Errorf("OPT for %+v: %x; its length is wrong", c.q, got)
		}
	}
}
