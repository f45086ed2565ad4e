// SPDX-License-Identifier: ISC

package imapfetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"quill/internal/mailbox"
	"quill/internal/mime"
)

// windowSize is the bytes that a run reads at once.
const windowSize = 32 << 10

// noNUL is what stands for NUL, which no literal may hold (RFC 3501 §9), so that
// sizes stay; Dovecot's choice.
const noNUL = 0x80

// errShort says that the file ends before it should.
var errShort = errors.New("file is shorter than it was")

// stretch is a section of the message, and the form in which it is sent.
type stretch struct {
	from, to int64
	raw      bool   // NUL stays
	exact    bool   // and so do LFs without CR
	encoding string // is undone
}

// run reads a stretch, forwards.
type run struct {
	stretch
	wire wire
	in   io.Reader // wire, or what decodes it
	at   int64     // bytes given
	nul  bool      // there was a NUL among these
	err  error     // of reading
}

// newRun begins a stretch. Its encoding is one that mime.Decode knows; buf may
// be nil.
func newRun(content mailbox.Content, s stretch, buf []byte) *run {
	r := &run{stretch: s, wire: wire{content: content, off: s.from, to: s.to, raw: s.raw, exact: s.exact, buf: buf}}
	r.in, _ = mime.Decode(&r.wire, s.encoding)
	return r
}

// read fills b as far as there is anything.
func (r *run) read(b []byte) (n int, end bool, err error) {
	n, err = io.ReadFull(r.in, b)
	r.at += int64(n)
	r.nul = r.nul || bytes.IndexByte(b[:n], 0) >= 0
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return n, true, nil
	}
	r.err = err
	return n, false, err
}

// Read is read for imap.Writer.
func (r *run) Read(b []byte) (int, error) {
	n, end, err := r.read(b)
	if end && n == 0 && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}

// pass goes on by n bytes, or to the end, and tells how far it came.
func (r *run) pass(n int64, scratch []byte) (passed int64, err error) {
	for end := false; passed < n && !end && err == nil; {
		var got int
		got, end, err = r.read(scratch[:min(n-passed, int64(len(scratch)))])
		passed += int64(got)
	}
	return passed, err
}

// fork is the same place once more, for reading it again; ok is false where
// there is none but the beginning.
func (r *run) fork() (_ *run, ok bool) {
	if r.in != io.Reader(&r.wire) {
		return nil, false
	}
	c := newRun(r.wire.content, r.stretch, nil)
	c.wire.off, c.wire.cr, c.at = r.wire.off-int64(len(r.wire.ready)), r.wire.cr, r.at
	return c, true
}

// wire reads a stretch, in CRLF form unless it is to be exact.
type wire struct {
	content mailbox.Content
	off, to int64
	raw     bool
	exact   bool
	buf     []byte
	ready   []byte // of buf, what was read and not given
	cr      bool   // what was given last is a CR
}

func (w *wire) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if len(w.ready) == 0 {
			if w.off == w.to && n > 0 {
				return n, nil
			}
			if err := w.fill(); err != nil {
				return n, err
			}
		}
		if w.ready[0] == '\n' && !w.exact {
			if w.cr = !w.cr; w.cr {
				b[n] = '\r'
			} else {
				b[n], w.ready = '\n', w.ready[1:]
			}
			n++
			continue
		}
		i := bytes.IndexByte(w.ready, '\n')
		if i < 0 || w.exact {
			i = len(w.ready)
		}
		i = copy(b[n:], w.ready[:i])
		n, w.ready = n+i, w.ready[i:]
		w.cr = b[n-1] == '\r'
	}
	return n, nil
}

// fill reads on.
func (w *wire) fill() error {
	if w.off >= w.to {
		return io.EOF
	}
	if w.buf == nil {
		w.buf = make([]byte, windowSize)
	}
	n, err := w.content.ReadAt(w.buf[:min(int64(len(w.buf)), w.to-w.off)], w.off)
	if n == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			err = errShort
		}
		return fmt.Errorf("reading at byte %d: %w", w.off, err)
	}
	w.off += int64(n)
	if w.ready = w.buf[:n]; !w.raw {
		hideNUL(w.ready)
	}
	return nil
}

// hideNUL puts noNUL for each NUL.
func hideNUL(b []byte) {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return
		}
		b[i], b = noNUL, b[i+1:]
	}
}
