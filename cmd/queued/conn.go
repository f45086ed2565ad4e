// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/mailid"
	"quill/queue"
)

// conn is one client's connection.
type conn struct {
	s       *server
	uid     uint32
	trusted bool
	file    *os.File
	r       *bufio.Reader
	answers answers
	watcher *queue.Watcher
	payload []byte // of the frame being read
	timed   bool   // a read deadline is set

	// the message being received
	env     queue.Envelope
	begun   bool
	message *queue.Message
	bytes   int // of the envelope
	refused error
}

// verbs is what each kind of frame does. An error ends the connection.
var verbs = map[byte]func(c *conn, payload []byte) error{
	queue.FrameSender:    (*conn).sender,
	queue.FrameRecipient: (*conn).recipient,
	queue.FrameCommit:    (*conn).commit,
	queue.FrameAbort:     (*conn).abort,
	queue.FrameSpace:     (*conn).space,
	queue.FrameRecord:    (*conn).record,
	queue.FrameFollow:    (*conn).follow,
}

// serve obeys frames until the connection ends. A message that was not
// committed by then never was.
func (c *conn) serve() {
	c.r = bufio.NewReaderSize(c.file, readSize)
	c.answers.w = c.file
	defer c.answers.wait()
	defer c.forget()
	for {
		if c.r.Buffered() == 0 {
			c.answers.flush()
			if c.message != nil {
				c.patience()
			}
		}
		kind, n, err := queue.ReadHead(c.r)
		if err == nil {
			if kind == queue.FrameMessage {
				err = c.chunk(n)
			} else {
				err = c.frame(kind, n)
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, unix.ECONNRESET) {
				logf("warning: connection of uid %d: %v", c.uid, err)
			}
			return
		}
	}
}

const (
	maxKept  = 64 << 10 // the largest payload whose room is kept
	readSize = 64 << 10 // bytes read at once: the messages of many sessions come together
)

// frame reads a frame's payload and obeys it; no verb keeps the payload.
func (c *conn) frame(kind byte, n int) error {
	verb := verbs[kind]
	if verb == nil {
		return queue.ErrFrame
	}
	if n > cap(c.payload) || cap(c.payload) > maxKept && n <= maxKept {
		c.payload = make([]byte, max(n, 1024))
	}
	if c.r.Buffered() < n {
		c.patience()
	}
	if _, err := io.ReadFull(c.r, c.payload[:n]); err != nil {
		return err
	}
	return verb(c, c.payload[:n])
}

// chunk takes n bytes of the message.
func (c *conn) chunk(n int) error {
	if c.message == nil {
		c.message = queue.NewMessage("queue")
	}
	c.message.Expect(n)
	for n > 0 {
		if c.r.Buffered() == 0 {
			c.patience()
		}
		b, err := c.r.Peek(min(n, max(1, c.r.Buffered())))
		if len(b) == 0 {
			return err
		}
		if c.refused == nil {
			_, c.refused = c.message.Write(b)
		}
		c.r.Discard(len(b))
		n -= len(b)
	}
	return nil
}

// sender takes F: a later one replaces an earlier one.
func (c *conn) sender(payload []byte) error {
	addr, params, err := queue.ParsePart(payload)
	if err != nil {
		return err
	}
	c.check(addr, len(payload))
	if !c.trusted {
		params = params.With("origin", "uid "+strconv.FormatUint(uint64(c.uid), 10))
		if params.Value("ends") != "" {
			c.refused = queue.ErrEnvelope
		}
	} else if params.Value("origin") == "" {
		params = params.With("origin", "uid "+strconv.FormatUint(uint64(c.uid), 10))
	}
	c.env.Sender, c.env.Params, c.begun = addr, params, true
	if c.message == nil {
		c.message = queue.NewMessage("queue")
	}
	id, ok := mailid.Parse(params.Value("id"))
	if !ok {
		id = mailid.New()
	}
	c.message.Name(c.s.log.Fresh(id), params.Value("origin"))
	return nil
}

// check bounds an address and the envelope.
func (c *conn) check(addr string, n int) {
	c.bytes += n + 2
	switch {
	case c.refused != nil:
	case len(addr) >= queue.MaxAddress:
		c.refused = errTooLong
	case c.bytes > queue.MaxEnvelope-4096 || len(c.env.Recipients) >= queue.MaxParts:
		c.refused = errTooMany
	}
}

// Refusals of an envelope, with their exit codes of qmail-queue(8).
var (
	errTooLong = &queue.Refusal{Code: 11, Text: "envelope address too long (#5.1.3)"}
	errTooMany = &queue.Refusal{Code: 31, Text: "too many recipients for one message (#5.5.3)"}
)

func (c *conn) recipient(payload []byte) error {
	addr, params, err := queue.ParsePart(payload)
	if err != nil {
		return err
	}
	c.check(addr, len(payload))
	if c.refused == nil {
		c.env.Recipients = append(c.env.Recipients, queue.Recipient{Addr: addr, Params: params})
	}
	return nil
}

