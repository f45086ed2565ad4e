// SPDX-License-Identifier: ISC

package imap

import (
	"bytes"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// parser goes along a command. The first error sticks: it moves to the end of
// the line, where every loop ends.
type parser struct {
	r    *Reader
	tag  string
	line []byte
	pos  int
	err  error

	used     int   // bytes of the command's lines
	literals int64 // bytes of its literals
	args     int
	depth    int
	keys     int
}

func (p *parser) failWith(err error) {
	if p.err == nil {
		p.err = err
	}
	p.line, p.pos = nil, 0
}

func (p *parser) fail(text string) { p.failWith(bad(text)) }

// nextLine goes to the next line of the command.
func (p *parser) nextLine() {
	line, long, err := p.r.readLine(max(0, int(p.r.limit(lineBefore, lineAfter))-p.used))
	switch {
	case err != nil:
		p.failWith(err)
	case long:
		p.failWith(&Error{Status: "BAD", Code: "TOOBIG", Text: "command too long"})
	case bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0:
		p.tag = tagOf(p.tag, line)
		p.fail("NUL or bare CR in command")
	default:
		p.used += len(line)
		p.line, p.pos = line, 0
	}
}

// tagOf is the tag already read, or the one that line begins with.
func tagOf(tag string, line []byte) string {
	if tag != "" {
		return tag
	}
	n := 0
	for n < len(line) && isTagChar(line[n]) {
		n++
	}
	if n == 0 || n > maxTag || n == len(line) || line[n] != ' ' {
		return ""
	}
	return string(line[:n])
}

// peek is the next byte, 0 at the end of the line.
func (p *parser) peek() byte {
	if p.pos < len(p.line) {
		return p.line[p.pos]
	}
	return 0
}

// take goes past c if it is next.
func (p *parser) take(c byte) bool {
	if p.peek() != c || c == 0 {
		return false
	}
	p.pos++
	return true
}

func (p *parser) expect(c byte) {
	if !p.take(c) {
		p.fail("expected " + map[byte]string{' ': "a space", '(': "a list", ')': "the end of the list", ']': "]", '>': ">", '"': "a quoted string"}[c])
	}
}

func (p *parser) space() { p.expect(' ') }

func (p *parser) atEnd() bool { return p.pos >= len(p.line) }

// end refuses what stands after the last argument.
func (p *parser) end() {
	if !p.atEnd() {
		p.fail("junk after the command's arguments")
	}
}

// arg counts tokens.
func (p *parser) arg() bool {
	if p.args++; p.args > maxArgs {
		p.fail("too many arguments")
	}
	return p.err == nil
}

// run takes bytes as long as ok holds; none is an error.
func (p *parser) run(ok func(byte) bool, what string) string {
	if !p.arg() {
		return ""
	}
	start := p.pos
	for p.pos < len(p.line) && ok(p.line[p.pos]) {
		p.pos++
	}
	if p.pos == start {
		p.fail("expected " + what)
		return ""
	}
	return string(p.line[start:p.pos])
}

func (p *parser) atom() string { return p.run(isAtomChar, "an atom") }

// word is an atom in capitals.
func (p *parser) word() string { return upper(p.atom()) }

// isWord says whether the word w is next, and goes past it if so.
func (p *parser) isWord(w string) bool {
	rest := p.line[p.pos:]
	if len(rest) < len(w) || !strings.EqualFold(string(rest[:len(w)]), w) ||
		len(rest) > len(w) && isAtomChar(rest[len(w)]) {
		return false
	}
	p.pos += len(w)
	return true
}

func (p *parser) astring() string {
	if c := p.peek(); c == '"' || c == '{' {
		return p.str()
	}
	return p.run(func(c byte) bool { return isAtomChar(c) || c == ']' }, "an atom or a string")
}

// str is a quoted string or a literal.
func (p *parser) str() string {
	switch p.peek() {
	case '"':
		return p.quoted()
	case '{':
		return p.literal()
	}
	p.fail("expected a string")
	return ""
}

// nstring is a string or NIL.
func (p *parser) nstring() (s string, null bool) {
	if p.isWord("NIL") {
		return "", true
	}
	return p.str(), false
}

// quoted reads a quoted string. UTF-8 is taken (RFC 9051 §9), other 8-bit
// bytes are not.
func (p *parser) quoted() string {
	if !p.arg() {
		return ""
	}
	p.expect('"')
	var b []byte
	for {
		n := bytes.IndexAny(p.line[p.pos:], `"\`)
		if n < 0 {
			p.fail("quoted string without end")
			return ""
		}
		b = append(b, p.line[p.pos:p.pos+n]...)
		p.pos += n
		if p.take('"') {
			break
		}
		p.pos++ // RFC 9051 §9: only these two may be quoted
		if c := p.peek(); c != '"' && c != '\\' {
			p.fail("bad escape in quoted string")
			return ""
		}
		b = append(b, p.line[p.pos])
		p.pos++
	}
	if !utf8.Valid(b) {
		p.fail("quoted string is not UTF-8")
		return ""
	}
	return string(b)
}

// announced reads a literal's head, which ends the line.
func (p *parser) announced() (n int64, sync bool) {
	n, sync, ok := literalHead(p.line[p.pos:])
	switch {
	case !ok:
		p.fail("bad literal")
	case !sync && !p.r.LiteralPlus && n > literalMinus:
		p.failWith(&Error{Status: "BAD", Code: "TOOBIG", Text: "non-synchronizing literal too large"})
	}
	return n, sync
}

// literal reads a literal into memory, which grows as the bytes come.
func (p *parser) literal() string {
	if !p.arg() {
		return ""
	}
	n, sync := p.announced()
	if p.err != nil {
		return ""
	}
	if n > p.r.limit(literalBefore, literalAfter)-p.literals {
		p.failWith(&Error{Status: "BAD", Code: "TOOBIG", Text: "literal too large"})
		return ""
	}
	p.literals += n
	if sync {
		if err := p.r.cont("go on"); err != nil {
			p.failWith(err)
			return ""
		}
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, p.r.in, n); err != nil {
		p.failWith(unexpected(err))
		return ""
	}
	p.nextLine()
	if bytes.IndexByte(b.Bytes(), 0) >= 0 { // RFC 9051 §4.3: literal8 only
		p.fail("NUL in literal")
	}
	return b.String()
}

// mailbox reads a mailbox name, which is not empty.
func (p *parser) mailbox() string {
	name := p.decoded(p.astring())
	if name == "" {
		p.failWith(errMailbox())
	}
	return name
}

func errMailbox() *Error { return &Error{Status: "NO", Code: "CANNOT", Text: "not a mailbox name"} }

func (p *parser) decoded(s string) string {
	if p.err != nil {
		return ""
	}
	name, ok := DecodeMailbox(s, p.r.UTF8)
	if !ok {
		p.failWith(errMailbox())
	}
	return name
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested too deeply")
	}
}

func (p *parser) leave() { p.depth-- }

// list reads ( item SP item … ) and calls item for each; an empty one where
// empty is set.
func (p *parser) list(most int, empty bool, item func()) {
	p.expect('(')
	p.enter()
	defer p.leave()
	if empty && p.take(')') {
		return
	}
	for n := 0; p.err == nil; n++ {
		if n == most {
			p.fail("list too long")
			return
		}
		if item(); p.take(')') {
			return
		}
		p.space()
	}
}

// systemFlags are those a client may set, in the form we write.
var systemFlags = []string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`}

// flag reads a flag. \Recent and unknown system flags are not a client's to
// set.
func (p *parser) flag() string {
	if p.take('\\') {
		name := `\` + p.atom()
		for _, f := range systemFlags {
			if strings.EqualFold(f, name) {
				return f
			}
		}
		p.fail("unknown system flag")
		return ""
	}
	f := p.atom()
	if len(f) > maxKeyword {
		p.fail("keyword too long")
	}
	return f
}

func (p *parser) flagList() []string {
	flags := []string{}
	p.list(maxFlags+1, true, func() { flags = p.addFlag(flags) })
	return flags
}

// addFlag reads one more flag. That there are too many is no fault of the
// command's form (RFC 5530 §3, LIMIT).
func (p *parser) addFlag(flags []string) []string {
	if len(flags) == maxFlags {
		p.failWith(&Error{Status: "NO", Code: "LIMIT", Text: "too many flags at once"})
		return flags
	}
	return append(flags, p.flag())
}

func (p *parser) set() Set {
	if !p.arg() {
		return Set{}
	}
	start := p.pos
	for p.pos < len(p.line) && isSetChar(p.line[p.pos]) {
		p.pos++
	}
	s, ok := parseSet(p.line[start:p.pos])
	if !ok {
		p.fail("bad sequence set")
	}
	return s
}

// number reads a number up to top.
func (p *parser) number(top uint64) uint64 {
	n, ok := number([]byte(p.run(isDigit, "a number")), top)
	if !ok {
		p.fail("number too large")
	}
	return n
}

func (p *parser) number32() uint32 { return uint32(p.number(math.MaxUint32)) }
func (p *parser) number63() int64  { return int64(p.number(math.MaxInt64)) }

// nonZero reads an nz-number.
func (p *parser) nonZero() uint32 {
	n := p.number32()
	if n == 0 {
		p.fail("number must not be 0")
	}
	return n
}

// date reads a date, quoted or not.
func (p *parser) date() time.Time {
	var s string
	if p.peek() == '"' {
		s = p.quoted()
	} else {
		s = p.atom()
	}
	t, ok := parseDate(s)
	if !ok {
		p.fail("bad date")
	}
	return t
}

func (p *parser) dateTime() time.Time {
	t, ok := parseDateTime(p.quoted())
	if !ok {
		p.fail("bad date and time")
	}
	return t
}

func upper(s string) string { return strings.ToUpper(s) }

// isAtomChar: RFC 9051 §9, ATOM-CHAR.
func isAtomChar(c byte) bool {
	switch c {
	case '(', ')', '{', '%', '*', '"', '\\', ']':
		return false
	}
	return c > ' ' && c < 0x7f
}

func isTagChar(c byte) bool { return c != '+' && (isAtomChar(c) || c == ']') }

func isSetChar(c byte) bool {
	return isDigit(c) || c == ':' || c == ',' || c == '*' || c == '$'
}
