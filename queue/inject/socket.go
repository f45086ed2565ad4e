// SPDX-License-Identifier: ISC

package inject

import (
	"bufio"
	"errors"
	"os"
	"time"

	"quill/internal/mailid"
	"quill/queue"
)

// commitLimit is how long queued may take to make a message durable.
const commitLimit = 5 * time.Minute

// link is a connection to queued that carries one message at a time.
type link struct {
	conn *os.File
	r    *bufio.Reader
}

// socketMessage is a message on its way to queued. Frames are gathered, so that
// a small message is one write.
type socketMessage struct {
	j     *Injector
	id    mailid.ID
	facts queue.Params
	link  *link // nil until something must be sent
	buf   []byte
	begun bool  // frames of this message have been sent
	chunk int   // where the message frame that is being filled begins
	err   error // of a write
}

// gather is how much is gathered before it is sent.
const gather = queue.MaxChunk

func (j *Injector) beginSocket(id mailid.ID, facts queue.Params) (Message, error) {
	m := &socketMessage{j: j, id: id, facts: facts, chunk: -1}
	m.buf = queue.AppendFrame(make([]byte, 0, 8<<10), queue.FrameSender, queue.AppendPart(nil, "", facts))
	return m, nil
}

// take gets a connection: one that waits, or a new one.
func (j *Injector) take() (*link, error) {
	j.mu.Lock()
	if n := len(j.idle); n > 0 {
		l := j.idle[n-1]
		j.idle = j.idle[:n-1]
		j.mu.Unlock()
		return l, nil
	}
	j.mu.Unlock()
	f, err := queue.ConnectWait(j.home, Wait)
	if err != nil {
		return nil, err
	}
	return &link{f, bufio.NewReaderSize(f, 512)}, nil
}

// give keeps a connection whose last message is answered.
func (j *Injector) give(l *link) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.idle) < maxIdle {
		j.idle = append(j.idle, l)
		return
	}
	l.conn.Close()
}

// flushIdle closes connections that queued may have left.
func (j *Injector) flushIdle() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.idle {
		l.conn.Close()
	}
	j.idle = nil
}

func (m *socketMessage) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && m.err == nil {
		if m.chunk < 0 {
			m.chunk = len(m.buf)
			m.buf = append(m.buf, queue.FrameMessage, 0, 0, 0, 0)
		}
		room := gather - (len(m.buf) - m.chunk - frameHead)
		part := p[:min(len(p), room)]
		m.buf = append(m.buf, part...)
		p = p[len(part):]
		if len(part) == room {
			m.endChunk()
			m.err = m.send()
		}
	}
	if m.err != nil {
		return 0, m.err
	}
	return n, nil
}

const frameHead = 5

// endChunk sets the length of the message frame being filled.
func (m *socketMessage) endChunk() {
	if m.chunk < 0 {
		return
	}
	n := len(m.buf) - m.chunk - frameHead
	m.buf[m.chunk+1], m.buf[m.chunk+2], m.buf[m.chunk+3], m.buf[m.chunk+4] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	m.chunk = -1
}

// send sends what is gathered. A kept connection that turns out dead before the
// message began is replaced once.
func (m *socketMessage) send() error {
	for again := true; ; again = false {
		if m.link == nil {
			l, err := m.j.take()
			if err != nil {
				return err
			}
			m.link = l
		}
		_, err := m.link.conn.Write(m.buf)
		if err == nil {
			m.begun = true
			m.buf = m.buf[:0]
			return nil
		}
		m.drop()
		if m.begun || !again {
			return err
		}
		m.j.flushIdle()
	}
}

func (m *socketMessage) drop() {
	if m.link != nil {
		m.link.conn.Close()
		m.link = nil
	}
}

func (m *socketMessage) Commit(e *queue.Envelope) Result {
	m.endChunk()
	params := m.facts
	for _, kv := range e.Params {
		params = params.With(kv.Key, kv.Value)
	}
	m.buf = queue.AppendFrame(m.buf, queue.FrameSender, queue.AppendPart(nil, e.Sender, params))
	for _, r := range e.Recipients {
		m.buf = queue.AppendFrame(m.buf, queue.FrameRecipient, queue.AppendPart(nil, r.Addr, r.Params))
	}
	m.buf = queue.AppendFrame(m.buf, queue.FrameCommit)
	if m.err == nil {
		m.err = m.send()
	}
	if m.err != nil {
		m.drop()
		return m.absent(m.err)
	}
	return m.verdict()
}

// verdict waits for queued's answer.
func (m *socketMessage) verdict() Result {
	m.link.conn.SetReadDeadline(time.Now().Add(commitLimit))
	kind, payload, err := queue.ReadFrame(m.link.r)
	switch {
	case err != nil:
		// The answer is lost: the message may be queued or not. The sender sends
		// it again, as a new message.
		m.drop()
		return Result{m.id, 81, textOf(82, "Zqueue was restarted, please try again (#4.3.0)")}
	case kind == queue.FrameOK:
		m.j.give(m.link)
		id, ok := mailid.Parse(string(payload))
		if !ok {
			id = m.id
		}
		return Result{ID: id}
	case kind == queue.FrameError && len(payload) > 0:
		m.j.give(m.link)
		return Result{m.id, int(payload[0]), textOf(int(payload[0]), "")}
	}
	m.drop()
	return Result{m.id, 81, textOf(81, "")}
}

// absent is the result where queued could not be reached.
func (m *socketMessage) absent(err error) Result {
	if queue.Absent(err) {
		return Result{m.id, 82, "Zqueue is not running (#4.3.0)"}
	}
	if errors.Is(err, os.ErrPermission) {
		return Result{m.id, 82, "Zqueue may not be used by this user (#4.3.0)"}
	}
	return Result{m.id, 82, "Zconnection to queue lost (#4.3.0)"}
}

func (m *socketMessage) Abort() {
	if m.link == nil {
		return
	}
	// What was sent is forgotten with the connection; to abort by a frame would
	// be as good, but here a half-sent one may stand.
	m.drop()
}
