// SPDX-License-Identifier: ISC

package queue

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"quill/internal/mailid"
)

// Client submits records and messages to queued, many at once on one
// connection: what several goroutines submit at the same time goes out in one
// write. When the connection fails, everything that waits hears so, and the
// client is of no more use.
//
// An answer that does not come within Limit counts as such a failure.
type Client struct {
	conn  *os.File
	limit time.Duration // for an answer; 0 is none

	mu      sync.Mutex
	out     []byte // frames that wait to be written
	spare   []byte // what was written last, to be used again
	writing bool   // somebody writes, and goes on until nothing waits
	pending []func(ok bool, text string, err error)
	err     error
	until   time.Time // the read deadline that is set; zero for none
}

// maxSpare is the largest buffer that a client keeps.
const maxSpare = 1 << 20

// Dial connects to the queued of a home.
func Dial(home string) (*Client, error) {
	f, err := Connect(home)
	return newClient(f, 0, err)
}

// DialWait is Dial that waits while queued is being restarted; answers may take
// as long as limit says.
func DialWait(home string, wait, limit time.Duration) (*Client, error) {
	f, err := ConnectWait(home, wait)
	return newClient(f, limit, err)
}

func newClient(f *os.File, limit time.Duration, err error) (*Client, error) {
	if err != nil {
		return nil, err
	}
	c := &Client{conn: f, limit: limit}
	go c.hear()
	return c, nil
}

// Err is why the client is of no more use, nil as long as it is.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
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

// Space asks whether there is room for a message of so many bytes; done hears a
// *Refusal where there is not.
func (c *Client) Space(want int64, done func(err error)) {
	c.send(AppendFrame(nil, FrameSpace, strconv.AppendInt(nil, want, 10)), func(_ string, err error) { done(err) })
}

// Submit hands a whole message over; done hears its id.
func (c *Client) Submit(e *Envelope, message []byte, done func(id mailid.ID, err error)) {
	b := AppendPartFrame(make([]byte, 0, len(message)+1024), FrameSender, e.Sender, e.Params)
	for _, r := range e.Recipients {
		b = AppendPartFrame(b, FrameRecipient, r.Addr, r.Params)
	}
	for len(message) > 0 {
		n := min(len(message), MaxChunk)
		b = AppendFrame(b, FrameMessage, message[:n])
		message = message[n:]
	}
	c.SubmitFrames(AppendFrame(b, FrameCommit), done)
}

// SubmitFrames is Submit for a message that is in frames already; they are the
// caller's again when it returns.
func (c *Client) SubmitFrames(frames []byte, done func(id mailid.ID, err error)) {
	c.send(frames, func(answer string, err error) {
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

// send writes frames that will get one answer. Whoever finds nobody writing
// writes for all who come meanwhile.
func (c *Client) send(b []byte, done func(answer string, err error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		err := c.err
		c.mu.Unlock()
		done("", err)
		c.mu.Lock()
		return
	}
	c.pending = append(c.pending, func(ok bool, text string, err error) {
		if err == nil && !ok {
			err = refusal(text)
		}
		done(text, err)
	})
	c.patience()
	c.out = append(c.out, b...)
	if c.writing {
		return
	}
	c.writing = true
	c.mu.Unlock()
	runtime.Gosched() // who is about to submit, too, goes out in the same write
	c.mu.Lock()
	for len(c.out) > 0 && c.err == nil {
		out := c.out
		c.out = c.spare[:0]
		c.mu.Unlock()
		if _, err := c.conn.Write(out); err != nil {
			c.conn.Close() // hear tells everybody
		}
		c.mu.Lock()
		c.spare = nil
		if cap(out) <= maxSpare {
			c.spare = out
		}
	}
	c.writing = false
}

// patience bounds the wait for an answer to what is sent now: by the limit at
// least, by a quarter more at most, so that a busy connection seldom sets it.
// It runs with the lock held.
func (c *Client) patience() {
	if c.limit == 0 {
		return
	}
	now := time.Now()
	if c.until.Sub(now) < c.limit {
		c.until = now.Add(c.limit + c.limit/4)
		c.conn.SetReadDeadline(c.until)
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
		if errors.Is(err, os.ErrDeadlineExceeded) && len(c.pending) == 0 && r.Buffered() == 0 {
			c.until = time.Time{}
			c.conn.SetReadDeadline(c.until)
			c.mu.Unlock()
			continue // nothing was waited for
		}
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

// Ready says whether Next would find the start of an event without waiting.
func (f *Follower) Ready() bool { return f.r.Buffered() > 0 }

// Close ends the following.
func (f *Follower) Close() error { return f.conn.Close() }
