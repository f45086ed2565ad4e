// SPDX-License-Identifier: ISC

package dnsrbl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// ErrRead wraps what went wrong in reading lines; other errors of Compile are
// about a line or come from put.
var ErrRead = errors.New("unable to read line")

// LineError is a line that cannot be read.
type LineError struct {
	Line int
	Why  string
}

func (e *LineError) Error() string {
	return fmt.Sprintf("unable to parse data line %d: %s", e.Line, e.Why)
}

// Why lines are refused, in djb's words but for the last.
const (
	noLetter = "unrecognized leading character"
	noColon  = "missing colon"
	noIP     = "malformed IP address"
	noPrefix = "malformed IPv6 prefix"
)

// Compile reads data lines and puts what they become, in their order, djb's to
// the byte; after that the lengths of IPv6 prefixes, where there are some.
func Compile(r io.Reader, put func(key, val []byte) error) error {
	var c compiler
	err := lines(r, func(n int, text string) error {
		key, val, why := c.line(text)
		switch {
		case why != "":
			return &LineError{n, why}
		case key == nil:
			return nil
		}
		return put(key, val)
	})
	if err != nil || !slices.Contains(c.lengths[:], true) {
		return err
	}
	var lengths []byte
	for bits := 128; bits >= 0; bits-- {
		if c.lengths[bits] {
			lengths = append(lengths, byte(bits))
		}
	}
	return put([]byte(lengthsKey), lengths)
}

// lines calls fn with the lines that are not empty, without blanks at their ends.
func lines(r io.Reader, fn func(n int, text string) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("%w: %w", ErrRead, err)
		}
		if text := strings.TrimRight(line, " \t\n"); text != "" {
			if err := fn(n, text); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// compiler turns lines into records.
type compiler struct {
	ip      [4]byte   // of the last : line; one that begins with :: has it too, as in djb's
	lengths [129]bool // of IPv6 prefixes
}

// line is the record of a line: no key for a comment, why it is refused.
func (c *compiler) line(s string) (key, val []byte, why string) {
	switch b := s[0]; {
	case b == '#':
		return nil, nil, ""
	case b == ':':
		ip, text, found := strings.Cut(s[1:], ":")
		if !found {
			return nil, nil, noColon
		}
		if scanIP(ip, &c.ip) != len(ip) {
			return nil, nil, noIP
		}
		return []byte{}, append(c.ip[:], text...), ""
	case b == '[':
		p, err := prefix6(s)
		if err != nil {
			return nil, nil, noPrefix
		}
		c.lengths[p.Bits()] = true
		return key6(p), nil, ""
	case b >= '0' && b <= '9':
		key := prefix4(s)
		return key[:], nil, ""
	}
	return nil, nil, noLetter
}

// scan reads a number as djb's scan_ulong does: digits, as many as there are, over
// the edge of 64 bits.
func scan(s string) (u uint64, n int) {
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		u = u*10 + uint64(s[n]-'0')
		n++
	}
	return u, n
}

// scanIP reads an address as djb's ip4_scan does, and says how much of s it is; 0
// for none.
func scanIP(s string, ip *[4]byte) int {
	at := 0
	for i := range ip {
		if i > 0 {
			if at == len(s) || s[at] != '.' {
				return 0
			}
			at++
		}
		u, n := scan(s[at:])
		if n == 0 {
			return 0
		}
		ip[i] = byte(u)
		at += n
	}
	return at
}

// prefix4 reads a line that begins with a digit, of which all mean something:
// numbers modulo 256, of which the first four count and missing ones are 0, and a
// length of at most 32.
func prefix4(s string) (key [5]byte) {
	at := 0
	for i := 0; ; i++ {
		u, n := scan(s[at:])
		if n == 0 {
			break
		}
		if i < 4 {
			key[i] = byte(u)
		}
		if at += n; at == len(s) || s[at] != '.' {
			break
		}
		at++
	}
	bits := uint64(32)
	if at < len(s) && s[at] == '/' {
		bits, _ = scan(s[at+1:])
	}
	key[4] = byte(min(bits, 32))
	return key
}

// errPrefix says that a prefix of IPv6 is none.
var errPrefix = errors.New(noPrefix)

// prefix6 reads [address] or [address]/length, which must have no bits beyond its
// length.
func prefix6(s string) (netip.Prefix, error) {
	text, rest, found := strings.Cut(s[1:], "]")
	ip, err := netip.ParseAddr(text)
	if !found || err != nil || !ip.Is6() || ip.Zone() != "" {
		return netip.Prefix{}, errPrefix
	}
	if rest == "" {
		return netip.PrefixFrom(ip, 128), nil
	}
	bits, n := scan(strings.TrimPrefix(rest, "/"))
	if rest[0] != '/' || n == 0 || n > 3 || 1+n != len(rest) || bits > 128 || n > 1 && rest[1] == '0' {
		return netip.Prefix{}, errPrefix
	}
	p := netip.PrefixFrom(ip, int(bits))
	if p != p.Masked() {
		return netip.Prefix{}, errPrefix
	}
	return p, nil
}
