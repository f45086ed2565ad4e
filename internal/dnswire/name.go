// SPDX-License-Identifier: ISC

package dnswire

import (
	"errors"
	"strings"
)

// ErrName says that a name is longer than DNS allows.
var ErrName = errors.New("protocol error")

// Limits of names (RFC 1035 §2.3.4).
const (
	MaxLabel = 63
	MaxName  = 255
)

// Name reads a name with dots into its wire form. Empty labels do not count;
// \ooo is a byte in octal, any other \c is c. Too long a label or name is
// ErrName.
func Name(s string) ([]byte, error) {
	var out, label []byte
	flush := func() bool {
		if len(label) == 0 {
			return true
		}
		if len(label) > MaxLabel || len(out)+len(label)+2 > MaxName {
			return false
		}
		out = append(append(out, byte(len(label))), label...)
		label = label[:0]
		return true
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '.':
			if !flush() {
				return nil, ErrName
			}
		case '\\':
			b, n, ok := Escape(s[i+1:])
			if ok {
				label = append(label, b)
			}
			i += n
		default:
			label = append(label, s[i])
		}
	}
	if !flush() {
		return nil, ErrName
	}
	return append(out, 0), nil
}

// Escape reads what follows a backslash, and says how much of it counts.
func Escape(s string) (b byte, n int, ok bool) {
	if s == "" {
		return 0, 0, false
	}
	for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
		b = b<<3 | (s[n] - '0')
		n++
	}
	if n == 0 {
		return s[0], 1, true
	}
	return b, n, true
}

// Unescape reads the text of ' and : lines.
func Unescape(s string) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		b, n, ok := Escape(s[i+1:])
		if ok {
			out = append(out, b)
		}
		i += n
	}
	return out
}

// Text is a name for a log line: lower case, other bytes than a–z, 0–9, - and _
// as \ooo, the root as ".".
func Text(name []byte) string {
	if len(name) == 0 || name[0] == 0 {
		return "."
	}
	var b strings.Builder
	for len(name) > 1 && name[0] != 0 && int(name[0]) < len(name) {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		for _, c := range name[1 : 1+int(name[0])] {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
				b.WriteByte(c)
			} else {
				b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
			}
		}
		name = name[1+int(name[0]):]
	}
	return b.String()
}

// NameLen is the length of the wire name at the start of b, its last 0
// included; 0 where there is none. Compression is not allowed.
func NameLen(b []byte) int {
	n := 0
	for n < len(b) && n < MaxName {
		l := int(b[n])
		if l == 0 {
			return n + 1
		}
		if l > MaxLabel {
			return 0
		}
		n += 1 + l
	}
	return 0
}

// Parent is a name without its first label.
func Parent(name []byte) []byte { return name[1+int(name[0]):] }

// LowerByte is a letter in lower case (ASCII alone, RFC 4343), other bytes as
// they are.
func LowerByte(b byte) byte {
	if b-'A' < 26 {
		b += 'a' - 'A'
	}
	return b
}

// AppendLower appends a name in lower case to out.
func AppendLower(out, name []byte) []byte {
	at := len(out)
	out = append(out, name...)
	for i, b := range out[at:] {
		if b-'A' < 26 {
			out[at+i] = b + ('a' - 'A')
		}
	}
	return out
}

// Equal says whether two names, or other bytes, are the same but for case.
func Equal(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, x := range a {
		if x != b[i] && LowerByte(x) != LowerByte(b[i]) {
			return false
		}
	}
	return true
}

// Lower is a copy of a name in lower case (ASCII alone, RFC 4343).
func Lower(name []byte) []byte {
	return AppendLower(make([]byte, 0, len(name)), name)
}
