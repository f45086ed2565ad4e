// SPDX-License-Identifier: ISC

package dnsreply

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"quill/internal/dnswire"
)

// wire is a name's wire form.
func wire(t testing.TB, s string) []byte {
	t.Helper()
	n, err := dnswire.Name(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOctets(t *testing.T) {
	for _, c := range []struct {
		name, base string
		n          int
		ip         [4]byte
	}{
		{"1.2.3.4.x", "x", 4, [4]byte{1, 2, 3, 4}}, {"x", "x", 0, [4]byte{}}, {"255.0.x", "x", 2, [4]byte{255, 0}}, {"1.2.3.4", "", 4, [4]byte{1, 2, 3, 4}}, {"", "", 0, [4]byte{}},
		{"1.2.3.4.5.x", "x", -1, [4]byte{1, 2, 3, 4}}, {"256.x", "x", -1, [4]byte{}}, {"01.x", "x", -1, [4]byte{}}, {"00.x", "x", -1, [4]byte{}}, {"0.x", "x", 1, [4]byte{}}, {"a.x", "x", -1, [4]byte{}},
		{"1000.x", "x", -1, [4]byte{}}, {"1.2.y", "x", -1, [4]byte{1, 2}}, {"1.x.x", "x", -1, [4]byte{1}}, {"2.1.2.x", "1.2.x", 1, [4]byte{2}}, {"1.2.3.4", "4", 3, [4]byte{1, 2, 3}},
	} {
		if ip, n := Octets(wire(t, c.name), wire(t, c.base)); n != c.n || ip != c.ip {
			t.Errorf("Octets(%q, %q) = %v, %d; want %v, %d", c.name, c.base, ip, n, c.ip, c.n)
		}
	}
}

func TestNibbles(t *testing.T) {
	for _, c := range []struct {
		name, base string
		n          int
		ip         string
	}{
		{"f.e.d.c.b.a.9.8.7.6.5.4.3.2.1.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.x", "x", 32, "20010db800000000" + "0123456789abcdef"},
		{"x", "x", 0, strings.Repeat("0", 32)}, {"1.2.x", "x", 2, strings.Repeat("0", 30) + "21"}, {"g.x", "x", -1, ""}, {"10.x", "x", -1, ""}, {strings.Repeat("0.", 33) + "x", "x", -1, ""}, {"1.y", "x", -1, ""},
	} {
		if ip, n := Nibbles(wire(t, c.name), wire(t, c.base)); n != c.n || n >= 0 && hex.EncodeToString(ip[:]) != c.ip {
			t.Errorf("Nibbles(%q, %q) = %x, %d; want %s, %d", c.name, c.base, ip, n, c.ip, c.n)
		}
	}
}

func TestUnder(t *testing.T) {
	for _, c := range []struct {
		name, base string
		want       bool
	}{{"a.b", "b", true}, {"b", "b", true}, {"", "", true}, {"a", "", true}, {"", "a", false}, {"ab", "b", false}, {"a.c", "b", false}, {"b", "a.b", false}, {"xa.b", "a.b", false}} {
		if got := Under(wire(t, c.name), wire(t, c.base)); got != c.want {
			t.Errorf("Under(%q, %q) = %v", c.name, c.base, got)
		}
	}
}

func TestNames(t *testing.T) {
	got, err := Names("A.b/c, d.e.")
	if want := []string{"\x01a\x01b\x00", "\x01c\x00", "\x01d\x01e\x00"}; err != nil || len(got) != 3 || string(got[0]) != want[0] || string(got[1]) != want[1] || string(got[2]) != want[2] {
		t.Errorf("Names = %q, %v; want %q", got, err, want)
	}
	if _, err := Names("a " + strings.Repeat("x", 64)); err == nil {
		t.Error("Names with a label of 64 bytes: no error")
	}
	if got, err := Names(" / "); len(got) != 0 || err != nil {
		t.Errorf("Names of nothing = %q, %v", got, err)
	}
}

// packet is a question in hexadecimal, with the blanks that make it readable.
func packet(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVerdicts: what becomes of packets that are no plain questions; find is not
// asked.
func TestVerdicts(t *testing.T) {
	const name = "0161 00"
	for _, c := range []struct {
		what, in, out string
		status        Status
	}{
		{"nothing", "", "", '/'}, {"eleven bytes", "1234 0000 0001 0000 0000 00", "", '/'}, {"an answer", "1234 8000 0001 0000 0000 0000 " + name + "0001 0001", "", '/'},
		{"no question", "1234 0000 0000 0000 0000 0000", "1234 8001 0000 0000 0000 0000", '/'}, {"a name cut short", "1234 0000 0001 0000 0000 0000 0161", "1234 8001 0000 0000 0000 0000", '/'},
		{"an update", "1234 2900 0000 0000 0000 0000", "1234 a904 0000 0000 0000 0000", 'I'},
		{"chaos", "1234 0100 0001 0000 0000 0000 " + name + "0010 0003", "1234 8105 0001 0000 0000 0000 " + name + "0010 0003", 'C'},
		{"type OPT", "1234 0000 0001 0000 0000 0000 " + name + "0029 0001", "1234 8001 0001 0000 0000 0000 " + name + "0029 0001", 'I'},
		{"AXFR with EDNS", "1234 0000 0001 0000 0000 0001 " + name + "00fc 0001 00 0029 1000 00000000 0000", "1234 8005 0001 0000 0000 0001 " + name + "00fc 0001 00 0029 04d0 00000000 0006 000f 0002 0012", 'I'},
		{"EDNS 1", "1234 0000 0001 0000 0000 0001 " + name + "0001 0001 00 0029 1000 00010000 0000", "1234 8000 0001 0000 0000 0001 " + name + "0001 0001 00 0029 04d0 01000000 0000", 'I'},
	} {
		var q dnswire.Query
		got, status := Answer(nil, packet(t, c.in), false, &q, func(*dnswire.Query, *Reply) { t.Errorf("%s: find was asked", c.what) })
		if want := packet(t, c.out); !bytes.Equal(got, want) || status != c.status {
			t.Errorf("%s: %x %c; want %x %c", c.what, got, status, want, c.status)
		}
	}
}

// TestTruncated: what has no room is sent with TC and without records, over UDP.
func TestTruncated(t *testing.T) {
	in := packet(t, "1234 0000 0001 0000 0000 0000 016100 0010 0001")
	find := func(n int) func(*dnswire.Query, *Reply) {
		return func(q *dnswire.Query, r *Reply) { r.Answers = []Record{{q.Name, 16, 1, make([]byte, n)}} }
	}
	const fits = dnswire.MinUDP - 12 - 7 - 12
	for _, c := range []struct {
		n    int
		tcp  bool
		size int
	}{{fits, false, 512}, {fits + 1, false, 19}, {fits + 1, true, 513}} {
		var q dnswire.Query
		got, _ := Answer([]byte("before"), in, c.tcp, &q, find(c.n))
		got = got[6:]
		if tc := got[2]&2 != 0; len(got) != c.size || tc != (c.size == 19) || tc && got[7] != 0 {
			t.Errorf("data of %d bytes, TCP %v: %d bytes, TC %v; want %d", c.n, c.tcp, len(got), tc, c.size)
		}
	}
}

// FuzzOld: any packet is answered or not, and an answer has its id.
func FuzzOld(f *testing.F) {
	f.Add([]byte("\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"))
	f.Add([]byte("\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"))
	f.Add([]byte("\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x12\x00\x01\x00\x01\x01a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var q dnswire.Query
		got, status := OldAnswer(nil, b, false, &q, func(r *Old) bool {
			r.Record(1, 5, func() { r.Bytes(1, 2, 3, 4) })
			r.Record(12, 5, r.OwnName)
			return true
		})
		if len(got) > oldUDP || len(got) > 0 != (status != '/') || len(got) > 0 && string(got[:2]) != string(b[:2]) {
			t.Errorf("OldAnswer(%x) = %x %c", b, got, status)
		}
	})
}
