// SPDX-License-Identifier: ISC

package dnsdata

import (
	"errors"
	"fmt"

	"quill/internal/dnswire"
)

// lex cuts data of a master file (RFC 1035 §5.1) into words. A word in quotes
// loses these; escapes stay. Parentheses are spaces, as all is one line anyway.
// Only where params says so a quote may stand inside a word, after its =.
func lex(s []byte, params bool) (words [][]byte, err error) {
	for i := 0; i < len(s); {
		switch s[i] {
		case ' ', '\t', '(', ')':
			i++
		case ';':
			return nil, errors.New("a ; outside quotes: a line has no comment at its end, and text goes in quotes")
		case '"':
			end, err := quoted(s, i)
			if err != nil {
				return nil, err
			}
			words = append(words, s[i+1:end-1])
			i = end
			if i < len(s) && !separates(s[i]) {
				return nil, errors.New("no space after a closing quote")
			}
		default:
			end, err := word(s, i, params)
			if err != nil {
				return nil, err
			}
			words = append(words, s[i:end])
			i = end
		}
	}
	return words, nil
}

func separates(ch byte) bool { return ch == ' ' || ch == '\t' || ch == '(' || ch == ')' || ch == ';' }

var errControl = errors.New(`a control byte: write it as \ddd, decimal`)

// quoted is the end of the text in quotes that begins at i.
func quoted(s []byte, i int) (end int, err error) {
	for i++; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			return i + 1, nil
		case s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f:
			return 0, errControl
		}
	}
	return 0, errors.New("a quote is not closed")
}

// word is the end of the word that begins at i.
func word(s []byte, i int, params bool) (end int, err error) {
	for ; i < len(s) && !separates(s[i]); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			if !params || s[i-1] != '=' {
				return 0, errors.New("a quote inside a word")
			}
			end, err := quoted(s, i)
			if err == nil && end < len(s) && !separates(s[end]) {
				err = errors.New("no space after a closing quote")
			}
			return end, err
		case s[i] < ' ' || s[i] == 0x7f:
			return 0, errControl
		}
	}
	return min(i, len(s)), nil
}

var errEscape = errors.New(`a \ must be followed by three decimal digits up to 255, or by another character`)

// unescapeWord reads the escapes of master files: \ddd is a byte in decimal, any
// other \c is c.
func unescapeWord(s []byte) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		ch, n, err := decimal(s[i+1:])
		if err != nil {
			return nil, err
		}
		out = append(out, ch)
		i += n
	}
	return out, nil
}

// decimal reads what follows a backslash, and says how many bytes it is.
func decimal(s []byte) (ch byte, n int, err error) {
	switch {
	case len(s) == 0:
		return 0, 0, errEscape
	case digits(s[:1]) == 0:
		return s[0], 1, nil
	case len(s) < 3 || digits(s[:3]) != 3 || number(s[:3], 0) > 255:
		return 0, 0, errEscape
	}
	return byte(number(s[:3], 0)), 3, nil
}

// wordName reads a name as master files have it, always from the root; the dot
// at its end may be missing.
func wordName(s []byte) ([]byte, error) {
	if string(s) == "." {
		return []byte{0}, nil
	}
	if len(s) == 0 || string(s) == "@" {
		return nil, fmt.Errorf("%q is not a name: write it whole, the root as a dot", s)
	}
	var out []byte
	at := 0
	out = append(out, 0)
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch ch {
		case '"':
			return nil, fmt.Errorf("name %q has a quote in it", s)
		case '.':
			if len(out)-at == 1 {
				return nil, fmt.Errorf("name %q has an empty label", s)
			}
			at = len(out)
			out = append(out, 0)
			continue
		case '\\':
			var n int
			var err error
			if ch, n, err = decimal(s[i+1:]); err != nil {
				return nil, err
			}
			i += n
		}
		out = append(out, ch)
		if out[at]++; out[at] > dnswire.MaxLabel {
			return nil, fmt.Errorf("name %.80q has a label of more than %d bytes", s, dnswire.MaxLabel)
		}
	}
	if out[len(out)-1] != 0 || at != len(out)-1 {
		out = append(out, 0)
	}
	if len(out) > dnswire.MaxName {
		return nil, fmt.Errorf("name %.80q is longer than %d bytes", s, dnswire.MaxName)
	}
	return out, nil
}
