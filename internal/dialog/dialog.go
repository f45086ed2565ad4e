// SPDX-License-Identifier: ISC

// Package dialog reads lines and gathers replies for protocols of lines (SMTP,
// POP3). Lines are bounded, whatever the client sends; replies go out when the
// client has nothing more to say, so that pipelined commands are answered in
// one write.
package dialog

import (
	"bytes"
	"errors"
	"io"
)

// Errors of Line.
var (
	ErrTooLong = errors.New("line too long") // it was skipped to its end
	ErrBareLF  = errors.New("line ends in LF without CR")
)

// TimedOut says whether a read ended because its time was up.
func TimedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// Reader reads from a client through one buffer.
type Reader struct {
	in   io.Reader
	buf  []byte
	r, w int // buf[r:w] is read and not used
	max  int
}

// NewReader reads from in, after the bytes that are there already. max bounds
// a line, its end included.
func NewReader(in io.Reader, ahead []byte, max int) *Reader {
	d := &Reader{in: in, buf: make([]byte, roundUp(max+len(ahead))), max: max}
	d.w = copy(d.buf, ahead)
	return d
}

func roundUp(n int) int { return max(8192, (n+4095)&^4095) }

// Buffered is how many bytes are read and not used.
func (d *Reader) Buffered() int { return d.w - d.r }

// fill reads once more; there must be room.
func (d *Reader) fill() error {
	if d.r > 0 {
		copy(d.buf, d.buf[d.r:d.w])
		d.w -= d.r
		d.r = 0
	}
	n, err := d.in.Read(d.buf[d.w:])
	d.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Line is the next line without its CRLF, valid until the next call. A line
// that ends in LF alone comes with ErrBareLF, one that is too long comes
// shortened with ErrTooLong.
func (d *Reader) Line() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(d.buf[d.r+seen:d.w], '\n'); i >= 0 {
			return d.cut(seen + i)
		}
		seen = d.w - d.r
		if seen >= d.max {
			return d.skip()
		}
		if err := d.fill(); err != nil {
			if err == io.EOF && seen > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// cut gives the line whose LF is at i.
func (d *Reader) cut(i int) ([]byte, error) {
	line := d.buf[d.r : d.r+i]
	d.r += i + 1
	if i+1 > d.max {
		return line[:d.max-1], ErrTooLong
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1], nil
	}
	return line, ErrBareLF
}

// skip drops the rest of a line that is too long.
func (d *Reader) skip() ([]byte, error) {
	for {
		if i := bytes.IndexByte(d.buf[d.r:d.w], '\n'); i >= 0 {
			d.r += i + 1
			return nil, ErrTooLong
		}
		d.r = d.w
		if err := d.fill(); err != nil {
			return nil, err
		}
	}
}

// Chunk is what is buffered, or after one more read if nothing is; it stays
// buffered until Discard. It is valid until the next call of another method.
func (d *Reader) Chunk() ([]byte, error) {
	if d.r == d.w {
		if err := d.fill(); err != nil {
			return nil, err
		}
	}
	return d.buf[d.r:d.w], nil
}

// Discard drops n bytes of what is buffered.
func (d *Reader) Discard(n int) { d.r += n }

// Ahead is a copy of what is buffered, for whoever goes on with the client in
// our place.
func (d *Reader) Ahead() []byte { return bytes.Clone(d.buf[d.r:d.w]) }

// Writer gathers replies.
type Writer struct {
	out io.Writer
	buf []byte
	err error
}

// gatherLimit is how much is gathered before it goes out anyway.
const gatherLimit = 64 << 10

// NewWriter writes to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out, buf: make([]byte, 0, 1024)} }

// Line adds a line and its CRLF.
func (w *Writer) Line(parts ...string) {
	for _, p := range parts {
		w.buf = append(w.buf, p...)
	}
	w.buf = append(w.buf, '\r', '\n')
	w.spill()
}

// Write adds bytes as they are.
func (w *Writer) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	w.spill()
	return len(p), w.err
}

func (w *Writer) spill() {
	if len(w.buf) >= gatherLimit {
		w.Flush()
	}
}

// Flush sends what is gathered. After an error nothing is sent any more.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.out.Write(w.buf)
	}
	w.buf = w.buf[:0]
	return w.err
}
