// SPDX-License-Identifier: ISC

// Package dnsdata knows the data of tinydns: the lines of djb's data file, the
// records in data.cdb that they become, and the way back.
//
// It promises that what Debian's tinydns-data accepts becomes the same records
// to the byte, in the same order; only data that no answer can carry (over
// 65535 bytes) is refused. Lines of our own begin with characters that Debian's
// refuses: 3, 6, / and !. It opens nothing: lines come from a reader, records
// go to a function.
package dnsdata

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

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

// refuse is the error of a line; its number is filled in later.
func refuse(format string, a ...any) error { return &LineError{Why: fmt.Sprintf(format, a...)} }

// Compile reads data lines and puts each record, in the order of the lines; put
// may keep key and val. serial is the default serial number of SOA records (the
// data file's time of change, in seconds). A bad line ends it with a LineError
// or ErrProtocol.
func Compile(r io.Reader, serial uint32, put func(key, val []byte) error) error {
	return Compiler{Serial: serial}.Compile(r, func(key, val []byte) error {
		return put(bytes.Clone(key), bytes.Clone(val))
	})
}

// Compiler says how lines are read.
type Compiler struct {
	Serial uint32 // of SOA records that name none
	IPv6   bool   // an ip field may hold an IPv6 address with _ for :, and %lo:s a prefix
}

// Compile is the function Compile without its copies: key and val are put's
// until it returns.
func (o Compiler) Compile(r io.Reader, put func(key, val []byte) error) error {
	c := &compiler{Compiler: o, put: put}
	in := lines{in: bufio.NewReaderSize(r, 64<<10)}
	for n := 1; ; n++ {
		text, last, err := in.next()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRead, err)
		}
		if err := c.line(text); err != nil {
			var le *LineError
			if errors.As(err, &le) {
				le.Line = n
			}
			return err
		}
		if last {
			return nil
		}
	}
}

// lines reads lines of any length.
type lines struct {
	in   *bufio.Reader
	long []byte
}

// next is a line without the spaces, tabs and newline at its end, and whether it
// is the last.
func (l *lines) next() (text []byte, last bool, err error) {
	text, last, err = l.whole()
	return trim(text), last, err
}

// trim takes away the spaces, tabs and newlines at a line's end.
func trim(text []byte) []byte {
	n := len(text)
	for n > 0 && (text[n-1] == ' ' || text[n-1] == '\t' || text[n-1] == '\n') {
		n--
	}
	return text[:n]
}

// whole is a line with its newline, which the last may lack.
func (l *lines) whole() (text []byte, last bool, err error) {
	text, err = l.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		l.long = l.long[:0]
		for err == bufio.ErrBufferFull {
			l.long = append(l.long, text...)
			text, err = l.in.ReadSlice('\n')
		}
		l.long = append(l.long, text...)
		text = l.long
	}
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	return text, err == io.EOF, nil
}

// compiler turns lines into records. Its buffers serve line after line.
type compiler struct {
	Compiler
	put    func(key, val []byte) error
	text   []byte // the line
	f      [maxFields][]byte
	d1, d2 []byte // names
	joined []byte // a name put together
	key    []byte
	val    []byte // the record being made
}

// kinds of lines by their first byte.
var kinds = map[byte]func(c *compiler, kind byte) error{
	'.': (*compiler).nameServer, '&': (*compiler).nameServer, '=': (*compiler).host, '+': (*compiler).host, '@': (*compiler).mail,
	'\'': (*compiler).string, '^': (*compiler).pointer, 'C': (*compiler).pointer, 'S': (*compiler).service, 'Z': (*compiler).soa, ':': (*compiler).generic, '%': (*compiler).location,
	'3': (*compiler).host6, '6': (*compiler).host6, '/': (*compiler).location6, '!': (*compiler).readable,
}

func (c *compiler) line(text []byte) error {
	if len(text) == 0 || text[0] == '#' || text[0] == '-' {
		return nil
	}
	f := kinds[text[0]]
	if f == nil {
		return refuse("unrecognized leading character")
	}
	c.text = text
	split(c.f[:], text[1:])
	return f(c, text[0])
}

// split cuts text into fields; what is missing is empty, what is too much does
// not count.
func split(f [][]byte, text []byte) {
	for i := range f {
		if k := bytes.IndexByte(text, ':'); k >= 0 {
			f[i], text = text[:k], text[k+1:]
		} else {
			f[i], text = text, nil
		}
	}
}

// start begins a record with its type, location, ttl and timestamp; timestamp
// and location are the fields at and at+1 of the line. Of ttl the low 32 bits
// count.
func (c *compiler) start(kind uint16, ttl uint64, at int) {
	c.val = append(c.val[:0], byte(kind>>8), byte(kind), '=')
	var lo [2]byte
	if copy(lo[:], c.f[at+1]); lo != [2]byte{} {
		c.val[2] = '>'
		c.val = append(c.val, lo[:]...)
	}
	c.val = binary.BigEndian.AppendUint32(c.val, uint32(ttl))
	c.val = binary.BigEndian.AppendUint64(c.val, stamp(c.f[at]))
}

