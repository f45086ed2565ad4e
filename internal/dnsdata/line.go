// SPDX-License-Identifier: ISC

// Package dnsdata knows the data of tinydns: lines of djb's data file, the
// records they become in data.cdb, and the answers that are composed of these.
// Lines and records are djb's to the byte; answers are right by today's RFCs.
// It opens nothing: lines come from a reader, records from a Source.
package dnsdata

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"quill/internal/dnswire"
)

// Default times to live, in seconds.
const (
	ttlNS       = 259200
	ttlPositive = 86400
	ttlNegative = 2560
)

// ValueHeader is the bytes of a record in data.cdb before its data: type,
// marker, ttl, timestamp. A location adds two.
const ValueHeader = 15

const (
	maxFields = 15
	txtPart   = 127   // bytes of a string that a ' line is cut into
	maxData   = 65535 // bytes of a record's data (RFC 1035 §3.2.1)
)

// ErrProtocol says that a name is longer than DNS allows, or that an S line
// lacks its port.
var ErrProtocol = dnswire.ErrName

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

// Compile reads data lines and puts each record, in the order of the lines.
// serial is the default serial number of SOA records (the data file's time of
// change, in seconds). A bad line ends it with a LineError or ErrProtocol.
func Compile(r io.Reader, serial uint32, put func(key, val []byte) error) error {
	c := &compiler{serial: serial, put: put}
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("%w: %w", ErrRead, err)
		}
		if text := strings.TrimRight(line, " \t\n"); text != "" && text[0] != '#' && text[0] != '-' {
			if lerr := c.line(text); lerr != nil {
				var le *LineError
				if errors.As(lerr, &le) {
					le.Line = n
				}
				return lerr
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// compiler turns lines into records.
type compiler struct {
	serial uint32
	put    func(key, val []byte) error
	f      [maxFields]string
}

// kinds of lines by their first byte.
var kinds = map[byte]func(c *compiler, kind byte) error{
	'.': (*compiler).nameServer, '&': (*compiler).nameServer, '=': (*compiler).host, '+': (*compiler).host, '@': (*compiler).mail,
	'\'': (*compiler).text, '^': (*compiler).pointer, 'C': (*compiler).pointer, 'S': (*compiler).service, 'Z': (*compiler).soa, ':': (*compiler).generic, '%': (*compiler).location,
}

func (c *compiler) line(text string) error {
	f := kinds[text[0]]
	if f == nil {
		return &LineError{Why: "unrecognized leading character"}
	}
	c.f = [maxFields]string{}
	copy(c.f[:], strings.Split(text[1:], ":"))
	return f(c, text[0])
}

// record is one being made.
type record struct {
	c *compiler
	b []byte
}

// start begins a record with its type, location, ttl and timestamp; timestamp
// and location are the fields at and at+1 of the line. Of ttl the low 32 bits
// count.
func (c *compiler) start(kind uint16, ttl uint64, at int) *record {
	b := binary.BigEndian.AppendUint16(nil, kind)
	if lo := c.f[at+1]; lo != "" {
		var two [2]byte
		copy(two[:], lo)
		if two == [2]byte{} {
			b = append(b, '=')
		} else {
			b = append(append(b, '>'), two[:]...)
		}
	} else {
		b = append(b, '=')
	}
	b = binary.BigEndian.AppendUint32(b, uint32(ttl))
	return &record{c, append(b, stamp(c.f[at])...)}
}

// stamp is a timestamp of up to 16 hexadecimal digits, left aligned; other
// bytes count as 0.
func stamp(s string) []byte {
	var t [8]byte
	for i := 0; i < len(s) && i < 16; i++ {
		d := byte(0)
		switch ch := s[i]; {
		case ch >= '0' && ch <= '9':
			d = ch - '0'
		case ch >= 'a' && ch <= 'f':
			d = ch - 'a' + 10
		}
		t[i/2] |= d << (4 * (1 - i%2))
	}
	return t[:]
}

func (r *record) add(p ...byte) *record { r.b = append(r.b, p...); return r }

// finish puts the record under its owner; a leading * label makes it a
// wildcard of its parent.
func (r *record) finish(owner []byte) error {
	header := ValueHeader
	if r.b[2] == '>' {
		header += 2
	}
	if n := len(r.b) - header; n > maxData {
		return &LineError{Why: fmt.Sprintf("record of %d bytes; at most %d", n, maxData)}
	}
	if len(owner) > 2 && owner[0] == 1 && owner[1] == '*' {
		owner = owner[2:]
		r.b[2] -= '=' - '*'
	}
	return r.c.put(dnswire.Lower(owner), r.b)
}

// number is the digits a field starts with, or dflt where there are none; it
// wraps like an unsigned long.
func number(s string, dflt uint64) uint64 {
	n, i := uint64(0), 0
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = n*10 + uint64(s[i]-'0')
	}
	if i == 0 {
		return dflt
	}
	return n
}

// ip4 reads four groups of digits, each modulo 256; what follows is ignored.
func ip4(s string) ([]byte, bool) {
	var ip [4]byte
	for i := range ip {
		if i > 0 {
			if s == "" || s[0] != '.' {
				return nil, false
			}
			s = s[1:]
		}
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if n == 0 {
			return nil, false
		}
		ip[i] = byte(number(s[:n], 0))
		s = s[n:]
	}
	return ip[:], true
}

// withDefault is a server's name: one without a dot belongs under the domain.
func withDefault(x, sub, fqdn string) string {
	if strings.Contains(x, ".") {
		return x
	}
	return x + "." + sub + "." + fqdn
}

func (c *compiler) nameServer(kind byte) error {
	d1, err1 := dnswire.Name(c.f[0])
	d2, err2 := dnswire.Name(withDefault(c.f[2], "ns", c.f[0]))
	if err := errors.Join(err1, err2); err != nil {
		return ErrProtocol
	}
	ttl := number(c.f[3], ttlNS)
	if kind == '.' {
		soaTTL := uint64(ttlNegative)
		if ttl == 0 {
			soaTTL = 0
		}
		r := c.start(dnswire.TypeSOA, soaTTL, 4).add(d2...).add([]byte("\x0ahostmaster")...).add(d1...)
		if err := r.add(soaTimes(c.serial, 16384, 2048, 1048576, 2560)...).finish(d1); err != nil {
			return err
		}
	}
	if err := c.start(dnswire.TypeNS, ttl, 4).add(d2...).finish(d1); err != nil {
		return err
	}
	return c.address(c.f[1], ttl, 4, d2)
}

// address puts an A record, if there is an address.
func (c *compiler) address(ip string, ttl uint64, at int, owner []byte) error {
	a, ok := ip4(ip)
	if !ok {
		return nil
	}
	return c.start(dnswire.TypeA, ttl, at).add(a...).finish(owner)
}

func soaTimes(times ...uint32) []byte {
	var b []byte
	for _, t := range times {
		b = binary.BigEndian.AppendUint32(b, t)
	}
	return b
}

func (c *compiler) host(kind byte) error {
	d, err := dnswire.Name(c.f[0])
	if err != nil {
		return err
	}
	ttl := number(c.f[2], ttlPositive)
	if err := c.address(c.f[1], ttl, 3, d); err != nil {
		return err
	}
	ip, ok := ip4(c.f[1])
	if !ok || kind != '=' {
		return nil
	}
	rev, err := dnswire.Name(fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", ip[3], ip[2], ip[1], ip[0]))
	if err != nil {
		return err
	}
	return c.start(dnswire.TypePTR, ttl, 3).add(d...).finish(rev)
}

func (c *compiler) mail(byte) error {
	d1, err1 := dnswire.Name(c.f[0])
	d2, err2 := dnswire.Name(withDefault(c.f[2], "mx", c.f[0]))
	if err := errors.Join(err1, err2); err != nil {
		return ErrProtocol
	}
	ttl := number(c.f[4], ttlPositive)
	dist := uint16(number(c.f[3], 0))
	if err := c.start(dnswire.TypeMX, ttl, 5).add(byte(dist>>8), byte(dist)).add(d2...).finish(d1); err != nil {
		return err
	}
	return c.address(c.f[1], ttl, 5, d2)
}

func (c *compiler) text(byte) error {
	d, err := dnswire.Name(c.f[0])
	if err != nil {
		return err
	}
	r := c.start(dnswire.TypeTXT, number(c.f[2], ttlPositive), 3)
	for t := dnswire.Unescape(c.f[1]); len(t) > 0; {
		n := min(len(t), txtPart)
		r.add(byte(n)).add(t[:n]...)
		t = t[n:]
	}
	return r.finish(d)
}

func (c *compiler) pointer(kind byte) error {
	d1, err1 := dnswire.Name(c.f[0])
	d2, err2 := dnswire.Name(c.f[1])
	if err := errors.Join(err1, err2); err != nil {
		return ErrProtocol
	}
	t := uint16(dnswire.TypePTR)
	if kind == 'C' {
		t = dnswire.TypeCNAME
	}
	return c.start(t, number(c.f[2], ttlPositive), 3).add(d2...).finish(d1)
}

func (c *compiler) soa(byte) error {
	d, err1 := dnswire.Name(c.f[0])
	mname, err2 := dnswire.Name(c.f[1])
	rname, err3 := dnswire.Name(c.f[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return ErrProtocol
	}
	times := soaTimes(uint32(number(c.f[3], uint64(c.serial))), uint32(number(c.f[4], 16384)), uint32(number(c.f[5], 2048)), uint32(number(c.f[6], 1048576)), uint32(number(c.f[7], 2560)))
	return c.start(dnswire.TypeSOA, number(c.f[8], ttlNegative), 9).add(mname...).add(rname...).add(times...).finish(d)
}

// prohibited are types that have lines of their own.
var prohibited = map[uint16]string{dnswire.TypeAXFR: "AXFR", 0: "0", dnswire.TypeSOA: "SOA", dnswire.TypeNS: "NS", dnswire.TypeCNAME: "CNAME", dnswire.TypePTR: "PTR", dnswire.TypeMX: "MX"}

func (c *compiler) generic(byte) error {
	d, err := dnswire.Name(c.f[0])
	if err != nil {
		return err
	}
	t := uint16(number(c.f[1], 0))
	if name, no := prohibited[t]; no {
		return &LineError{Why: "type " + name + " prohibited"}
	}
	return c.start(t, number(c.f[3], ttlPositive), 4).add(dnswire.Unescape(c.f[2])...).finish(d)
}

// service is Debian's S line: SRV (RFC 2782). Port, priority and weight come in
// this order; only the port must be there.
func (c *compiler) service(byte) error {
	d1, err1 := dnswire.Name(c.f[0])
	d2, err2 := dnswire.Name(withDefault(c.f[2], "srv", c.f[0]))
	if err := errors.Join(err1, err2); err != nil || !startsWithDigit(c.f[3]) {
		return ErrProtocol
	}
	ttl := number(c.f[6], ttlPositive)
	r := c.start(dnswire.TypeSRV, ttl, 7)
	for _, f := range []int{4, 5, 3} {
		n := uint16(number(c.f[f], 0))
		r.add(byte(n>>8), byte(n))
	}
	if err := r.add(d2...).finish(d1); err != nil {
		return err
	}
	return c.address(c.f[1], ttl, 7, d2)
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// location is a prefix of clients' addresses: the key \0%prefix has their
// location of two bytes. Prefixes longer than an address match nobody.
func (c *compiler) location(byte) error {
	var lo [2]byte
	copy(lo[:], c.f[0])
	key := []byte{0, '%'}
	for rest := c.f[1]; ; {
		rest = strings.TrimLeft(rest, ".")
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 0 {
			break
		}
		key = append(key, byte(number(rest[:n], 0)))
		rest = rest[n:]
	}
	return c.put(key, lo[:])
}
