// SPDX-License-Identifier: ISC

package dnsdata

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"quill/internal/dnswire"
)

// Finding is something to say about a data file.
type Finding struct {
	Line    int
	Error   bool // refused, or not what it looks like; else a warning
	Message string
	Hint    string // what to do
}

// String is the line's number, what is wrong, and what to do.
func (f Finding) String() string {
	s := "warning"
	if f.Error {
		s = "error"
	}
	s = fmt.Sprintf("%d: %s: %s", f.Line, s, f.Message)
	if f.Hint != "" {
		s += "; " + f.Hint
	}
	return s
}

// Check reads lines as Compile does, but says all that can be said, in the order
// of the lines. It keeps all records in memory. The error is of reading.
func (o Compiler) Check(r io.Reader) ([]Finding, error) {
	k := &checker{locations: map[[2]byte]bool{}, names: map[string]ends{}}
	k.c = compiler{Compiler: o, put: k.put}
	in := lines{in: bufio.NewReaderSize(r, 64<<10)}
	for k.n = 1; ; k.n++ {
		text, last, err := in.next()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRead, err)
		}
		k.line(text)
		if last {
			break
		}
	}
	k.zones()
	slices.SortStableFunc(k.found, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return k.found, nil
}

// checker looks at lines and keeps their records.
type checker struct {
	c         compiler
	n         int  // the line
	kind      byte // of the line
	found     []Finding
	records   []placed
	names     map[string]ends // of owners in lower case, a * label among it
	room      []byte          // for owners and data
	locations map[[2]byte]bool
	used      []location // that lines name
}

// placed is a record and its line.
type placed struct {
	Record
	line    int
	next    int  // record of that name; 0 for none
	implied bool // not what the line is for: a server's address, a host's PTR
}

// ends are the first and the last record of a name.
type ends struct{ first, last int }

type location struct {
	lo   [2]byte
	line int
}

func (k *checker) fail(hint, format string, a ...any) {
	k.found = append(k.found, Finding{k.n, true, fmt.Sprintf(format, a...), hint})
}

func (k *checker) warn(hint, format string, a ...any) {
	k.found = append(k.found, Finding{k.n, false, fmt.Sprintf(format, a...), hint})
}

// roles are the fields of lines: name, ip, xserver, pointer, 6 address, text,
// Number of a type, digits of 16 bits or 32 (y), ttl, stamp, location of a
// record or Location itself, Prefix.
var roles = map[byte]string{
	'.': "nixtsl", '&': "nixtsl", '=': "nitsl", '+': "nitsl", '@': "nixdtsl", '\'': "nTtsl", '^': "nptsl", 'C': "nptsl",
	'Z': "nppyyyyytsl", ':': "nNTtsl", 'S': "nixdddtsl", '%': "LP", '3': "n6tsl", '6': "n6tsl", '/': "L6",
}

// line looks at one line and compiles it.
func (k *checker) line(text []byte) {
	if len(text) == 0 || text[0] == '#' || text[0] == '-' {
		return
	}
	if len(text) > 1 && text[len(text)-1] == '\r' {
		k.fail("take the carriage returns out: tr -d '\\r'", "a carriage return at the end of the line belongs to its last field")
		text = text[:len(text)-1]
	}
	text = bytes.Clone(text) // Compile changes it
	k.kind = text[0]
	if want, ok := roles[k.kind]; ok {
		k.fields(want, bytes.Split(bytes.Clone(text[1:]), []byte(":")))
	}
	err := k.c.line(text)
	var le *LineError
	switch {
	case errors.As(err, &le):
		k.fail(hints[le.Why], "%s", le.Why)
	case err != nil && k.kind == 'S' && digits(k.c.f[3]) == 0:
		k.fail("write the port in the fourth field", "a service without a port")
	case err != nil:
		k.fail("a label has at most 63 bytes, a name 255", "a label or name is too long")
	}
}

// hints for what Compile refuses without one.
var hints = map[string]string{
	"unrecognized leading character": "begin the line with one of . & = + @ ' ^ C S Z : % 3 6 / ! or, for a comment, #",
	"type SOA prohibited":            "use a . or Z line", "type NS prohibited": "use a . or & line", "type CNAME prohibited": "use a C line",
	"type PTR prohibited": "use a ^ or = line", "type MX prohibited": "use a @ line", "type AXFR prohibited": "only questions have this type",
	"type 0 prohibited": "write the number of a type in the second field",
}

// put keeps a record.
func (k *checker) put(key, val []byte) error {
	r, ok := ParseRecord(key, val)
	if !ok {
		return nil // a location
	}
	r.Owner, r.Data = k.keep(r.Owner), k.keep(r.Data)
	p := placed{Record: r, line: k.n}
	switch k.kind {
	case '.', '&', '@', 'S':
		p.implied = r.Type == dnswire.TypeA || r.Type == dnswire.TypeAAAA
	case '=', '6':
		p.implied = r.Type == dnswire.TypePTR
	}
	if r.Loc != [2]byte{} && (len(k.used) == 0 || k.used[len(k.used)-1].line != k.n) {
		k.used = append(k.used, location{r.Loc, k.n})
	}
	k.data(&p)
	at := len(k.records)
	k.records = append(k.records, p)
	e, there := k.names[string(r.Owner)]
	if there {
		k.records[e.last].next = at
	} else {
		e.first = at
	}
	e.last = at
	k.names[string(r.Owner)] = e
	return nil
}

// keep copies b, many to one piece of memory.
func (k *checker) keep(b []byte) []byte {
	if len(b) > cap(k.room)-len(k.room) {
		k.room = make([]byte, 0, max(len(b), 64<<10))
	}
	at := len(k.room)
	k.room = append(k.room, b...)
	return k.room[at:len(k.room):len(k.room)]
}

