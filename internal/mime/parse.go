// SPDX-License-Identifier: ISC

package mime

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// pos is a place in the file: its offset there, its offset in CRLF form, and
// the lines before it.
type pos struct{ off, virt, lines int64 }

// frame is a part that is open.
type frame struct {
	part     *Part
	start    pos
	body     pos
	header   bool   // its header is being read
	boundary []byte // of a multipart whose parts are being read
	digest   bool   // a multipart/digest's part (RFC 2046 §5.1.5)
	seen     uint32 // fields it has had, by number
}

// parser reads a message line by line; of a line longer than its buffer it sees
// fragments.
type parser struct {
	in    *bufio.Reader
	stack []frame
	here  pos  // of the next byte
	brk   pos  // before the line break just read
	cr    bool // the last byte was a CR

	opening bool // a delimiter was read: with the next line a part begins
	full    bool // the last part of all was begun

	want  field  // the field being read, if we want it
	value []byte // and its text so far
	lex   lexer  // reads it

	parts, addrs, params, kept int
	steps                      int // work done; tests hold it against the message's length
}

// Parse reads a whole message once, with bounded memory whatever its size, and
// gives its structure. The only errors are the reader's.
func Parse(r io.Reader) (*Part, error) {
	in := borrow(r)
	defer giveBack(in)
	return (&parser{in: in}).run()
}

// readers is readers that are not in use.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}

func borrow(r io.Reader) *bufio.Reader {
	in := readers.Get().(*bufio.Reader)
	in.Reset(r)
	return in
}

func giveBack(in *bufio.Reader) {
	in.Reset(nil)
	readers.Put(in)
}

func (p *parser) run() (*Part, error) {
	root := p.push(frame{part: &Part{Envelope: &Envelope{}}})
	start := true
	for {
		b, err := p.in.ReadSlice('\n')
		if len(b) > 0 {
			if start {
				p.line(b)
			} else {
				p.count(b)
				p.keep(b)
			}
			start = b[len(b)-1] == '\n'
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			p.open()
			p.closeTo(0, p.here, p.here)
			return root, nil
		default:
			return nil, fmt.Errorf("reading a message at byte %d: %w", p.here.off, err)
		}
	}
}

// push opens a part here, in its header.
func (p *parser) push(f frame) *Part {
	p.parts++
	f.start, f.header = p.here, true
	f.part.Header = p.here.off
	p.stack = append(p.stack, f)
	return f.part
}

// count moves on over bytes that hold a line break at their end only.
func (p *parser) count(b []byte) {
	p.steps += len(b)
	n := len(b)
	p.here.off += int64(n)
	p.here.virt += int64(n)
	cr := p.cr
	if n >= 2 {
		cr = b[n-2] == '\r'
	}
	p.cr = b[n-1] == '\r'
	if b[n-1] != '\n' {
		return
	}
	p.brk = p.here
	p.brk.off--
	if cr {
		p.brk.off--
	} else {
		p.here.virt++
	}
	p.brk.virt = p.here.virt - 2
	p.here.lines++
}

// line reads a line, or the first fragment of a long one.
func (p *parser) line(b []byte) {
	p.open()
	start, brk := p.here, p.brk
	p.count(b)
	if at, last, ok := p.delimiter(b); ok {
		p.closeTo(at+1, brk, start)
		p.opening = !last
		if last { // what follows is epilogue
			p.stack[at].boundary = nil
		}
		return
	}
	if !p.stack[len(p.stack)-1].header {
		return
	}
	switch {
	case b[0] == '\n', b[0] == '\r' && len(b) == 2 && b[1] == '\n':
		p.endHeader(p.here)
	case b[0] == ' ', b[0] == '\t':
		p.keep(b)
	default:
		p.endField()
		p.beginField(b)
	}
}

// open begins the part that a delimiter has announced. The last of all parts
// has no header and takes all the rest.
func (p *parser) open() {
	if !p.opening {
		return
	}
	p.opening = false
	parent := p.stack[len(p.stack)-1].part
	f := frame{part: &Part{}, digest: parent.Is("multipart", "digest")}
	parent.Parts = append(parent.Parts, f.part)
	p.push(f)
	if p.parts == maxParts {
		p.full = true
		f.part.become("application", "octet-stream")
		p.endHeader(p.here)
	}
}

// delimiter tells which open multipart's delimiter a line is, and whether its
// last. RFC 2046 §5.1.1: the line begins with it, and more may follow; so the
// longest is meant, and of equal ones the innermost.
func (p *parser) delimiter(b []byte) (at int, last, ok bool) {
	if p.full || len(b) < 3 || b[0] != '-' || b[1] != '-' {
		return 0, false, false
	}
	b = b[2:]
	longest := 0
	for i := len(p.stack) - 1; i >= 0; i-- {
		d := p.stack[i].boundary
		p.steps++
		if len(d) > longest && bytes.HasPrefix(b, d) {
			at, longest, ok = i, len(d), true
		}
	}
	return at, ok && bytes.HasPrefix(b[longest:], []byte("--")), ok
}

// closeTo closes all parts but the outermost n. They end at end, but not before
// they have begun; a header that is cut off ends at line.
func (p *parser) closeTo(n int, end, line pos) {
	for len(p.stack) > n {
		f := &p.stack[len(p.stack)-1]
		if f.header {
			p.endHeader(line) // may open a message, which is closed next
			continue
		}
		if end.off < f.body.off {
			end = f.body
		}
		f.part.End = end.off
		f.part.Size = end.virt - f.body.virt
		f.part.Lines = end.lines - f.body.lines
		p.stack = p.stack[:len(p.stack)-1]
	}
}

// endHeader ends the innermost part's header; its body begins at b.
func (p *parser) endHeader(b pos) {
	p.endField()
	f := &p.stack[len(p.stack)-1]
	q := f.part
	f.header, f.body = false, b
	q.Body, q.HeaderSize = b.off, b.virt-f.start.virt
	p.settle(f)
	switch {
	case q.Is("multipart", ""):
		f.boundary = []byte(boundary(q))
	case q.carries():
		q.Message = &Part{Envelope: &Envelope{}}
		here := p.here
		p.here = b
		p.push(frame{part: q.Message})
		p.here = here
	}
}

// settle gives the part the type that it will have.
func (p *parser) settle(f *frame) {
	q := f.part
	switch {
	case q.Type != "":
	case f.seen&(1<<fieldType) == 0 && p.kept >= maxKept:
		q.become("application", "octet-stream")
	case f.seen&(1<<fieldType) == 0 && f.digest:
		q.become("message", "rfc822")
	default: // RFC 2045 §5.2: none, or not to be understood
		q.become("text", "plain")
	}
	if q.Is("multipart", "") && boundary(q) == "" {
		q.become("text", "plain")
	}
	holds := q.Is("multipart", "") || q.carries()
	if holds && len(p.stack) >= maxDepth || q.carries() && p.parts >= maxParts-1 {
		q.become("application", "octet-stream")
	}
}

// boundary is the boundary of a multipart, or "" when it has none that serves.
func boundary(q *Part) string {
	b := trimRight(q.Param("boundary"))
	if len(b) > maxBoundary {
		return ""
	}
	return b
}
