// SPDX-License-Identifier: ISC

package addr

import (
	"errors"
	"strings"
	"testing"
)

func TestParsePath(t *testing.T) {
	for _, c := range []struct {
		in, want string
		err      error
	}{
		{"sendmemail@testingsmtp.org", "sendmemail@testingsmtp.org", nil},
		{"", "", nil},
		{"u@LOCAL.", "u@LOCAL", nil},
		{"@evil.example,@b.example:u@remote.example", "u@remote.example", nil},
		{`"u@remote.example"@testingsmtp.org`, "u@remote.example@testingsmtp.org", nil},
		{`"a b"@x.org`, "a b@x.org", nil},
		{`"a\"\\b"@x.org`, `a"\b@x.org`, nil},
		{"u%remote.example@x.org", "u%remote.example@x.org", nil},
		{"remote!u@x.org", "remote!u@x.org", nil},
		{"u@[127.0.0.1]", "u@[127.0.0.1]", nil},
		{"u@[IPv6:::1]", "u@[IPv6:::1]", nil},
		{"/etc/passwd@x.org", "/etc/passwd@x.org", nil},
		{"|id@x.org", "|id@x.org", nil},
		{"u", "u", ErrNoDomain},
		{"u@", "u", ErrNoDomain},
		{"postmaster", "postmaster", ErrNoDomain},
		{"u@a@b", "", ErrSyntax},
		{`""@x.org`, "", ErrSyntax},
		{`""`, "", ErrSyntax},
		{`"u\"@x.org`, "", ErrSyntax},
		{"u@local..", "", ErrSyntax},
		{"u@.local", "", ErrSyntax},
		{"u@[999.1.1.1]", "", ErrSyntax},
		{"u@[127.1]", "", ErrSyntax},
		{"u@[0127.0.0.1]", "", ErrSyntax},
		{"u@[IPv6:1.2.3.4]", "", ErrSyntax},
		{"u@[::1]", "", ErrSyntax},
		{"ü@x.org", "", ErrSyntax},
		{"u@lοcal", "", ErrSyntax},
		{"a\x00@b", "", ErrSyntax},
		{"u@b\x00.evil", "", ErrSyntax},
		{"\xc0\xae@x", "", ErrSyntax},
		{"u(c)@x.org", "", ErrSyntax},
		{"a b@x.org", "", ErrSyntax},
		{"@evil:", "", ErrSyntax},
		{"@:u@x", "", ErrSyntax},
		{strings.Repeat("l", MaxLocal) + "@x.org", strings.Repeat("l", MaxLocal) + "@x.org", nil},
		{strings.Repeat("l", MaxLocal+1) + "@x.org", "", ErrTooLong},
		{"u@" + strings.Repeat("d", 63) + ".org", "u@" + strings.Repeat("d", 63) + ".org", nil},
		{"u@" + strings.Repeat("d", 64) + ".org", "", ErrSyntax},
		{strings.Repeat("l", MaxPath+1), "", ErrTooLong},
	} {
		p, err := ParsePath(c.in)
		if !errors.Is(err, c.err) || (err == nil || err == ErrNoDomain) && p.String() != c.want {
			t.Errorf("ParsePath(%q) = %q, %v; want %q, %v", c.in, p, err, c.want, c.err)
		}
	}
}

func TestParseCommand(t *testing.T) {
	for _, c := range []struct {
		in, path, params string
		err              error
	}{
		{"FROM:<a@b.org> SIZE=100 body=8BITMIME", "a@b.org", "SIZE=100 BODY=8BITMIME", nil},
		{"from: <a@b.org>", "a@b.org", "", nil},
		{"FROM:<>", "", "", nil},
		{`FROM:<"a>b"@c.org>`, "a>b@c.org", "", nil},
		{"FROM:a@b.org", "", "", ErrSyntax},
		{"FROM:<a@b.org", "", "", ErrSyntax},
		{"FROM:<a@b.org>SIZE=1", "", "", ErrParams},
		{"FROM:<a@b.org> =1", "", "", ErrParams},
		{"FROM:<a@b.org> X=ü", "", "", ErrParams},
		{"FROM <a@b.org>", "", "", ErrSyntax},
		{"TO:<a@b.org>", "", "", ErrSyntax},
		{"", "", "", ErrSyntax},
		{"FROM:<a@b.org>" + strings.Repeat(" A=1", MaxParams), "a@b.org", strings.TrimSpace(strings.Repeat(" A=1", MaxParams)), nil},
		{"FROM:<a@b.org>" + strings.Repeat(" A=1", MaxParams+1), "", "", ErrParams},
	} {
		p, params, err := ParseCommand(c.in, "FROM")
		var words []string
		for _, kv := range params {
			words = append(words, kv.Key+"="+kv.Value)
		}
		if !errors.Is(err, c.err) || err == nil && (p.String() != c.path || strings.Join(words, " ") != c.params) {
			t.Errorf("ParseCommand(%q) = %q, %q, %v; want %q, %q, %v", c.in, p, words, err, c.path, c.params, c.err)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"a@b": "a@b", "a b@c": `"a b"@c`, "": "", `a"\@c`: `"a\"\\"@c`, "a\nReturn-Path: <x>@h": `"a_Return-Path: <x>"@h`, "u@r@l": `"u@r"@l`, "#@[]": "#@[]", ".a@b": `".a"@b`} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %q; want %q", in, got, want)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add(`FROM:<"a\"b"@c.org> SIZE=1`)
	f.Fuzz(func(t *testing.T, s string) {
		p, _, err := ParseCommand(s, "FROM")
		if err != nil {
			return
		}
		for _, c := range []byte(p.String()) {
			if c < 32 || c > 126 {
				t.Errorf("ParseCommand(%q) let byte %#x through", s, c)
			}
		}
	})
}

// TestRelaxed: what qmail-smtpd takes is brought into the strict form, and is
// judged there.
func TestRelaxed(t *testing.T) {
	for in, want := range map[string]string{
		"FROM:<a@b>":                 "FROM:<a@b>",
		"from: <a@b> SIZE=1 X":       "FROM:<a@b>",
		"FROM:a@b":                   "FROM:<a@b>",
		"FROM: a@b BODY=8BITMIME":    "FROM:<a@b>",
		"FROM:":                      "FROM:<>",
		"":                           "FROM:<>",
		"a@b":                        "FROM:<>",
		`FROM:<"a > b"@c> SIZE=1`:    `FROM:<"a > b"@c>`,
		"FROM:<@r1,@r2:a@b>>x":       "FROM:<@r1,@r2:a@b>",
		"FROM:<a@b":                  "FROM:<a@b",
		"FROM:a@b\r\nRCPT TO:<x@y>":  "FROM:<x@y>",
		"FROM:a b@c":                 "FROM:<a>",
		`FROM:<"unended@b> SIZE=100`: `FROM:<"unended@b> SIZE=100`,
	} {
		if got := Relaxed(in, "FROM"); got != want {
			t.Errorf("Relaxed(%q) = %q; want %q", in, got, want)
		}
	}
}