// commit hands the message to the log; the answer comes when it is on disk.
func (c *conn) commit([]byte) error {
	slot := c.answers.next()
	env, m, refused := c.env, c.message, c.refused
	if refused == nil && (!c.begun || len(env.Recipients) == 0) {
		refused = queue.ErrEnvelope
	}
	if refused != nil {
		c.forget()
		slot.refuse(refused)
		return nil
	}
	c.env, c.message, c.begun, c.bytes = queue.Envelope{}, nil, false, 0
	c.idle()
	id, size := m.ID(), m.Size()
	c.s.log.Enqueue(&env, m, c.uid, func(err error) {
		if err != nil {
			logf("warning: message %v of %d bytes refused: %v", id, size, err)
			slot.refuse(err)
		} else {
			slot.fill(queue.FrameOK, []byte(id.String()))
		}
		c.s.answered(&c.answers)
	})
	return nil
}

func (c *conn) abort([]byte) error {
	c.forget()
	return nil
}

// forget drops the message being received.
func (c *conn) forget() {
	if c.message != nil {
		c.message.Forget()
	}
	c.env, c.message, c.begun, c.refused, c.bytes = queue.Envelope{}, nil, false, nil, 0
	c.idle()
}

// patience bounds the time for the rest of a message that has not come whole.
func (c *conn) patience() {
	if !c.timed {
		c.timed = true
		c.deadline(time.Now().Add(partLimit))
	}
}

// idle takes the bound off: between messages a connection may wait for ever.
func (c *conn) idle() {
	if c.timed {
		c.timed = false
		c.deadline(time.Time{})
	}
}

// deadline bounds reading, unless the server closes and has ended it.
func (c *conn) deadline(at time.Time) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.s.closing {
		c.file.SetReadDeadline(at)
	}
}

// space answers whether there is room for so many bytes, and half as many
// again.
func (c *conn) space(payload []byte) error {
	slot := c.answers.next()
	want, err := strconv.ParseInt(string(payload), 10, 62)
	if err != nil || want < 0 {
		return queue.ErrFrame
	}
	var st unix.Statfs_t
	if err := unix.Statfs("queue", &st); err != nil || c.s.log.Full() || int64(st.Bavail)*st.Bsize < want+want/2 {
		slot.refuse(queue.ErrFull)
		return nil
	}
	slot.fill(queue.FrameOK, payload)
	return nil
}

func (c *conn) record(payload []byte) error {
	slot := c.answers.next()
	if !c.trusted {
		slot.refuse(&queue.Refusal{Code: 31, Text: "uid " + strconv.Itoa(int(c.uid)) + " may not write records: see control/queuetrust"})
		return nil
	}
	kind, id, rcpt, text, err := queue.ParseRecord(payload)
	if err != nil {
		return err
	}
	c.s.log.Record(kind, id, rcpt, text, func(seq uint64, err error) {
		if err != nil {
			slot.refuse(err)
		} else {
			slot.fill(queue.FrameOK, strconv.AppendUint(nil, seq, 10))
		}
		c.s.answered(&c.answers)
	})
	return nil
}

// follow turns the connection into a follower's.
func (c *conn) follow(payload []byte) error {
	from, err := strconv.ParseUint(string(payload), 10, 64)
	if err != nil {
		return queue.ErrFrame
	}
	if !c.trusted {
		c.answers.next().refuse(&queue.Refusal{Code: 31, Text: "uid " + strconv.Itoa(int(c.uid)) + " may not follow the log: see control/queuetrust"})
		return nil
	}
	w := c.s.log.Watch(from)
	c.s.mu.Lock()
	c.watcher = w
	c.s.mu.Unlock()
	defer w.Close()
	go func() { // a follower that goes away is to be forgotten at once
		io.Copy(io.Discard, c.r)
		w.Close()
	}()
	out := bufio.NewWriterSize(deadlined{c.file}, 64<<10)
	var frame []byte
	put := func(e queue.Event) error {
		frame = queue.AppendEvent(frame[:0], &e)
		_, err := out.Write(frame)
		return err
	}
	if err := w.Past(put); err != nil {
		return err
	}
	var told time.Time
	for {
		if !w.Pending() {
			out.Write(queue.AppendFrame(frame[:0], queue.FrameCaughtUp))
			if err := out.Flush(); err != nil {
				return err
			}
			told = time.Now()
		}
		if w.Wait(); time.Since(told) < followPause {
			time.Sleep(followPause) // much is going on: it is told together
		}
		events, err := w.More()
		if err != nil {
			return io.EOF
		}
		for _, e := range events {
			if err := put(e); err != nil {
				return err
			}
		}
	}
}

// deadlined is a follower's connection: each write has its time.
type deadlined struct{ f *os.File }

func (d deadlined) Write(p []byte) (int, error) {
	if err := d.f.SetWriteDeadline(time.Now().Add(followLimit)); err != nil {
		return 0, err
	}
	return d.f.Write(p)
}
