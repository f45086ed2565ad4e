// SPDX-License-Identifier: ISC

package imap

import (
	"io"
	"time"
)

// Message is one of an APPEND, as announced.
type Message struct {
	Flags  []string
	Date   time.Time // zero: none given
	Size   int64
	Binary bool // literal8 (RFC 3516): may hold NUL
	UTF8   bool // in UTF8 (…), RFC 6855 §4
	Sync   bool // the client waits for leave: refusing costs nothing
}

type appendState uint8

const (
	appendNone    appendState = iota
	appendHead                // the parser stands before a message
	appendOffered             // a synchronizing literal is announced
	appendBody                // left bytes are to come, then the rest of the line
)

// appending is where an APPEND stands.
type appending struct {
	state appendState
	left  int64
	utf8  bool
	count int
}

// cmdAppend: RFC 9051 §6.3.12, RFC 3502. The messages are NextMessage's.
func (p *parser) cmdAppend(c *Command) {
	c.Mailbox = p.mailbox()
	p.space()
	if p.err == nil {
		p.r.app = appending{state: appendHead}
	}
}

// NextMessage reads on in an APPEND to its next message; what is left of the
// one before is dropped. io.EOF is the end of the command, an *Error its end
// too. An APPEND may be abandoned at any point by calling Next.
func (r *Reader) NextMessage() (*Message, error) {
	p := &r.p
	if r.app.state == appendBody {
		if err := r.discard(r.app.left); err != nil {
			r.app = appending{}
			return nil, err
		}
		p.used, p.args = 0, 0
		if p.nextLine(); r.app.utf8 {
			p.expect(')')
		}
		if p.err == nil && p.atEnd() {
			r.app = appending{}
			return nil, io.EOF
		}
		if p.space(); r.app.count == maxMessages {
			p.fail("too many messages")
		}
	} else if r.app.state != appendHead {
		r.app = appending{}
		return nil, io.EOF
	}
	m := p.message()
	if err := r.settle(); err != nil {
		return nil, err
	}
	r.app = appending{state: appendOffered, left: m.Size, utf8: m.UTF8, count: r.app.count + 1}
	if !m.Sync {
		r.app.state = appendBody
	}
	return m, nil
}

// message reads what stands before a message's bytes.
func (p *parser) message() *Message {
	m := &Message{}
	if p.peek() == '(' {
		m.Flags = p.flagList()
		p.space()
	}
	if p.peek() == '"' {
		m.Date = p.dateTime()
		p.space()
	}
	if p.isWord("UTF8") {
		m.UTF8 = true
		p.space()
		p.expect('(')
	}
	if m.Binary = p.take('~'); m.UTF8 && !m.Binary {
		p.fail("expected a literal8")
	}
	m.Size, m.Sync = p.announced()
	return m
}

// Body gives the client leave to send the message that NextMessage announced,
// if it waits for it, and returns its bytes: exactly Size of them, or an error.
func (r *Reader) Body() (io.Reader, error) {
	if r.app.state == appendOffered {
		if err := r.cont("go on"); err != nil {
			return nil, err
		}
		r.app.state = appendBody
	}
	if r.app.state != appendBody {
		return nil, bad("no message announced")
	}
	return body{r, r.app.count}, nil
}

// body reads a message's bytes as long as it is the one that is due.
type body struct {
	r *Reader
	n int
}

func (b body) Read(to []byte) (int, error) {
	a := &b.r.app
	if a.state != appendBody || a.count != b.n || a.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.in.Read(to[:min(int64(len(to)), a.left)])
	a.left -= int64(n)
	return n, unexpected(err)
}

// finish goes to the end of an APPEND that was abandoned.
func (r *Reader) finish() error {
	state, left := r.app.state, r.app.left
	r.app = appending{}
	switch state {
	case appendHead:
		return r.skip(r.line)
	case appendBody:
		if err := r.roomFor(left); err != nil {
			return err
		}
		if err := r.discard(left); err != nil {
			return err
		}
		line, _, err := r.readLine(0)
		if err != nil {
			return err
		}
		return r.skip(line)
	}
	return nil
}
