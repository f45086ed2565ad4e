// SPDX-License-Identifier: ISC

package imap

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a/b/c", true}, {"%", "a", true}, {"%", "a/b", false}, {"%/%", "a/b", true}, {"%/%", "a/b/c", false}, {"*", "", true}, {"%", "", true}, {"", "", true}, {"", "a", false},
		{"a", "a", true}, {"a", "A", false}, {"a", "ab", false}, {"ab", "a", false},
		{"a*c", "a/b/c", true}, {"a%c", "a/b/c", false}, {"a%c", "abc", true}, {"*%", "a/b", true}, {"%*", "a/b", true}, {"%%", "a/b", false}, {"**", "a/b", true},
		{"*a", "ba/aa", true}, {"*a%", "a/b", false}, {"*/%", "a/b/c", true}, {"%a*", "xa/b", true},
		{"foo/%", "foo/", true}, {"foo/%", "foo", false}, // RFC 9051 §6.3.9: one level
		{"inbox", "INBOX", true}, {"INBOX", "INBOX", true}, {"InBox/%", "INBOX/a", true}, {"i%", "INBOX", true}, {"*x", "INBOX", true},
		{"inbox/A", "INBOX/a", false}, {"inboxes", "INBOXES", false}, {"a/inbox", "a/INBOX", false}, {"%/inbox", "INBOX/INBOX", false},
	} {
		if got := NewMatcher(c.pattern, '/').Match(c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v; want %v", c.pattern, c.name, got, c.want)
		}
	}
	if !NewMatcher("%", '.').Match("a/b") || NewMatcher("%", '.').Match("a.b") || !NewMatcher("%", 0).Match("a.b/c") {
		t.Error("the separator is not the parameter")
	}
}

// TestIM7: patterns that make a matcher try all ways take no time.
func TestIM7(t *testing.T) {
	name := strings.Repeat("x/", maxMailbox/2-1) + "y"
	start := time.Now()
	for _, pattern := range []string{"*%*%*%*%*%*%x", strings.Repeat("*%", 500) + "z", strings.Repeat("*x", 500) + "z", strings.Repeat("*x%/", 250) + "z", strings.Repeat("%/", 500) + "*z"} {
		if NewMatcher(pattern, '/').Match(name) {
			t.Errorf("%.20q… matches", pattern)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestMatchLong crosses the words of the matcher's sets, and matches one name
// after another.
func TestMatchLong(t *testing.T) {
	for n := 1; n < 300; n++ {
		x := strings.Repeat("x", n)
		for _, c := range []struct {
			pattern, name string
			want          bool
		}{
			{x, x, true}, {x, x + "x", false}, {x + "x", x, false}, {x + "*", x, true}, {x + "%y", x + "zy", true}, {x + "%y", x + "/y", false},
			{"*" + x + "y", x + x + "y", true}, {strings.Repeat("x%", n), x, true}, {strings.Repeat("x%/", n) + "y", strings.Repeat("xx/", n) + "y", true},
		} {
			m := NewMatcher(c.pattern, '/')
			m.Match("other")
			if got := m.Match(c.name); got != c.want {
				t.Fatalf("Match(%q, %q) = %v; want %v", c.pattern, c.name, got, c.want)
			}
		}
	}
}

// FuzzMatch holds Matcher against one that tries all ways.
func FuzzMatch(f *testing.F) {
	for _, s := range [][2]string{{"*%a", "a/b/a"}, {"%/%", "a/b"}, {"inbox*", "INBOX/a"}, {"a*b%c", "aab/bc"}, {"**%%**", "///"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 10 || len(name) > 12 {
			return
		}
		fold := 0
		if level, _, _ := strings.Cut(name, "/"); strings.EqualFold(level, "INBOX") {
			fold = 5
		}
		if got, want := NewMatcher(pattern, '/').Match(name), slow(pattern, name, fold); got != want {
			t.Fatalf("Match(%q, %q) = %v; want %v", pattern, name, got, want)
		}
	})
}

// slow is Match by its definition; the first fold bytes match in any case.
func slow(pattern, name string, fold int) bool {
	if pattern == "" {
		return name == ""
	}
	rest := pattern[1:]
	switch pattern[0] {
	case '*', '%':
		for i := 0; i <= len(name); i++ {
			if slow(rest, name[i:], max(0, fold-i)) {
				return true
			}
			if pattern[0] == '%' && i < len(name) && name[i] == '/' {
				return false
			}
		}
		return false
	}
	return name != "" && (name[0] == pattern[0] || fold > 0 && strings.EqualFold(name[:1], pattern[:1])) && slow(rest, name[1:], max(0, fold-1))
}

// TestManyPatterns: a LIST has at most maxPatterns, for each is held against each
// folder with the reference before it.
func TestManyPatterns(t *testing.T) {
	list := func(n int) string { return `LIST "" (` + strings.Repeat(`a* `, n-1) + `"b%")` }
	if c, err := read(t, list(maxPatterns)); err != nil || len(c.List.Patterns) != maxPatterns {
		t.Errorf("%d patterns: %v", maxPatterns, err)
	}
	long := func(reference int) string { // with seven patterns of 170 bytes
		return `LIST ` + strings.Repeat("r", reference) + ` (` + strings.TrimSpace(strings.Repeat(strings.Repeat("a", 170)+" ", 7)) + `)`
	}
	const fits = (maxPattern - 7*170) / 7
	if _, err := read(t, long(fits)); err != nil {
		t.Errorf("patterns of %d bytes: %v", 7*(fits+170), err)
	}
	for _, line := range []string{list(maxPatterns + 1), long(fits + 1)} {
		_, err := read(t, line)
		var e *Error
		if !errors.As(err, &e) || e.Status != "NO" || e.Code != "LIMIT" {
			t.Errorf("%.40q: %v; want NO [LIMIT]", line, err)
		}
	}
}
