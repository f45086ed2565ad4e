// SPDX-License-Identifier: ISC

package mime

import (
	"strings"
	"unicode/utf8"
)

// charset is a character set that we can make UTF-8 of.
type charset uint8

const (
	unknown charset = iota // left as it is
	utf8ASCII
	latin1
	latin9
	windows1252
)

// charsetOf is the charset of a name (IANA's, with the aliases in use).
func charsetOf(name string) charset {
	switch strings.ToLower(name) {
	case "", "us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "utf8":
		return utf8ASCII
	case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "l1":
		return latin1
	case "iso-8859-15", "iso8859-15", "iso_8859-15", "latin-9":
		return latin9
	case "windows-1252", "cp1252":
		return windows1252
	}
	return unknown
}

// UTF8 gives text of the charset with this name in UTF-8; ok is false for one that
// we do not know. Bytes that are no UTF-8 in one that says so stay as they are.
func UTF8(name, s string) (_ string, ok bool) {
	switch c := charsetOf(name); c {
	case unknown:
		return s, false
	case utf8ASCII:
		return s, true
	default:
		return string(c.appendUTF8(nil, []byte(s))), true
	}
}

// appendUTF8 appends b in UTF-8.
func (c charset) appendUTF8(dst, b []byte) []byte {
	if c == unknown || c == utf8ASCII {
		return append(dst, b...)
	}
	for _, x := range b {
		switch r := c.decode(x); {
		case r < utf8.RuneSelf:
			dst = append(dst, byte(r))
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// decode is the character of a byte.
func (c charset) decode(x byte) rune {
	switch {
	case c == windows1252 && x >= 0x80 && x < 0xa0:
		return [32]rune{
			'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
			0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
		}[x-0x80]
	case c == latin9:
		switch x {
		case 0xa4:
			return '€'
		case 0xa6:
			return 'Š'
		case 0xa8:
			return 'š'
		case 0xb4:
			return 'Ž'
		case 0xb8:
			return 'ž'
		case 0xbc:
			return 'Œ'
		case 0xbd:
			return 'œ'
		case 0xbe:
			return 'Ÿ'
		}
	}
	return rune(x)
}
