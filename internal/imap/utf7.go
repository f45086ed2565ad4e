// SPDX-License-Identifier: ISC

package imap

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const base64mod = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,"

// EncodeUTF7 writes UTF-8 as modified UTF-7 (RFC 3501 §5.1.3). What is not
// UTF-8 becomes U+FFFD.
func EncodeUTF7(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c <= '~' {
			b.WriteByte(c)
			if c == '&' {
				b.WriteByte('-')
			}
			i++
			continue
		}
		j := i
		for j < len(s) && (s[j] < ' ' || s[j] > '~') {
			j++
		}
		encodeShifted(&b, s[i:j])
		i = j
	}
	return b.String()
}

func encodeShifted(b *strings.Builder, s string) {
	b.WriteByte('&')
	var acc uint32
	bits := 0
	for _, u := range utf16.Encode([]rune(s)) {
		acc = acc<<16 | uint32(u)
		for bits += 16; bits >= 6; bits -= 6 {
			b.WriteByte(base64mod[acc>>(bits-6)&63])
		}
		acc &= 1<<bits - 1
	}
	if bits > 0 {
		b.WriteByte(base64mod[acc<<(6-bits)&63])
	}
	b.WriteByte('-')
}

// DecodeUTF7 reads modified UTF-7. Only the one form that EncodeUTF7 writes is
// taken: a name that has two spellings gets past checks of the other one.
func DecodeUTF7(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		if c < ' ' || c > '~' {
			return "", false
		}
		i++
		if c != '&' {
			b.WriteByte(c)
			continue
		}
		end := strings.IndexByte(s[i:], '-')
		if end < 0 || !decodeShifted(&b, s[i:i+end]) {
			return "", false
		}
		i += end + 1
	}
	out := b.String()
	return out, EncodeUTF7(out) == s
}

// decodeShifted reads what stands between & and -. Left-over bits are the
// caller's to check by encoding again.
func decodeShifted(b *strings.Builder, s string) bool {
	if s == "" {
		b.WriteByte('&')
		return true
	}
	var acc uint32
	var high rune
	bits := 0
	for i := range len(s) {
		v := base64value(s[i])
		if v < 0 {
			return false
		}
		acc, bits = acc<<6|uint32(v), bits+6
		if bits < 16 {
			continue
		}
		bits -= 16
		u := rune(acc >> bits & 0xffff)
		acc &= 1<<bits - 1
		switch {
		case high != 0:
			if u = utf16.DecodeRune(high, u); u == utf8.RuneError {
				return false
			}
			high = 0
			b.WriteRune(u)
		case utf16.IsSurrogate(u):
			high = u
		default:
			b.WriteRune(u)
		}
	}
	return high == 0
}

func base64value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case isDigit(c):
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == ',':
		return 63
	}
	return -1
}

// DecodeMailbox is the UTF-8 of a mailbox name as it came: modified UTF-7, or
// UTF-8 where the client has enabled UTF8=ACCEPT or IMAP4rev2 (RFC 6855 §3,
// RFC 9051 §5.1). INBOX in any case becomes INBOX. Control characters are
// refused; what else a store does not take is the store's to say.
func DecodeMailbox(s string, utf8on bool) (string, bool) {
	if len(s) > maxMailbox {
		return "", false
	}
	if !utf8on {
		var ok bool
		if s, ok = DecodeUTF7(s); !ok {
			return "", false
		}
	}
	if !utf8.ValidString(s) || len(s) > maxMailbox {
		return "", false
	}
	for _, r := range s {
		if r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 { // RFC 5198 §2 with RFC 6855 §3
			return "", false
		}
	}
	if strings.EqualFold(s, "INBOX") {
		return "INBOX", true
	}
	return s, true
}

// EncodeMailbox is the name in the form that the session's client reads.
func EncodeMailbox(s string, utf8on bool) string {
	if utf8on {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return EncodeUTF7(s)
}