// of is the records of a name, in the order of their lines.
func (k *checker) of(name []byte) iter.Seq[*placed] {
	return func(yield func(*placed) bool) {
		e, there := k.names[string(name)]
		for at := e.first; there; at = k.records[at].next {
			if !yield(&k.records[at]) || at == e.last {
				return
			}
		}
	}
}

// fields looks at the fields of a line.
func (k *checker) fields(want string, f [][]byte) {
	if len(f) > len(want) && len(bytes.Join(f[len(want):], nil)) > 0 {
		k.fail(`write a colon in text as \072`, "%d fields; a %c line has %d, and what follows does not count", len(f), k.kind, len(want))
	}
	for i, s := range f[:min(len(f), len(want))] {
		k.field(want[i], s)
	}
	if len(f) < 2 || len(f[1]) == 0 {
		switch k.kind {
		case '=', '+':
			k.warn("write an address in the second field", "no address: the line makes no record")
		case '\'':
			k.fail("write a text in the second field", "no text: the record is not a valid TXT")
		}
	}
}

// field looks at one field by its role.
func (k *checker) field(role byte, s []byte) {
	if len(s) == 0 {
		return
	}
	switch role {
	case 'n', 'x', 'p':
		k.name(s)
	case 'i':
		k.address(s)
	case 'T':
		k.text(s)
	case 'd', 'N':
		k.number("a number", s, 1<<16-1)
	case 'y':
		k.number("a number", s, 1<<32-1)
	case 't':
		k.number("a ttl", s, maxTTL)
	case 's':
		k.stamp(s)
	case 'l', 'L':
		k.location(role, s)
	case 'P':
		k.prefix(s)
	}
}

func (k *checker) name(s []byte) {
	if bytes.Contains(s, []byte("..")) || s[0] == '.' && len(s) > 1 {
		k.warn("take the extra dot out", "name %q has an empty label, which does not count", s)
	}
	for _, ch := range s {
		if ch <= ' ' || ch > '~' {
			k.warn(`write such a byte as \ooo, octal, if it is meant; names of other scripts go as xn--`, "name %q has a byte that is no printable ASCII", s)
			break
		}
	}
	k.escapes(s)
}

// escapes looks for octal numbers that do not fit and a lone backslash.
func (k *checker) escapes(s []byte) {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		_, n := escaped(s[i+1:])
		switch {
		case n == 0:
			k.fail(`write a backslash as \\`, `a \ at the end of a field does not count`)
		case n == 3 && s[i+1] > '3':
			k.fail(`write \000 to \377`, `\%s is more than a byte: it counts modulo 256`, s[i+1:i+4])
		}
		i += n
	}
}

func (k *checker) text(s []byte) {
	k.escapes(s)
	if bytes.IndexByte(s, 0) >= 0 {
		k.warn(`write it as \000 if it is meant`, "a NUL byte in text")
	}
}

func (k *checker) address(s []byte) {
	ip, ok := ip4(s)
	if !ok {
		switch _, six := ip6(s); {
		case six && k.c.IPv6:
		case six:
			k.fail("use a 3 or 6 line, or ask for such fields with -6", "%q is an IPv6 address: it makes no record here", s)
		default:
			k.fail("write four numbers from 0 to 255 with dots between them, or nothing", "%q is not an IPv4 address: it makes no record", s)
		}
		return
	}
	if want := fmt.Sprintf("%d.%d.%d.%d", ip[0], ip[1], ip[2], ip[3]); want != string(s) {
		k.fail("write four numbers from 0 to 255 with dots between them", "%q is taken for the address %s", s, want)
	}
}

// number looks at digits that may be at most max.
func (k *checker) number(what string, s []byte, max uint64) {
	n := digits(s)
	switch {
	case n == 0:
		k.fail("write digits, or nothing for the default", "%q is not %s: the default counts", s, what)
	case n < len(s):
		k.fail("write digits only", "%q is not %s: it counts as %s", s, what, s[:n])
	case n > 10 || number(s, 0) > max:
		k.fail(fmt.Sprintf("write a number from 0 to %d", max), "%q is too great for %s", s, what)
	}
}

func (k *checker) stamp(s []byte) {
	hint := "write at most 16 hexadecimal digits in lower case: a TAI64 label without its @"
	if len(s) > 16 {
		k.fail(hint, "timestamp %q is longer than 16 digits", s)
	}
	for _, ch := range s {
		if d, ok := nibble(ch); !ok || hexDigits[d] != ch {
			k.fail(hint, "in timestamp %q the %q counts as 0", s, ch)
			return
		}
	}
}

func (k *checker) location(role byte, s []byte) {
	if len(s) > 2 {
		k.fail("write at most two characters", "of location %q only %q counts", s, s[:2])
	}
	if role == 'L' {
		var lo [2]byte
		copy(lo[:], s)
		k.locations[lo] = true
	}
}

func (k *checker) prefix(s []byte) {
	if s[0] == 's' {
		if !k.c.IPv6 {
			k.fail("use a / line, or ask for such fields with -6", "%q is no IPv4 prefix: the location is everybody's", s)
		}
		return
	}
	groups := bytes.Split(bytes.TrimSuffix(s, []byte(".")), []byte("."))
	for _, g := range groups {
		if digits(g) != len(g) || len(g) == 0 || len(g) > 3 || number(g, 0) > 255 {
			k.fail("write one to four numbers from 0 to 255 with dots between them, or nothing for everybody", "%q is no IPv4 prefix", s)
			return
		}
	}
	if len(groups) > 4 {
		k.fail("write at most four numbers", "%q is longer than an IPv4 address: nobody is there", s)
	}
}
