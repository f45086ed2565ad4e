// SPDX-License-Identifier: ISC

// Package addr reads the addresses of SMTP envelopes (RFC 5321 §4.1.2) and
// writes addresses as headers want them. It is strict: what is not a mailbox by
// the grammar is refused, so that no two programs can read one address in two
// ways.
package addr

import (
	"errors"
	"net/netip"
	"strings"
)

// Limits of an address; smtpd(8) lists them.
const (
	MaxLocal  = 255 // RFC 5321 wants at least 64; VERP and SRS need more
	MaxDomain = 255
	MaxLabel  = 63
	MaxPath   = 512
	MaxParams = 16
)

// Errors of parsing.
var (
	ErrSyntax   = errors.New("syntax error in address")
	ErrNoDomain = errors.New("address without a domain")
	ErrTooLong  = errors.New("address too long")
	ErrParams   = errors.New("malformed parameters")
)

// Path is an envelope address.
type Path struct {
	// Local is the local part without quotes and backslashes; it may contain any
	// printable byte, @ included: the last @ of an address decides.
	Local string
	// Domain is the domain in the case the client gave it, without a dot at its
	// end; for a literal the address as text in brackets.
	Domain  string
	Literal bool
	// Null is the empty path <>, of bounces.
	Null bool
}

// String is the address as the queue has it, unquoted.
func (p Path) String() string {
	switch {
	case p.Null:
		return ""
	case p.Domain == "":
		return p.Local
	}
	return p.Local + "@" + p.Domain
}

// Param is a parameter of MAIL or RCPT; the keyword is in upper case.
type Param struct{ Key, Value string }

// ParseCommand reads the rest of a MAIL or RCPT command after the verb:
// "FROM:<path> KEY=value …". what is FROM or TO. A path without a domain comes
// with ErrNoDomain and its Local set.
func ParseCommand(arg, what string) (Path, []Param, error) {
	if len(arg) <= len(what) || !strings.EqualFold(arg[:len(what)], what) || arg[len(what)] != ':' {
		return Path{}, nil, ErrSyntax
	}
	rest := strings.TrimLeft(arg[len(what)+1:], " ")
	end := pathEnd(rest)
	if end < 0 {
		return Path{}, nil, ErrSyntax
	}
	p, err := ParsePath(rest[1:end])
	if err != nil && err != ErrNoDomain {
		return p, nil, err
	}
	params, perr := parseParams(rest[end+1:])
	if perr != nil {
		return p, nil, perr
	}
	return p, params, err
}

// Relaxed is such a rest of a command as qmail-smtpd reads it, in the form that
// ParseCommand takes: an address without brackets, or none, gets them, and what
// comes after the address is dropped.
func Relaxed(arg, what string) string {
	i := strings.IndexByte(arg, '<')
	if i < 0 {
		_, rest, _ := strings.Cut(arg, ":")
		address, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
		return what + ":<" + address + ">"
	}
	rest := arg[i:]
	if end := pathEnd(rest); end >= 0 {
		rest = rest[:end+1]
	}
	return what + ":" + rest
}

// pathEnd is where the > of <path> is; quotes may hide others.
func pathEnd(s string) int {
	if s == "" || s[0] != '<' {
		return -1
	}
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			return i
		}
	}
	return -1
}

func parseParams(s string) ([]Param, error) {
	words := strings.Fields(s)
	if s != "" && s[0] != ' ' || len(words) > MaxParams {
		return nil, ErrParams
	}
	var out []Param
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		if k == "" {
			return nil, ErrParams
		}
		for i := 0; i < len(w); i++ {
			if w[i] < 33 || w[i] > 126 {
				return nil, ErrParams
			}
		}
		out = append(out, Param{strings.ToUpper(k), v})
	}
	return out, nil
}

