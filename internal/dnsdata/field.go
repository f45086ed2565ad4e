// SPDX-License-Identifier: ISC

package dnsdata

import (
	"net/netip"

	"quill/internal/dnswire"
)

// appendName appends a name with dots in wire form. Empty labels do not count;
// \ooo is a byte in octal, any other \c is c. It is false where a label or the
// name is too long.
func appendName(b, s []byte) ([]byte, bool) {
	start, at := len(b), len(b) // at: where the length of the label stands
	b = append(b, 0)
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch ch {
		case '.':
			if n := len(b) - at - 1; n > 0 {
				b[at] = byte(n)
				at = len(b)
				b = append(b, 0)
			}
			if len(b)-start > dnswire.MaxName {
				return b, false
			}
			continue
		case '\\':
			var n int
			if ch, n = escaped(s[i+1:]); n == 0 {
				continue // at the end it is dropped
			}
			i += n
		}
		if len(b)-at-1 == dnswire.MaxLabel {
			return b, false
		}
		b = append(b, ch)
	}
	if n := len(b) - at - 1; n > 0 {
		b[at] = byte(n)
		b = append(b, 0)
	}
	return b, len(b)-start <= dnswire.MaxName
}

// escaped reads what follows a backslash, and says how many bytes it is: 0 where
// nothing follows.
func escaped(s []byte) (b byte, n int) {
	for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
		b = b<<3 | (s[n] - '0')
		n++
	}
	if n == 0 && len(s) > 0 {
		return s[0], 1
	}
	return b, n
}

// unescape reads the text of ' and : lines, in place.
func unescape(s []byte) []byte {
	out := s[:0]
	for i := 0; i < len(s); i++ {
		ch := s[i]
		if ch == '\\' {
			var n int
			if ch, n = escaped(s[i+1:]); n == 0 {
				break
			}
			i += n
		}
		out = append(out, ch)
	}
	return out
}

// appendLower appends a name in lower case (ASCII alone, RFC 4343).
func appendLower(b, name []byte) []byte {
	for _, ch := range name {
		if ch >= 'A' && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		b = append(b, ch)
	}
	return b
}

// digits is how many of them a field starts with.
func digits(s []byte) (n int) {
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// number is the digits a field starts with, or dflt where there are none; it
// wraps like an unsigned long.
func number(s []byte, dflt uint64) uint64 {
	n := digits(s)
	if n == 0 {
		return dflt
	}
	u := uint64(0)
	for _, ch := range s[:n] {
		u = u*10 + uint64(ch-'0')
	}
	return u
}

// ip4 reads four groups of digits, each modulo 256; what follows is ignored.
func ip4(s []byte) (ip [4]byte, ok bool) {
	for i := range ip {
		if i > 0 {
			if len(s) == 0 || s[0] != '.' {
				return ip, false
			}
			s = s[1:]
		}
		n := digits(s)
		if n == 0 {
			return ip, false
		}
		ip[i] = byte(number(s[:n], 0))
		s = s[n:]
	}
	return ip, true
}

// ip6 reads an IPv6 address (RFC 4291 §2.2) that has _ for :, as fields cannot
// hold that.
func ip6(s []byte) (ip [16]byte, ok bool) {
	if len(s) < 2 || len(s) > 45 {
		return ip, false
	}
	var buf [45]byte
	text := buf[:copy(buf[:], s)]
	for i, ch := range text {
		if ch == '_' {
			text[i] = ':'
		} else if ch == ':' {
			return ip, false
		}
	}
	a, err := netip.ParseAddr(string(text))
	if err != nil || !a.Is6() || a.Zone() != "" {
		return ip, false
	}
	return a.As16(), true
}

// nibble is the value of a hexadecimal digit, in either case.
func nibble(ch byte) (byte, bool) {
	switch {
	case ch >= '0' && ch <= '9':
		return ch - '0', true
	case ch >= 'a' && ch <= 'f':
		return ch - 'a' + 10, true
	case ch >= 'A' && ch <= 'F':
		return ch - 'A' + 10, true
	}
	return 0, false
}
