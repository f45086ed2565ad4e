// SPDX-License-Identifier: ISC

package mime

import (
	"slices"
	"strconv"
	"strings"
)

// lexer reads a structured field's text (RFC 5322 §3.2), once, forwards.
type lexer struct {
	s     string
	i     int
	steps int
}

func white(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func trimRight(s string) string { return strings.TrimRight(s, " \t\r\n") }

// skip passes white space and comments, and gives the last comment's text.
func (l *lexer) skip() (comment string) {
	for l.i < len(l.s) {
		switch c := l.s[l.i]; {
		case white(c):
			l.i++
			l.steps++
		case c == '(':
			comment = l.comment()
		default:
			return comment
		}
	}
	return comment
}

// comment reads a comment, with those in it, and gives its text.
func (l *lexer) comment() string {
	var text []byte
	depth := 0
	for l.i < len(l.s) {
		c := l.s[l.i]
		l.i++
		l.steps++
		switch c {
		case '(':
			if depth++; depth == 1 {
				continue
			}
		case ')':
			if depth--; depth == 0 {
				return strings.Trim(string(text), " \t")
			}
		case '\\':
			if l.i < len(l.s) {
				c = l.s[l.i]
				l.i++
			}
		}
		text = append(text, c)
	}
	return strings.Trim(string(text), " \t")
}

// quoted reads a quoted string, at whose quote we stand, or a domain literal,
// and gives what is in it.
func (l *lexer) quoted(end byte) string {
	var text []byte
	for l.i++; l.i < len(l.s); l.i++ {
		l.steps++
		c := l.s[l.i]
		if c == end {
			l.i++
			break
		}
		if c == '\\' && l.i+1 < len(l.s) {
			l.i++
			c = l.s[l.i]
		}
		text = append(text, c)
	}
	return string(text)
}

// token reads a MIME token (RFC 2045 §5.1), 8-bit bytes included.
func (l *lexer) token() string {
	from := l.i
	for l.i < len(l.s) && l.s[l.i] > ' ' && l.s[l.i] != 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, l.s[l.i]) < 0 {
		l.i++
		l.steps++
	}
	return l.s[from:l.i]
}

// mediaType reads type and subtype; both are empty if one is missing.
func (l *lexer) mediaType() (kind, subtype string) {
	l.skip()
	kind = l.token()
	l.skip()
	if l.i == len(l.s) || l.s[l.i] != '/' {
		return "", ""
	}
	l.i++
	l.skip()
	if subtype = l.token(); kind == "" || subtype == "" {
		return "", ""
	}
	return kind, subtype
}

// list reads words between commas.
func (l *lexer) list(limit int) (words []string) {
	for len(words) < limit && l.i < len(l.s) {
		l.skip()
		if w := l.token(); w != "" {
			words = append(words, w)
		} else {
			l.i++
			l.steps++
		}
	}
	return words
}

// past moves behind the next c, or to the end.
func (l *lexer) past(c byte) {
	n := strings.IndexByte(l.s[l.i:], c)
	if n < 0 {
		n = len(l.s) - l.i - 1
	}
	l.i += n + 1
	l.steps += n + 1
}

// params reads parameters; what is none is passed over.
func (l *lexer) params(limit int) (list []Param) {
	for len(list) < limit {
		if l.past(';'); l.i >= len(l.s) {
			break
		}
		l.skip()
		name := l.token()
		l.skip()
		if name == "" || l.i == len(l.s) || l.s[l.i] != '=' {
			continue
		}
		l.i++
		l.skip()
		list = append(list, Param{name, l.value()})
	}
	return join(list)
}

// value reads a parameter's value. Without quotes it goes to the next ';', for
// many write names with spaces like that; a comment at its end is left out.
func (l *lexer) value() string {
	if l.i < len(l.s) && l.s[l.i] == '"' {
		return l.quoted('"')
	}
	n := strings.IndexByte(l.s[l.i:], ';')
	if n < 0 {
		n = len(l.s) - l.i
	}
	v := trimRight(l.s[l.i : l.i+n])
	l.i += n
	l.steps += n
	if at := strings.IndexByte(v, '('); at > 0 && v[len(v)-1] == ')' {
		v = trimRight(v[:at])
	}
	return v
}

// piece is a parameter of which RFC 2231 §3 made several.
type piece struct {
	base  string
	index int
	coded bool // RFC 2231 §4: with a charset, or at least with escapes
	at    int  // place in the list
}

// join puts values together again that come in pieces. Pieces without a first
// one, and those after a gap, stay as they are.
func join(list []Param) []Param {
	var whole []Param
	var pieces []piece
	for i, m := range list {
		if c, ok := pieceOf(m.Name); ok {
			c.at = i
			pieces = append(pieces, c)
		} else {
			whole = append(whole, m)
		}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int {
		if n := strings.Compare(a.base, b.base); n != 0 {
			return n
		}
		return a.index - b.index
	})
	for len(pieces) > 0 {
		n := 0
		for n < len(pieces) && pieces[n].base == pieces[0].base && pieces[n].index == n {
			n++
		}
		if n == 0 {
			whole = append(whole, list[pieces[0].at])
			n = 1
		} else {
			whole = append(whole, joined(list, pieces[:n]))
		}
		pieces = pieces[n:]
	}
	return whole
}

// pieceOf reads a name like title*0 or title*1*.
func pieceOf(name string) (c piece, ok bool) {
	base, rest, ok := strings.Cut(name, "*")
	rest, c.coded = strings.CutSuffix(rest, "*")
	if !ok || base == "" || rest == "" || len(rest) > 3 {
		return c, false
	}
	n, err := strconv.ParseUint(rest, 10, 16)
	c.base, c.index = strings.ToLower(base), int(n)
	return c, err == nil
}

// joined makes one parameter of its pieces.
func joined(list []Param, pieces []piece) Param {
	coded := slices.ContainsFunc(pieces, func(c piece) bool { return c.coded })
	name, _, _ := strings.Cut(list[pieces[0].at].Name, "*")
	var v []byte
	if coded {
		name += "*"
		if !pieces[0].coded {
			v = append(v, "''"...)
		}
	}
	for _, c := range pieces {
		text := list[c.at].Value
		if coded && !c.coded {
			v = escape(v, text)
		} else {
			v = append(v, text...)
		}
	}
	return Param{name, string(v)}
}

// escape appends s as RFC 2231 §4 writes it.
func escape(v []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`*'%()<>@,;:\"/[]?=`, c) >= 0 {
			v = append(v, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		} else {
			v = append(v, c)
		}
	}
	return v
}