// stamp is a timestamp of up to 16 hexadecimal digits, left aligned; other
// bytes count as 0.
func stamp(s []byte) (t uint64) {
	for i := 0; i < len(s) && i < 16; i++ {
		d := byte(0)
		switch ch := s[i]; {
		case ch >= '0' && ch <= '9':
			d = ch - '0'
		case ch >= 'a' && ch <= 'f':
			d = ch - 'a' + 10
		}
		t |= uint64(d) << (60 - 4*i)
	}
	return t
}

func (c *compiler) add(p ...byte) { c.val = append(c.val, p...) }

func (c *compiler) add16(n uint16) { c.val = binary.BigEndian.AppendUint16(c.val, n) }

// finish puts the record under its owner; a leading * label makes it a
// wildcard of its parent.
func (c *compiler) finish(owner []byte) error {
	header := ValueHeader
	if c.val[2] == '>' {
		header += 2
	}
	if n := len(c.val) - header; n > maxData {
		return refuse("record of %d bytes; at most %d", n, maxData)
	}
	if owner[0] == 1 && owner[1] == '*' {
		owner = owner[2:]
		c.val[2] -= '=' - '*'
	}
	c.key = appendLower(c.key[:0], owner)
	return c.put(c.key, c.val)
}

// names reads the names of these fields into d1 and d2.
func (c *compiler) names(f1, f2 []byte) (ok bool) {
	c.d1, ok = appendName(c.d1[:0], f1)
	if !ok {
		return false
	}
	c.d2, ok = appendName(c.d2[:0], f2)
	return ok
}

// withDefault is a server's name: one without a dot belongs under the domain.
func (c *compiler) withDefault(x []byte, sub string, fqdn []byte) []byte {
	if bytes.IndexByte(x, '.') >= 0 {
		return x
	}
	c.joined = append(append(append(c.joined[:0], x...), sub...), fqdn...)
	return c.joined
}

func (c *compiler) nameServer(kind byte) error {
	if !c.names(c.f[0], c.withDefault(c.f[2], ".ns.", c.f[0])) {
		return ErrProtocol
	}
	ttl := number(c.f[3], ttlNS)
	if kind == '.' {
		soaTTL := uint64(ttlNegative)
		if ttl == 0 {
			soaTTL = 0
		}
		c.start(dnswire.TypeSOA, soaTTL, 4)
		c.add(c.d2...)
		c.val = append(c.val, "\x0ahostmaster"...)
		c.add(c.d1...)
		c.times(c.Serial, 16384, 2048, 1048576, 2560)
		if err := c.finish(c.d1); err != nil {
			return err
		}
	}
	c.start(dnswire.TypeNS, ttl, 4)
	c.add(c.d2...)
	if err := c.finish(c.d1); err != nil {
		return err
	}
	return c.address(ttl, 4, c.d2)
}

// address puts an A record of the second field, if that is an address.
func (c *compiler) address(ttl uint64, at int, owner []byte) error {
	if a, ok := ip4(c.f[1]); ok {
		c.start(dnswire.TypeA, ttl, at)
		c.add(a[:]...)
		return c.finish(owner)
	}
	if a, ok := c.dialect6(); ok {
		c.start(dnswire.TypeAAAA, ttl, at)
		c.add(a[:]...)
		return c.finish(owner)
	}
	return nil
}

// dialect6 is the IPv6 address in the second field, if such are asked for.
func (c *compiler) dialect6() (ip [16]byte, ok bool) {
	if !c.IPv6 {
		return ip, false
	}
	return ip6(c.f[1])
}

func (c *compiler) times(times ...uint32) {
	for _, t := range times {
		c.val = binary.BigEndian.AppendUint32(c.val, t)
	}
}

func (c *compiler) host(kind byte) error {
	var ok bool
	if c.d1, ok = appendName(c.d1[:0], c.f[0]); !ok {
		return ErrProtocol
	}
	ttl := number(c.f[2], ttlPositive)
	if err := c.address(ttl, 3, c.d1); err != nil || kind != '=' {
		return err
	}
	if ip, ok := ip4(c.f[1]); ok {
		c.d2 = reverse4(c.d2[:0], ip)
	} else if ip, ok := c.dialect6(); ok {
		c.d2 = reverse6(c.d2[:0], ip)
	} else {
		return nil
	}
	c.start(dnswire.TypePTR, ttl, 3)
	c.add(c.d1...)
	return c.finish(c.d2)
}

