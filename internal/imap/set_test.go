// SPDX-License-Identifier: ISC

package imap

import (
	"strings"
	"testing"
)

// TestSet: normal form, and what * is; IM4 of the attacks.
func TestSet(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"1", "1"},
		{"2,4:7,9,12:*", "2,4:7,9,12:*"}, // RFC 9051 §9
		{"7:4", "4:7"},
		{"3,2,1", "1:3"},
		{"1:5,3:9,10", "1:10"},
		{"*", "*"},
		{"*:*", "*"},
		{"4294967295:1", "1:4294967295"},
		{"4294967295,4294967294", "4294967294:4294967295"},
		{"1:*,*:1,1:*", "1:*"},
		{"5:*,*,9:*,*:3", "3:*"},
		{"5:*,7,9:12", "5:*"},
		{"1:5,3:*", "1:*"},
		{"1:2,3:*", "1:*"},
		{"1,3:*", "1,3:*"},
		{"1,*", "1,*"},
		{"007", "7"},
		{"$", "$"},
		{"", "BAD"}, {"0", "BAD"}, {"0:5", "BAD"}, {"1:0", "BAD"}, {"4294967296", "BAD"}, {"1:4294967296", "BAD"},
		{"99999999999999999999999", "BAD"}, {"1,", "BAD"}, {",1", "BAD"}, {"1:", "BAD"}, {":1", "BAD"}, {"1:2:3", "BAD"},
		{"-1", "BAD"}, {"$,1", "BAD"}, {"1,$", "BAD"}, {"$$", "BAD"}, {"**", "BAD"},
	} {
		s, err := ParseSet(c.in)
		got := s.String()
		if err != nil {
			got = "BAD"
		}
		if got != c.want {
			t.Errorf("ParseSet(%q) = %s; want %s", c.in, got, c.want)
		}
	}
}

func TestSetResolve(t *testing.T) {
	for _, c := range []struct {
		in   string
		last uint32
		want string
	}{
		{"2,4:7,9,12:*", 15, "2,4:7,9,12:15"}, // RFC 9051 §9's own example
		{"*:4,5:7", 10, "4:10"},               // and its second
		{"1:*", 0, ""},
		{"5:*", 3, "3"}, // the range is from * to 5
		{"*", 3, "3"},
		{"1:10", 3, "1:3"},
		{"7,9", 3, ""},
		{"*", 1<<32 - 1, "4294967295"},
		{"1:4294967295", 1<<32 - 1, "1:4294967295"},
	} {
		s, err := ParseSet(c.in)
		if err != nil {
			t.Fatalf("ParseSet(%q): %v", c.in, err)
		}
		if got := string(AppendRanges(nil, s.Resolve(c.last))); got != c.want {
			t.Errorf("%q up to %d = %q; want %q", c.in, c.last, got, c.want)
		}
	}
}

// TestIM4 reads sets that say the same many times over: the result is small,
// and too many ranges are refused.
func TestIM4(t *testing.T) {
	s, err := ParseSet(strings.Repeat("1:*,*:1,", maxRanges/2-1) + "1:*,2")
	if err != nil || s.String() != "1:*" {
		t.Errorf("%d ranges = %v, %v; want 1:*", maxRanges, s, err)
	}
	if got := len(s.Resolve(1000)); got != 1 {
		t.Errorf("resolved to %d ranges; want 1", got)
	}
	if _, err := ParseSet(strings.Repeat("7,", maxRanges) + "7"); err == nil {
		t.Errorf("%d ranges: accepted", maxRanges+1)
	}
	if s, err := ParseSet(strings.Repeat("7,", maxRanges-1) + "7"); err != nil || s.String() != "7" {
		t.Errorf("%d ranges = %v, %v; want 7", maxRanges, s, err)
	}
}

// FuzzSet holds a set against one that is read naively, number by number.
func FuzzSet(f *testing.F) {
	for _, s := range []string{"1", "2,4:7,9,12:*", "*:4,5:7", "*", "5:*,*,9:*", "1:4294967295", "7:4,4:7"} {
		f.Add(s, uint32(10))
	}
	f.Fuzz(func(t *testing.T, in string, last uint32) {
		s, err := ParseSet(in)
		if err != nil {
			return
		}
		again, err := ParseSet(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q: %v read again = %v, %v", in, s, again, err)
		}
		if m := s.Max(); m > 0 && s.From > 0 && m >= s.From-1 {
			t.Fatalf("%q = %v, not in normal form", in, s)
		}
		for i := 1; i < len(s.Ranges); i++ {
			if s.Ranges[i].Lo <= s.Ranges[i-1].Hi || s.Ranges[i].Lo == s.Ranges[i-1].Hi+1 {
				t.Fatalf("%q = %v, not in normal form", in, s)
			}
		}
		last %= 64
		rs := s.Resolve(last)
		for n := uint32(1); n <= 64; n++ {
			want := !s.Saved && n <= last && naive(in, n, last)
			if got := s.Contains(n, last); got != want {
				t.Fatalf("%q contains %d of %d: %v; want %v", in, n, last, got, want)
			}
			resolved := false
			for _, r := range rs {
				resolved = resolved || r.Lo <= n && n <= r.Hi
			}
			if resolved != want {
				t.Fatalf("%q resolved to %v of %d: %d is in it: %v; want %v", in, rs, last, n, resolved, want)
			}
		}
	})
}

// naive says whether n is in the set in by its definition.
func naive(in string, n, last uint32) bool {
	value := func(s string) uint32 {
		if s == "*" {
			return last
		}
		v, _ := number([]byte(s), 1<<32-1)
		return uint32(v)
	}
	for item := range strings.SplitSeq(in, ",") {
		a, b, ok := strings.Cut(item, ":")
		if !ok {
			b = a
		}
		lo, hi := value(a), value(b)
		if min(lo, hi) <= n && n <= max(lo, hi) {
			return true
		}
	}
	return false
}
