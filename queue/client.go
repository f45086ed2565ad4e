// SPDX-License-Identifier: ISC

package queue

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"sync"

	"quill/internal/mailid"
)

// Client submits records and messages to queued, many at once on one
// connection. When the connection fails, everything that waits hears so, and
// the client is of no more use.
type Client struct {
	conn *os.File
	out  sync.Mutex // held while frames and who waits for them are put in order

	mu      sync.Mutex
	pending []func(ok bool, text string, err error)
	err     error
}

// Dial connects to the queued of a home.
func Dial(home string) (*Client, error) {
	f, err := Connect(home)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: f}
	go c.hear()
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Record submits a record about a message; done hears its sequence number when
// it is durable. queued's refusals are of type *Refusal.
func (c *Client) Record(kind Kind, id mailid.ID, rcpt int, text []byte, done func(seq uint64, err error)) {
	c.send(AppendFrame(nil, FrameRecord, EncodeRecord(kind, id, rcpt, text)), func(answer string, err error) {
		var seq uint64
		if err == nil {
			seq, err = strconv.ParseUint(answer, 10, 64)
		}
		done(seq, err)
	})
}

// Submit hands a whole message over; done hears its id.
func (c *Client) Submit(e *Envelope, message []byte, done func(id mailid.ID, err error)) {
	b := AppendFrame(make([]byte, 0, len(message)+1024), FrameSender, AppendPart(nil, e.Sender, e.Params))
	for _, r := range e.Recipients {
		b = AppendFrame(b, FrameRecipient, AppendPart(nil, r.Addr, r.Params))
	}
	for len(message) > 0 {
		n := min(len(message), MaxChunk)
		b = AppendFrame(b, FrameMessage, message[:n])
		message = message[n:]
	}
	c.send(AppendFrame(b, FrameCommit), func(answer string, err error) {
		id, ok := mailid.Parse(answer)
		if err == nil && !ok {
			err = ErrFrame
		}
		done(id, err)
	})
}

// Refusal is queued's answer E.
type Refusal struct {
	Code int // qmail-queue(8)
	Text string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s (exit code %d)", r.Text, r.Code) }

// send writes frames that will get one answer.
func (c *Client) send(b []byte, done func(answer string, err error)) {
	c.out.Lock()
	defer c.out.Unlock()
	c.mu.Lock()
	err := c.err
	if err == nil {
		c.pending = append(c.pending, func(ok bool, text string, err error) {
			if err == nil && !ok {
				err = refusal(text)
			}
			done(text, err)
		})
	}
	c.mu.Unlock()
	if err != nil {
		done("", err)
		return
	}
	if _, err := c.conn.Write(b); err != nil {
		c.conn.Close() // hear tells everybody
	}
}

func refusal(text string) error {
	if text == "" {
		return ErrFrame
	}
	return &Refusal{int(text[0]), text[1:]}
}

// hear reads answers until the connection ends.
func (c *Client) hear() {
	r := bufio.NewReaderSize(c.conn, 16<<10)
	for {
		kind, payload, err := ReadFrame(r)
		c.mu.Lock()
		if err == nil && (len(c.pending) == 0 || kind != FrameOK && kind != FrameError) {
			err = ErrFrame
		}
		if err != nil {
			c.err = fmt.Errorf("connection to queued: %w", err)
			lost := c.pending
			c.pending = nil
			c.mu.Unlock()
			c.conn.Close()
			for _, done := range lost {
				done(false, "", c.err)
			}
			return
		}
		done := c.pending[0]
		c.pending = c.pending[1:]
		c.mu.Unlock()
		done(kind == FrameOK, string(payload), nil)
	}
}

// Follower reads the log as it grows.
type Follower struct {
	conn *os.File
	r    *bufio.Reader
}

// Follow begins to follow the log of a home: first what lives, with sequence
// numbers of at least from, then everything new.
func Follow(home string, from uint64) (*Follower, error) {
	f, err := Connect(home)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(AppendFrame(nil, FrameFollow, strconv.AppendUint(nil, from, 10))); err != nil {
		f.Close()
		return nil, err
	}
	return &Follower{f, bufio.NewReaderSize(f, 64<<10)}, nil
}

// Next is the next event; one with CaughtUp set tells that there is no other
// yet.
func (f *Follower) Next() (Event, error) {
	kind, payload, err := ReadFrame(f.r)
	if err != nil {
		return Event{}, fmt.Errorf("following queued: %w", err)
	}
	switch kind {
	case FrameEvent:
		return ParseEvent(payload)
	case FrameCaughtUp:
		return Event{CaughtUp: true}, nil
	case FrameError:
		return Event{}, refusal(string(payload))
	}
	return Event{}, ErrFrame
}

// Close ends the following.
func (f *Follower) Close() error { return f.conn.Close() }