// ParsePath reads what stands between < and >. A source route is dropped (RFC
// 5321 appendix C): where the mail is really to go decides.
func ParsePath(s string) (Path, error) {
	if s == "" {
		return Path{Null: true}, nil
	}
	if len(s) > MaxPath {
		return Path{}, ErrTooLong
	}
	if s[0] == '@' {
		i := strings.IndexByte(s, ':')
		if i < 0 || !validRoute(s[:i]) {
			return Path{}, ErrSyntax
		}
		s = s[i+1:]
	}
	local, rest, err := parseLocal(s)
	switch {
	case err != nil:
		return Path{}, err
	case local == "":
		return Path{}, ErrSyntax
	case len(local) > MaxLocal:
		return Path{}, ErrTooLong
	case rest == "" || rest == "@":
		return Path{Local: local}, ErrNoDomain
	case rest[0] != '@':
		return Path{}, ErrSyntax
	}
	return withDomain(local, rest[1:])
}

func validRoute(s string) bool {
	for _, hop := range strings.Split(s, ",") {
		d, ok := strings.CutPrefix(hop, "@")
		if !ok || !ValidDomain(d) {
			return false
		}
	}
	return true
}

func withDomain(local, domain string) (Path, error) {
	if domain[0] == '[' {
		if !validLiteral(domain) {
			return Path{}, ErrSyntax
		}
		return Path{Local: local, Domain: domain, Literal: true}, nil
	}
	domain = strings.TrimSuffix(domain, ".")
	if len(domain) > MaxDomain {
		return Path{}, ErrTooLong
	}
	if !ValidDomain(domain) {
		return Path{}, ErrSyntax
	}
	return Path{Local: local, Domain: domain}, nil
}

// parseLocal reads a local part and gives it unquoted, with what follows it.
func parseLocal(s string) (local, rest string, err error) {
	if s != "" && s[0] == '"' {
		return parseQuoted(s)
	}
	i := 0
	for i < len(s) && s[i] != '@' {
		if !atomByte(s[i]) && s[i] != '.' {
			return "", "", ErrSyntax
		}
		i++
	}
	return s[:i], s[i:], nil
}

func parseQuoted(s string) (local, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		c := s[i]
		if c == '"' {
			return b.String(), s[i+1:], nil
		}
		if c == '\\' {
			if i++; i == len(s) {
				break
			}
			c = s[i]
		}
		if c < 32 || c > 126 {
			break
		}
		b.WriteByte(c)
	}
	return "", "", ErrSyntax
}

// atomByte says whether c is atext (RFC 5322 §3.2.3).
func atomByte(c byte) bool {
	return c > 32 && c < 127 && strings.IndexByte("()<>[]:;@\\,.\"", c) < 0
}

// ValidDomain says whether d is a domain by its letters: labels of letters,
// digits, hyphens and underscores, none empty, none longer than 63.
func ValidDomain(d string) bool {
	label := 0
	for i := 0; i < len(d); i++ {
		c := d[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
		if label++; label > MaxLabel {
			return false
		}
	}
	return label > 0 && len(d) <= MaxDomain
}

// validLiteral says whether d is [IPv4] or [IPv6:…], in full and strict form.
func validLiteral(d string) bool {
	_, ok := Literal(d)
	return ok
}

// Literal is the address of a domain literal.
func Literal(d string) (netip.Addr, bool) {
	if len(d) < 3 || d[0] != '[' || d[len(d)-1] != ']' {
		return netip.Addr{}, false
	}
	in := d[1 : len(d)-1]
	v6 := len(in) > 5 && strings.EqualFold(in[:5], "IPv6:")
	if v6 {
		in = in[5:]
	}
	a, err := netip.ParseAddr(in)
	return a, err == nil && a.Is6() == v6 && a.Zone() == ""
}

// SplitLast cuts an address at its last @; ok is false where there is none.
func SplitLast(a string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(a, '@')
	if i < 0 {
		return a, "", false
	}
	return a[:i], a[i+1:], true
}

// Quote is an unquoted address as headers want it: the local part in quotes
// where it is no dot-atom; LF and other controls as underscores.
func Quote(a string) string {
	local, domain, ok := SplitLast(a)
	if !ok {
		return quoteLocal(a)
	}
	return quoteLocal(local) + "@" + clean(domain)
}

func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 32 || c == 127 {
			return '_'
		}
		return c
	}, s)
}

func quoteLocal(s string) string {
	s = clean(s)
	plain := s != ""
	for i := 0; i < len(s) && plain; i++ {
		plain = atomByte(s[i]) || s[i] == '.' && i > 0 && i < len(s)-1 && s[i-1] != '.' || s[i] >= 128
	}
	if plain || s == "" {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}