// reverse4 appends the name of an address in in-addr.arpa (RFC 1035 §3.5).
func reverse4(b []byte, ip [4]byte) []byte {
	for i := 3; i >= 0; i-- {
		at := len(b)
		b = strconv.AppendUint(append(b, 0), uint64(ip[i]), 10)
		b[at] = byte(len(b) - at - 1)
	}
	return append(b, "\x07in-addr\x04arpa\x00"...)
}

func (c *compiler) mail(byte) error {
	if !c.names(c.f[0], c.withDefault(c.f[2], ".mx.", c.f[0])) {
		return ErrProtocol
	}
	ttl := number(c.f[4], ttlPositive)
	c.start(dnswire.TypeMX, ttl, 5)
	c.add16(uint16(number(c.f[3], 0)))
	c.add(c.d2...)
	if err := c.finish(c.d1); err != nil {
		return err
	}
	return c.address(ttl, 5, c.d2)
}

// string is TXT. The text is unescaped in the line itself.
func (c *compiler) string(byte) error {
	var ok bool
	if c.d1, ok = appendName(c.d1[:0], c.f[0]); !ok {
		return ErrProtocol
	}
	c.start(dnswire.TypeTXT, number(c.f[2], ttlPositive), 3)
	for t := unescape(c.f[1]); len(t) > 0; {
		n := min(len(t), txtPart)
		c.add(byte(n))
		c.add(t[:n]...)
		t = t[n:]
	}
	return c.finish(c.d1)
}

func (c *compiler) pointer(kind byte) error {
	if !c.names(c.f[0], c.f[1]) {
		return ErrProtocol
	}
	t := uint16(dnswire.TypePTR)
	if kind == 'C' {
		t = dnswire.TypeCNAME
	}
	c.start(t, number(c.f[2], ttlPositive), 3)
	c.add(c.d2...)
	return c.finish(c.d1)
}

func (c *compiler) soa(byte) error {
	var ok bool
	if c.joined, ok = appendName(c.joined[:0], c.f[2]); !ok || !c.names(c.f[0], c.f[1]) {
		return ErrProtocol
	}
	c.start(dnswire.TypeSOA, number(c.f[8], ttlNegative), 9)
	c.add(c.d2...)
	c.add(c.joined...)
	c.times(uint32(number(c.f[3], uint64(c.Serial))), uint32(number(c.f[4], 16384)), uint32(number(c.f[5], 2048)), uint32(number(c.f[6], 1048576)), uint32(number(c.f[7], 2560)))
	return c.finish(c.d1)
}

// prohibited are types that have lines of their own.
var prohibited = map[uint16]string{dnswire.TypeAXFR: "AXFR", 0: "0", dnswire.TypeSOA: "SOA", dnswire.TypeNS: "NS", dnswire.TypeCNAME: "CNAME", dnswire.TypePTR: "PTR", dnswire.TypeMX: "MX"}

func (c *compiler) generic(byte) error {
	var ok bool
	if c.d1, ok = appendName(c.d1[:0], c.f[0]); !ok {
		return ErrProtocol
	}
	t := uint16(number(c.f[1], 0))
	if name, no := prohibited[t]; no {
		return refuse("type %s prohibited", name)
	}
	c.start(t, number(c.f[3], ttlPositive), 4)
	c.add(unescape(c.f[2])...)
	return c.finish(c.d1)
}

// service is Debian's S line: SRV (RFC 2782). Port, priority and weight come in
// this order; only the port must be there.
func (c *compiler) service(byte) error {
	if !c.names(c.f[0], c.withDefault(c.f[2], ".srv.", c.f[0])) || digits(c.f[3]) == 0 {
		return ErrProtocol
	}
	ttl := number(c.f[6], ttlPositive)
	c.start(dnswire.TypeSRV, ttl, 7)
	for _, f := range [3]int{4, 5, 3} {
		c.add16(uint16(number(c.f[f], 0)))
	}
	c.add(c.d2...)
	if err := c.finish(c.d1); err != nil {
		return err
	}
	return c.address(ttl, 7, c.d2)
}

// location is a prefix of clients' addresses: the key \0%prefix has their
// location of two bytes. Prefixes longer than an address match nobody.
func (c *compiler) location(byte) error {
	if c.IPv6 && len(c.f[1]) > 0 && c.f[1][0] == 's' {
		return c.prefix6(c.f[1][1:])
	}
	c.key = append(c.key[:0], 0, '%')
	for rest := c.f[1]; ; {
		rest = bytes.TrimLeft(rest, ".")
		n := digits(rest)
		if n == 0 {
			break
		}
		c.key = append(c.key, byte(number(rest[:n], 0)))
		rest = rest[n:]
	}
	return c.putLocation()
}

// putLocation gives the clients of c.key their location, the first field.
func (c *compiler) putLocation() error {
	var lo [2]byte
	copy(lo[:], c.f[0])
	c.val = append(c.val[:0], lo[:]...)
	return c.put(c.key, c.val)
}
