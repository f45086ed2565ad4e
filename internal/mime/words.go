// SPDX-License-Identifier: ISC

package mime

import "strings"

// DecodeWords gives a header's text in UTF-8, with its encoded words decoded
// (RFC 2047). Words that are broken or of a charset that we do not know stay as
// they are. It looks for words anywhere, for many stand where they must not.
func DecodeWords(s string) string {
	d := wordDecoder{}
	d.decode(s)
	return string(d.dst)
}

// wordDecoder holds words of one charset back until the run of them ends, for
// there are characters that begin in one word and end in the next.
type wordDecoder struct {
	dst, run []byte
	set      charset // of run
	after    bool    // a word was the last thing read
	steps    int     // bytes looked at
}

func (d *wordDecoder) decode(s string) {
	for s != "" {
		i := strings.Index(s, "=?")
		if i < 0 {
			i = len(s)
		}
		d.steps += i
		set, text, size := d.word(s[i:])
		if size == 0 {
			n := min(i+2, len(s))
			d.plain(s[:n])
			s = s[n:]
			continue
		}
		if gap := s[:i]; !d.after || strings.Trim(gap, " \t\r\n") != "" {
			d.plain(gap)
		}
		if set != d.set {
			d.flush()
		}
		d.set, d.after, d.run = set, true, append(d.run, text...)
		s = s[i+size:]
	}
	d.flush()
}

func (d *wordDecoder) plain(s string) {
	d.flush()
	d.dst = append(d.dst, s...)
	d.after = false
}

func (d *wordDecoder) flush() {
	d.dst = d.set.appendUTF8(d.dst, d.run)
	d.run = d.run[:0]
}

// word reads an encoded word at the beginning of s; size is 0 if there is none.
// It looks no further than to the fourth '?'.
func (d *wordDecoder) word(s string) (set charset, text []byte, size int) {
	if s == "" {
		return unknown, nil, 0
	}
	name, rest, ok := d.cut(s[2:])
	if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") {
		return unknown, nil, 0
	}
	name, _, _ = strings.Cut(name, "*") // RFC 2231 §5: a language
	encoding, rest, ok := d.cut(rest)
	if !ok || len(encoding) != 1 {
		return unknown, nil, 0
	}
	coded, rest, ok := d.cut(rest)
	if set = charsetOf(name); !ok || set == unknown || rest == "" || rest[0] != '=' {
		return unknown, nil, 0
	}
	switch encoding[0] {
	case 'b', 'B':
		text = decodeB(coded)
	case 'q', 'Q':
		text = decodeQ(coded)
	default:
		return unknown, nil, 0
	}
	return set, text, len(s) - len(rest) + 1
}

// cut cuts s at its first '?'.
func (d *wordDecoder) cut(s string) (before, after string, ok bool) {
	before, after, ok = strings.Cut(s, "?")
	d.steps += len(before) + 1
	return before, after, ok
}

func decodeB(s string) (text []byte) {
	var b base64
	for i := range len(s) {
		text = b.push(text, s[i])
	}
	return b.end(text)
}

// decodeQ is RFC 2047 §4.2.
func decodeQ(s string) (text []byte) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			text = append(text, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			text = append(text, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			text = append(text, c)
		}
	}
	return text
}
