// SPDX-License-Identifier: ISC

package maildir

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"quill/internal/mailid"
)

const someID = mailid.ID(1795479806011174042) // 1795479806 s, 11174 µs, 42

func TestName(t *testing.T) {
	for _, c := range []struct {
		rcpt  int
		host  string
		s, w  int64
		want  string
		extra string
	}{
		{0, "mail.example.org", 120, 125, "1795479806.M11174Q1795479806011174042R0.mail.example.org,S=120,W=125", ""},
		{12, "a/b:c,d", 0, 0, `1795479806.M11174Q1795479806011174042R12.a\057b\072c\054d,S=0,W=0`, ""},
		{1, strings.Repeat("x", 30), 1, 1, "1795479806.M11174Q1795479806011174042R1." + strings.Repeat("x", 24) + ",S=1,W=1", ""},
		{1, strings.Repeat("x", 22) + ":y", 1, 1, "1795479806.M11174Q1795479806011174042R1." + strings.Repeat("x", 22) + ",S=1,W=1", ""},
		{1, "", 1, 1, "1795479806.M11174Q1795479806011174042R1.localhost,S=1,W=1", ""},
		{1, "a\nb\xff", 1, 1, "1795479806.M11174Q1795479806011174042R1.a_b_,S=1,W=1", ""},
	} {
		if got := Name(someID, c.rcpt, c.host, c.s, c.w); got != c.want {
			t.Errorf("Name(%d, %q) = %q; want %q", c.rcpt, c.host, got, c.want)
		}
	}
}

func TestUIDL(t *testing.T) {
	long := strings.Repeat("x", 70)
	for in, want := range map[string]string{
		"1.M2Q3R4.host,S=5,W=6":            "1.M2Q3R4.host",
		"1.M2Q3R4.host,S=5,W=6:2,RS":       "1.M2Q3R4.host",
		"1.M2Q3R4.host:2,RS":               "1.M2Q3R4.host",
		long:                               long,
		long + "y":                         hashed(long + "y"),
		"a b":                              hashed("a b"),
		"\xe4":                             hashed("\xe4"),
		",S=1:2,":                          hashed(",S=1"),
		Name(someID, 999, long, 1e12, 2e9): "1795479806.M11174Q1795479806011174042R999." + long[:24],
	} {
		got := UIDL(in)
		if got != want {
			t.Errorf("UIDL(%q) = %q; want %q", in, got, want)
		}
		if len(got) < 1 || len(got) > 70 {
			t.Errorf("UIDL(%q) has %d bytes", in, len(got))
		}
	}
}

// TestUIDLs: names that differ only behind the ',' still have two unique-ids.
func TestUIDLs(t *testing.T) {
	got := UIDLs([]Message{{Name: "a,S=1"}, {Name: "a,S=2"}, {Name: "b"}, {Name: "a,S=3:2,"}})
	if want := []string{"a", hashed("a,S=2"), "b", hashed("a,S=3")}; !slices.Equal(got, want) {
		t.Errorf("UIDLs = %q; want %q", got, want)
	}
}

func TestFlags(t *testing.T) {
	for in, want := range map[string]string{
		"k:2,RS": "RS", "k:2,SR": "RS", "k:2,SSR": "RS", "k:2,": "", "k": "", "k:1,S": "", "k:,S": "", "k:2,S\x01Z ": "SZ", "k:2,S:x": "Sx", "k:2,aT": "Ta",
	} {
		if got := string(Flags(in)); got != want {
			t.Errorf("Flags(%q) = %q; want %q", in, got, want)
		}
	}
	if got := WithFlags("k,S=1:2,R", []Flag{'S', 'R', 'S'}); got != "k,S=1:2,RS" {
		t.Errorf("WithFlags = %q; want k,S=1:2,RS", got)
	}
}

func TestNameSizes(t *testing.T) {
	for in, want := range map[string][2]int64{
		"a,S=1,W=2": {1, 2}, "a,W=2,S=1:2,S": {1, 2}, "a": {-1, -1}, "a,S=x": {-1, -1}, "a,S=-1": {-1, -1}, "a,S=": {-1, -1},
		"a,S=99999999999999999999": {-1, -1}, "a,S=1x": {-1, -1}, "a:2,S,S=1": {-1, -1},
	} {
		if s, w := nameSizes(in); s != want[0] || w != want[1] {
			t.Errorf("nameSizes(%q) = %d, %d; want %d, %d", in, s, w, want[0], want[1])
		}
	}
}

func TestCounter(t *testing.T) {
	for in, want := range map[string]int64{"": 0, "\n": 2, "a\nb\n": 6, "a\r\nb\r\n": 6, "a\r\r\n": 4, "\r": 1, "a\n\n": 5, "no end": 6} {
		for cut := range len(in) + 1 {
			var c counter
			c.Write([]byte(in[:cut]))
			c.Write([]byte(in[cut:]))
			if c.wire != want || c.size != int64(len(in)) {
				t.Errorf("counter of %q cut at %d = %d, %d; want %d, %d", in, cut, c.size, c.wire, len(in), want)
			}
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("1.M2Q3R4.host,S=5,W=6:2,RS")
	f.Add("a b:1,\x00,S=9")
	f.Fuzz(func(t *testing.T, name string) {
		id := UIDL(name)
		if len(id) < 1 || len(id) > 70 || strings.ContainsFunc(id, func(r rune) bool { return r < '!' || r > '~' }) {
			t.Errorf("UIDL(%q) = %q", name, id)
		}
		flags := Flags(name)
		if again := Flags(WithFlags(name, flags)); !slices.Equal(flags, again) {
			t.Errorf("Flags(WithFlags(%q)) = %q; want %q", name, string(again), string(flags))
		}
		if UIDL(WithFlags(name, flags)) != id {
			t.Errorf("UIDL(%q) changes with flags", name)
		}
		nameSizes(name)
		nameTime(name)
		if h := Host(name); h == "" || len(h) > hostMax || strings.ContainsAny(h, "/:,\x00\n ") {
			t.Errorf("Host(%q) = %q", name, h)
		}
	})
}

func FuzzCounter(f *testing.F) {
	f.Add([]byte("a\r\n\nb\r"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		var c counter
		cut = max(0, min(cut, len(b)))
		c.Write(b[:cut])
		c.Write(b[cut:])
		crlf := bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		if c.wire != int64(len(crlf)) {
			t.Errorf("counter of %q cut at %d = %d; want %d", b, cut, c.wire, len(crlf))
		}
	})
}
