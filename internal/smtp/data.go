// SPDX-License-Identifier: ISC

package smtp

import (
	"bytes"
	"io"

	"quill/internal/header"
)

// Where in the text the scanner is.
const (
	bol    = iota // at the start of a line, after CRLF
	inline        // in a line
	cr            // after a CR in a line
	dot           // after a dot that starts a line
	dotCR         // after a line of a dot and a CR
)

// flaws of a message; the first one found decides.
const (
	flawNone = iota
	flawCR
	flawLF
	flawNUL
	flawSize
	flawHops
	flawHeader
	flawWrite
)

// data reads the text of a message after DATA: it finds its end, which is
// CRLF.CRLF and nothing else, however the bytes come in pieces; takes off the
// dots that were put before lines; and writes lines with LF. A message with a
// flaw is read to its true end all the same.
type data struct {
	out     io.Writer
	maxSize int64
	maxHops int
	maxHead int

	state int
	flaw  int
	err   error // of out
	size  int64
	hops  header.Counter
}

// feed reads b, and says how much of it belongs to the message and whether the
// message has ended. It uses b's room for what it writes.
func (d *data) feed(b []byte) (n int, done bool) {
	w := 0 // b[:w] is to be written; never more than was read
	for n < len(b) {
		switch c := b[n]; {
		case d.state == bol && c == '.':
			d.state = dot
			n++
		case d.state == bol, d.state == inline:
			n, w = d.line(b, n, w)
		case d.state == cr && c == '\n':
			b[w] = '\n'
			w++
			n++
			d.state = bol
		case d.state == cr && c == '\r':
			d.mark(flawCR)
			n++
		case d.state == cr:
			d.mark(flawCR)
			d.state = inline
		case d.state == dot && c == '\r':
			d.state = dotCR
			n++
		case d.state == dot:
			d.state = inline
		case c == '\n':
			d.put(b[:w])
			return n + 1, true
		default: // a dot, a CR and something else
			d.mark(flawCR)
			d.state = inline
			if c == '\r' {
				d.state = cr
				n++
			}
		}
	}
	d.put(b[:w])
	return n, false
}

// line reads to the end of the line, or of b, and moves the text to b[w:].
func (d *data) line(b []byte, n, w int) (int, int) {
	rest := b[n:]
	i := bytes.IndexByte(rest, '\n')
	text, next := rest, len(rest)
	switch {
	case i >= 0 && i > 0 && rest[i-1] == '\r':
		text, next, d.state = rest[:i-1], i+1, bol
	case i >= 0:
		// A CR may have come in the piece before, but then state were cr.
		d.mark(flawLF)
		text, next, d.state = rest[:i], i+1, inline
	case rest[len(rest)-1] == '\r':
		text, d.state = rest[:len(rest)-1], cr
	default:
		d.state = inline
	}
	if bytes.IndexByte(text, '\r') >= 0 {
		d.mark(flawCR)
	}
	if bytes.IndexByte(text, 0) >= 0 {
		d.mark(flawNUL)
	}
	w += copy(b[w:], text)
	if d.state == bol {
		b[w] = '\n'
		w++
	}
	return n + next, w
}

func (d *data) mark(flaw int) {
	if d.flaw == flawNone {
		d.flaw = flaw
	}
}

// put writes what was read, as long as the message is without a flaw.
func (d *data) put(b []byte) {
	if len(b) == 0 || d.flaw != flawNone {
		return
	}
	d.size += int64(len(b))
	if d.maxSize > 0 && d.size > d.maxSize {
		d.mark(flawSize)
		return
	}
	if !d.hops.Done {
		d.hops.Feed(b)
		if d.hops.Hops >= d.maxHops {
			d.mark(flawHops)
		}
		if d.hops.Size > d.maxHead {
			d.mark(flawHeader)
		}
	}
	if _, err := d.out.Write(b); err != nil {
		d.err = err
		d.mark(flawWrite)
	}
}
