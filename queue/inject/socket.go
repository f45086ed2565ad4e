// SPDX-License-Identifier: ISC

package inject

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"quill/internal/mailid"
	"quill/queue"
)

// commitLimit is how long queued may take to make a message durable.
const commitLimit = 5 * time.Minute

// link is a connection to queued that carries one message at a time: one that
// is too big to be gathered first.
type link struct {
	conn *os.File
	r    *bufio.Reader
}

// socketMessage is a message on its way to queued. A small one is gathered and
// shares a connection with those of other sessions; a big one has a connection
// of its own.
type socketMessage struct {
	j     *Injector
	id    mailid.ID
	facts queue.Params
	link  *link   // of a big message
	body  *[]byte // what is not sent yet
	err   error   // of a write
}

// gather is how much of a message is gathered before it is sent.
const gather = queue.MaxChunk

// buffers are used again by one message after the other.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

func (j *Injector) beginSocket(id mailid.ID, facts queue.Params) Message {
	b := buffers.Get().(*[]byte)
	*b = (*b)[:0]
	return &socketMessage{j: j, id: id, facts: facts, body: b}
}

// client is the connection that small messages share: the one there is, or a
// new one where that has failed, waiting so long for a queued that is being
// restarted.
func (j *Injector) client(wait time.Duration) (*queue.Client, error) {
	j.mu.Lock()
	c := j.shared
	j.mu.Unlock()
	if c != nil && c.Err() == nil {
		return c, nil
	}
	j.dialing.Lock()
	defer j.dialing.Unlock()
	j.mu.Lock()
	other := j.shared
	j.mu.Unlock()
	if other != c && other.Err() == nil {
		return other, nil // somebody has dialed meanwhile
	}
	c, err := queue.DialWait(j.home, wait, commitLimit)
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	j.shared = c
	j.mu.Unlock()
	return c, nil
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
		part := p[:min(len(p), gather-len(*m.body))]
		*m.body = append(*m.body, part...)
		p = p[len(part):]
		if len(p) > 0 {
			m.err = m.stream()
		}
	}
	if m.err != nil {
		return 0, m.err
	}
	return n, nil
}

// stream sends what is gathered of a big message.
func (m *socketMessage) stream() error {
	out := buffers.Get().(*[]byte)
	defer buffers.Put(out)
	*out = (*out)[:0]
	if m.link == nil {
		*out = queue.AppendPartFrame(*out, queue.FrameSender, "", m.facts)
	}
	*out = queue.AppendFrame(*out, queue.FrameMessage, *m.body)
	*m.body = (*m.body)[:0]
	return m.send(*out)
}

// send sends frames of a big message. A kept connection that turns out dead
// before the message began is replaced once.
func (m *socketMessage) send(frames []byte) error {
	begun := m.link != nil
	for again := !begun; ; again = false {
		if m.link == nil {
			l, err := m.j.take()
			if err != nil {
				return err
			}
			m.link = l
		}
		_, err := m.link.conn.Write(frames)
		if err == nil {
			return nil
		}
		m.drop()
		if !again {
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
	defer m.release()
	if m.err != nil {
		m.drop()
		return m.absent(m.err)
	}
	if hasNUL(e) {
		return m.refused(91)
	}
	out := buffers.Get().(*[]byte)
	defer buffers.Put(out)
	params := m.facts
	if len(e.Params) > 0 {
		params = params.WithAll(e.Params...)
	}
	b := queue.AppendPartFrame((*out)[:0], queue.FrameSender, e.Sender, params)
	for _, r := range e.Recipients {
		b = queue.AppendPartFrame(b, queue.FrameRecipient, r.Addr, r.Params)
	}
	if len(*m.body) > 0 {
		b = queue.AppendFrame(b, queue.FrameMessage, *m.body)
	}
	b = queue.AppendFrame(b, queue.FrameCommit)
	*out = b
	if m.link == nil {
		return m.share(b)
	}
	if err := m.send(b); err != nil {
		return m.absent(err)
	}
	m.link.conn.SetReadDeadline(time.Now().Add(commitLimit))
	kind, payload, err := queue.ReadFrame(m.link.r)
	switch {
	case err != nil:
		m.drop()
		return m.lost()
	case kind == queue.FrameOK:
		m.j.give(m.link)
		id, _ := mailid.Parse(string(payload))
		return m.queued(id)
	case kind == queue.FrameError && len(payload) > 0:
		m.j.give(m.link)
		return m.refused(int(payload[0]))
	}
	m.drop()
	return m.refused(81)
}

// hasNUL says whether an address would end too early in a frame. No engine lets
// such through; here it would speak for the connection of all.
func hasNUL(e *queue.Envelope) bool {
	for _, r := range e.Recipients {
		if strings.IndexByte(r.Addr, 0) >= 0 {
			return true
		}
	}
	return strings.IndexByte(e.Sender, 0) >= 0
}

// share sends a whole message on the connection of all, and waits for the
// answer.
func (m *socketMessage) share(frames []byte) Result {
	c, err := m.j.client(Wait)
	if err != nil {
		return m.absent(err)
	}
	verdict := verdicts.Get().(chan Result)
	defer verdicts.Put(verdict)
	c.SubmitFrames(frames, func(id mailid.ID, err error) {
		var refusal *queue.Refusal
		switch {
		case errors.As(err, &refusal):
			verdict <- m.refused(refusal.Code)
		case err != nil:
			verdict <- m.lost()
		default:
			verdict <- m.queued(id)
		}
	})
	return <-verdict // the client tells also of a connection that failed
}

// verdicts are used again by one message after the other.
var verdicts = sync.Pool{New: func() any { return make(chan Result, 1) }}

// queued, refused and lost are the three ends of a message that was handed
// over.
func (m *socketMessage) queued(id mailid.ID) Result {
	if id == 0 {
		id = m.id
	}
	return Result{ID: id}
}

func (m *socketMessage) refused(code int) Result { return Result{m.id, code, textOf(code, "")} }

// lost: the message may be queued or not. The sender sends it again, as a new
// message.
func (m *socketMessage) lost() Result {
	return Result{m.id, 81, textOf(82, "Zqueue was restarted, please try again (#4.3.0)")}
}

// release gives the buffer back.
func (m *socketMessage) release() {
	if m.body != nil && cap(*m.body) <= 2*gather {
		buffers.Put(m.body)
	}
	m.body = nil
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

// Abort forgets what was sent with its connection.
func (m *socketMessage) Abort() {
	m.release()
	m.drop()
}
