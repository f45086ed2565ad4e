// SPDX-License-Identifier: ISC

package imapsearch

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func folded(s string) string { return string(appendFold(nil, []byte(s))) }

// TestFold: two characters are one where Unicode's simple folding says so, and no
// character gets longer. Beyond U+1FFFF there is no case.
func TestFold(t *testing.T) {
	for r := rune(0); r <= 0x1ffff; r++ {
		if r == '\r' || r == '\t' || r >= 0xd800 && r < 0xe000 {
			continue
		}
		got := folded(string(r))
		if next := folded(string(unicode.SimpleFold(r))); got != next {
			t.Errorf("%U folds to %q; %U to %q", r, got, unicode.SimpleFold(r), next)
		}
		if back, _ := utf8.DecodeRuneInString(got); !strings.EqualFold(string(back), string(r)) || len(got) > utf8.RuneLen(r) {
			t.Errorf("%U folds to %q", r, got)
		}
	}
	for in, want := range map[string]string{"a\tB\r\nC": "a b\nc", "\xff\xc3A": "\xff\xc3a", "\u212aſ": "ks", "ΣςσÄ": "ΣΣΣÄ", "": ""} {
		if got := folded(in); got != want {
			t.Errorf("fold(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestWhole(t *testing.T) {
	for in, want := range map[string]int{"": 0, "a": 1, "aé": 3, "a\xc3": 1, "\xe2\x82": 0, "€": 3, "\xf0\x9f\x98": 0, "a\xff": 2, "\x80\x80\x80\x80\x80": 5} {
		if got := whole([]byte(in)); got != want {
			t.Errorf("whole(%q) = %d; want %d", in, got, want)
		}
	}
}

// look is what a finder finds of patterns in a text that comes in pieces of n.
func look(f *finder, text string, n int) {
	f.begin()
	for b := []byte(text); len(b) > 0; {
		n := min(n, len(b))
		f.feed(b[:n])
		b = b[n:]
	}
}

func checkFinder(t *testing.T, patterns []string, text string, n int) {
	t.Helper()
	var f finder
	ids := make([]int, len(patterns))
	for i, p := range patterns {
		ids[i] = f.add([]byte(p))
	}
	f.build()
	for range 2 { // the second time after a reset
		look(&f, text, n)
		for i, p := range patterns {
			if got, want := f.found[ids[i]], strings.Contains(text, p); got != want {
				t.Errorf("%q in %q in pieces of %d (with %q): %v; want %v", p, text, n, patterns, got, want)
			}
		}
		f.reset()
	}
}

func TestFinder(t *testing.T) {
	long := strings.Repeat("ab", maxPlain)
	for _, c := range []struct {
		patterns []string
		text     string
	}{
		{[]string{"a"}, ""}, {[]string{"a"}, "bca"}, {[]string{"abc"}, "ababc"}, {[]string{"aab"}, "aaaab"}, {[]string{long[:maxPlain]}, "b" + long}, {[]string{long}, "b" + long + "a"},
		{[]string{"he", "she", "his", "hers"}, "ushers"}, {[]string{"he", "she", "his", "hers"}, "ahishe"}, {[]string{"a", "aa", "aaa", "aaaa"}, "aaa"},
		{[]string{"abcd", "bc", "c"}, "xabce"}, {[]string{"abcd", "bcx"}, "abcx"}, {[]string{"a", "a", "b"}, "b"}, {[]string{"aba", "bab"}, "abab"},
	} {
		for n := 1; n <= 7; n++ {
			checkFinder(t, c.patterns, c.text, n)
		}
	}
	var f finder // a text's end and the next one's beginning are not joined
	f.add([]byte("ab"))
	f.build()
	look(&f, "a", 1)
	if look(&f, "b", 1); f.found[0] {
		t.Error("a pattern is found across two texts")
	}
}

// FuzzFinder: what is found is what strings.Contains finds in the folded text.
func FuzzFinder(f *testing.F) {
	f.Add("he she his hers", "uSHErs", uint8(2))
	f.Add("straße", "STRASSE STRAẞE", uint8(1))
	f.Add(strings.Repeat("x", 40), strings.Repeat("x", 50), uint8(3))
	f.Add("\xc3 \xa9", "é", uint8(1))
	f.Fuzz(func(t *testing.T, patterns, text string, n uint8) {
		var ps []string
		for _, p := range strings.Fields(patterns) {
			if p = folded(p); p != "" {
				ps = append(ps, p)
			}
		}
		if len(ps) == 0 || len(ps) > 50 {
			return
		}
		once := folded(strings.ReplaceAll(text, "\r", "")) // where a CR goes, broken bytes may make a character
		text = folded(text)
		checkFinder(t, ps, text, int(n)+1)
		checkFinder(t, ps[:1], text, int(n)+1)
		if again := folded(once); again != once {
			t.Errorf("%q folded again is %q", once, again)
		}
	})
}
