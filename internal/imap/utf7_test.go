// SPDX-License-Identifier: ISC

package imap

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUTF7(t *testing.T) {
	for _, c := range []struct{ coded, plain string }{
		{"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"}, // RFC 3501 §5.1.3
		{"INBOX", "INBOX"},
		{"&-", "&"}, {"a&-b", "a&b"}, {"&-&-", "&&"},
		{"Entw&APw-rfe", "Entwürfe"},
		{"&Jjo-!", "☺!"},
		{"&2D3eAA-", "😀"},
		{"&AAA-", "\x00"}, // a code of it, which DecodeMailbox refuses
	} {
		if got, ok := DecodeUTF7(c.coded); !ok || got != c.plain {
			t.Errorf("DecodeUTF7(%q) = %q, %v; want %q", c.coded, got, ok, c.plain)
		}
		if got := EncodeUTF7(c.plain); got != c.coded {
			t.Errorf("EncodeUTF7(%q) = %q; want %q", c.plain, got, c.coded)
		}
	}
}

// TestIM6 reads mailbox names that have a second spelling or none.
func TestIM6(t *testing.T) {
	for _, name := range []string{
		"&", "&Jjo", "a&", // unterminated
		"&2AA-", "&2D0-", "&3gA-", "&2D0AYQ-", // lone surrogates
		"&AC4ALg-", "&AGE-", // ASCII that needs no coding: RFC 3501 §5.1.3
		"&Jjo-&Jjo-", // one shift where there could be none
		"&Jjp-",      // bits left over that are not 0
		"&JjoA-", "&J-", "&Jj-",
		"&Jjo=-", "&U/BTFw-", "&Jj o-",
		"&AAA-", "&AA0ACg-", "&AH8-", "&AIU-", "&ICg-", // controls, RFC 5198
		"a\x00b", "a\r\nb", "\x7f", "Entw\xc3\xbcrfe", "\xff",
		strings.Repeat("x", maxMailbox+1),
		strings.Repeat("&-", maxMailbox/2) + "x",
	} {
		if got, ok := DecodeMailbox(name, false); ok {
			t.Errorf("DecodeMailbox(%q) = %q; want refused", name, got)
		}
	}
	for _, c := range []struct{ in, want string }{
		{"inbox", "INBOX"}, {"InBoX", "INBOX"}, {"inbox/x", "inbox/x"}, {"", ""},
		{"../x", "../x"}, // the store's to refuse; it sees what it will see
		{strings.Repeat("x", maxMailbox), strings.Repeat("x", maxMailbox)},
	} {
		if got, ok := DecodeMailbox(c.in, false); !ok || got != c.want {
			t.Errorf("DecodeMailbox(%q) = %q, %v; want %q", c.in, got, ok, c.want)
		}
	}
	// With UTF8=ACCEPT a name is what it looks like, RFC 6855 §3.
	for _, c := range []struct {
		in   string
		want bool
	}{{"Entwürfe", true}, {"&Jjo", true}, {"a&b", true}, {"\xff", false}, {"\xed\xa0\x80", false}, {"\u0085", false}, {"a\tb", false}} {
		if got, ok := DecodeMailbox(c.in, true); ok != c.want || ok && got != c.in {
			t.Errorf("DecodeMailbox(%q, UTF8) = %q, %v; want %v", c.in, got, ok, c.want)
		}
	}
}

// FuzzUTF7: what is decoded encodes to the same bytes, what is encoded decodes
// to the same text.
func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "&-", "&2D3eAA-", "&Jjo", "&AC4ALg-", "台北", "😀", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if plain, ok := DecodeUTF7(s); ok {
			if !utf8.ValidString(plain) {
				t.Fatalf("DecodeUTF7(%q) = %q, not UTF-8", s, plain)
			}
			if again := EncodeUTF7(plain); again != s {
				t.Fatalf("%q decoded and encoded = %q", s, again)
			}
		}
		if utf8.ValidString(s) {
			if again, ok := DecodeUTF7(EncodeUTF7(s)); !ok || again != s {
				t.Fatalf("%q encoded and decoded = %q, %v", s, again, ok)
			}
		}
	})
}
