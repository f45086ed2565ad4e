// SPDX-License-Identifier: ISC

package imap

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
)

// Reader reads a client's commands. It is not for use by several goroutines.
type Reader struct {
	// UTF8 says that mailbox names come as UTF-8: the client has enabled
	// UTF8=ACCEPT or IMAP4rev2.
	UTF8 bool
	// LoggedIn sets the limits of after login.
	LoggedIn bool
	// LiteralPlus takes non-synchronizing literals of any size that other
	// limits allow (LITERAL+); without it 4096 bytes (LITERAL-), RFC 7888.
	LiteralPlus bool

	in   *bufio.Reader
	cont func(string) error
	line []byte // the current line, without its end
	p    parser
	app  appending
}

// readSize holds a few commands that come at once, and is all that an idle
// session keeps for input.
const readSize = 1 << 10

// NewReader reads from in. When a client waits for leave to send a literal,
// cont is called with the text of the continuation line, which it must write
// and flush. To flush answers before waiting for input, let in's Read do it.
func NewReader(in io.Reader, cont func(text string) error) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, readSize), cont: cont}
}

// Buffered is how many bytes have been read from the client and not used. After
// STARTTLS there must be none: they were not protected.
func (r *Reader) Buffered() int { return r.in.Buffered() }

// Ahead is a copy of those bytes: for who has the connection next.
func (r *Reader) Ahead() []byte {
	b, _ := r.in.Peek(r.in.Buffered()) // what is buffered is there
	return bytes.Clone(b)
}

// Reset goes on with another stream (TLS), forgetting what was buffered.
func (r *Reader) Reset(in io.Reader) { r.in.Reset(in) }

// Wait waits for a byte of what comes next, without using it. It is what may
// be called again after a time-out of the stream: any other reading that fails
// has lost its place.
func (r *Reader) Wait() error {
	_, err := r.in.Peek(1)
	return err
}

// Next reads a command. An *Error is to be told to the client; any other error
// ends the connection, io.EOF where it came between commands. Of APPEND only
// the mailbox has been read: see NextMessage.
func (r *Reader) Next() (*Command, error) {
	if err := r.finish(); err != nil {
		return nil, err
	}
	if cap(r.line) > 4096 {
		r.line = nil // an idle session holds no more than it needs
	}
	p := &r.p
	*p = parser{r: r}
	if err := r.Wait(); err != nil {
		return nil, err
	}
	p.nextLine()
	c := p.command()
	if err := r.settle(); err != nil {
		return nil, err
	}
	return c, nil
}

// settle returns the parser's error, if any, after it has gone to the end of
// the bad command.
func (r *Reader) settle() error {
	p := &r.p
	if p.err == nil {
		return nil
	}
	r.app = appending{}
	var e *Error
	if !errors.As(p.err, &e) {
		return p.err
	}
	e.Tag = p.tag
	if e.Close {
		return e
	}
	switch err := r.skip(r.line); {
	case errors.As(err, new(*Error)):
		e.Close = true
	case err != nil:
		return err
	}
	return e
}

// skip goes to the end of a command whose current line is line. A
// non-synchronizing literal that it announces follows whatever we think of the
// command; a synchronizing one does not, as we say no to it.
func (r *Reader) skip(line []byte) error {
	total := int64(0)
	for skips := 0; ; skips++ {
		n, sync, ok := literalTail(line)
		if !ok || sync {
			return nil
		}
		if total += min(n, math.MaxInt64-total); skips == maxSkips {
			total = math.MaxInt64
		}
		if err := r.roomFor(total); err != nil {
			return err
		}
		if err := r.discard(n); err != nil {
			return err
		}
		var err error
		if line, _, err = r.readLine(0); err != nil {
			return err
		}
	}
}

// roomFor says whether n bytes may be skipped.
func (r *Reader) roomFor(n int64) error {
	if n > r.limit(skipBefore, skipAfter) {
		return &Error{Status: "BAD", Code: "TOOBIG", Text: "literal too large", Close: true}
	}
	return nil
}

// discard reads n bytes for nothing.
func (r *Reader) discard(n int64) error {
	if err := r.roomFor(n); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, r.in, n)
	return unexpected(err)
}

func (r *Reader) limit(before, after int64) int64 {
	if r.LoggedIn {
		return after
	}
	return before
}

// Line reads a line that is no command: a response to AUTHENTICATE, or DONE.
// It is good until the next call.
func (r *Reader) Line() ([]byte, error) {
	line, long, err := r.readLine(lineBefore)
	if err != nil {
		return nil, err
	}
	if long {
		return nil, bad("line too long")
	}
	return line, nil
}

// tailKept is what is kept of a line that is too long, for a literal that it
// may announce.
const tailKept = 32

// readLine reads to the end of a line, which is LF, with or without CR. Of one
// longer than most only the end is kept; one much longer is an *Error that
// closes.
func (r *Reader) readLine(most int) (line []byte, long bool, err error) {
	r.line = r.line[:0]
	total := int64(0)
	for {
		piece, err := r.in.ReadSlice('\n')
		total += int64(len(piece))
		r.line = append(r.line, piece...)
		if len(r.line) > most+2 {
			if !long && r.p.used == 0 {
				r.p.tag = tagOf(r.p.tag, r.line)
			}
			long = true
			if n := len(r.line); n > tailKept {
				r.line = append(r.line[:0], r.line[n-tailKept:]...)
			}
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, false, unexpected(err)
		}
		if total > r.limit(overBefore, overAfter) {
			return nil, false, &Error{Status: "BAD", Code: "TOOBIG", Text: "line far too long", Close: true}
		}
	}
	n := len(r.line) - 1
	if n > 0 && r.line[n-1] == '\r' {
		n--
	}
	r.line = r.line[:n]
	return r.line, long || n > most, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// literalTail finds the literal that a line announces at its end.
func literalTail(line []byte) (n int64, sync, ok bool) {
	for i := len(line) - 1; i >= 0 && len(line)-i <= tailKept; i-- {
		if line[i] == '{' {
			return literalHead(line[i:])
		}
	}
	return 0, false, false
}

// literalHead reads {n} or {n+}, which must be all of b. A number beyond 63
// bits counts as the greatest.
func literalHead(b []byte) (n int64, sync, ok bool) {
	if len(b) < 3 || b[0] != '{' || b[len(b)-1] != '}' {
		return 0, false, false
	}
	b = b[1 : len(b)-1]
	sync = true
	if b[len(b)-1] == '+' {
		b, sync = b[:len(b)-1], false
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false, false
		}
	}
	v, fits := number(b, math.MaxInt64)
	if !fits {
		v = math.MaxInt64
	}
	return int64(v), sync, len(b) > 0
}
