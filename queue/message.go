// SPDX-License-Identifier: ISC

package queue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"quill/internal/mailid"
	"quill/internal/random"
	"quill/internal/safefile"
)

// Message is one that is being received: in memory while it is small, in a file
// of its own below queue/mess from InlineLimit on.
type Message struct {
	dir  string
	body []byte
	file *os.File
	size int64 // bytes written, the Received line not included
	id   mailid.ID
	line string // the Received line
	err  error
}

// NewMessage begins a message for the queue in dir.
func NewMessage(dir string) *Message { return &Message{dir: dir} }

// Expect says that n more bytes will come, if all goes well.
func (m *Message) Expect(n int) {
	if m.file == nil && len(m.body)+n <= InlineLimit {
		m.body = slices.Grow(m.body, n)
	}
}

// Write takes more of the message.
func (m *Message) Write(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	m.size += int64(len(p))
	if m.file == nil && len(m.body)+len(p) <= InlineLimit {
		m.body = append(m.body, p...)
		return len(p), nil
	}
	if m.file == nil {
		if m.err = m.spill(); m.err != nil {
			return 0, m.err
		}
	}
	n, err := m.file.Write(p)
	m.err = err
	return n, err
}

// spill moves what there is into a file.
func (m *Message) spill() error {
	var r [8]byte
	random.Fill(r[:])
	if m.line == "" {
		m.Name(mailid.New(), "")
	}
	f, err := os.OpenFile(filepath.Join(m.dir, "mess", fmt.Sprintf("tmp-%x", r)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	m.file = f
	if _, err := f.WriteString(m.line); err != nil {
		return err
	}
	_, err = f.Write(m.body)
	m.body = nil
	return err
}

// Text is what was written so far, without the Received line.
func (m *Message) Text() io.Reader {
	if m.file == nil {
		return bytes.NewReader(m.body)
	}
	return io.NewSectionReader(m.file, int64(len(m.line)), m.size)
}

// Size is the bytes taken so far.
func (m *Message) Size() int64 { return m.size }

// Forget drops the message and its file.
func (m *Message) Forget() {
	if m.file != nil {
		m.file.Close()
		os.Remove(m.file.Name())
		m.file = nil
	}
	m.body = nil
}

// Name gives the message its id and says how it came (network, local, bounce,
// alias, uid N), as its Received line will tell. What is no longer small has
// begun with that line and keeps the name it had then.
func (m *Message) Name(id mailid.ID, origin string) {
	if m.file != nil {
		return
	}
	m.id = id
	how := "by " + origin
	switch origin {
	case "network":
		how = "from network"
	case "bounce":
		how = "for bounce"
	case "":
		how = "by nobody known yet"
	}
	m.line = "Received: (qmail " + id.String() + " invoked " + how + "); " + ReceivedDate(time.Now()) + "\n"
}

// ID is the message's id, 0 before it has a name.
func (m *Message) ID() mailid.ID { return m.id }

// publish gives a message's file its name, durably.
func (m *Message) publish() error {
	if err := m.file.Sync(); err != nil {
		return fmt.Errorf("%w: %v", ErrSync, err)
	}
	if err := os.Link(m.file.Name(), filepath.Join(m.dir, "mess", m.id.String())); err != nil {
		return err
	}
	if err := os.Remove(m.file.Name()); err != nil {
		return err
	}
	if err := safefile.SyncDir(filepath.Join(m.dir, "mess")); err != nil {
		return err
	}
	err := m.file.Close()
	m.file = nil
	return err
}

// Enqueue commits a message that has a name. done hears whether it is durable.
// The caller has no more to do with the message.
func (l *Log) Enqueue(e *Envelope, m *Message, uid uint32, done func(err error)) {
	id := m.id
	r := &request{mail: true, rec: record{kind: Enqueue, id: id}}
	e.Params = finalParams(e.Params, m, uid)
	r.rec.text = e.Encode()
	if err := l.store(r, m); err != nil {
		m.Forget()
		done(err)
		return
	}
	r.done = func(_ uint64, err error) {
		if err != nil && r.rec.flags&flagFile != 0 {
			l.removeFile(id)
		}
		done(err)
	}
	l.requests <- r
}

// finalParams is what the envelope says of a message as it is queued: its id, its
// bytes with the Received line, and the uid it came from.
func finalParams(p Params, m *Message, uid uint32) Params {
	size := strconv.FormatInt(m.size+int64(len(m.line)), 10)
	return p.WithAll(Param{"id", m.id.String()}, Param{"bytes", size}, Param{"uid", strconv.FormatUint(uint64(uid), 10)})
}

// store puts the message into its record, or beside it as a file.
func (l *Log) store(r *request, m *Message) error {
	switch {
	case m.err != nil:
		return m.err
	case len(r.rec.text) > MaxEnvelope:
		return ErrEnvelope
	case m.file == nil:
		r.bodies = [2][]byte{[]byte(m.line), m.body}
		return nil
	case l.Full():
		return ErrFull
	}
	r.rec.flags = flagFile
	return m.publish()
}

// Fresh is id, or a new one where a message with that id is in the queue
// already: the log tells of both.
func (l *Log) Fresh(id mailid.ID) mailid.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.x.has(id) {
		return id
	}
	old := id
	for l.x.has(id) {
		id = mailid.New()
	}
	l.logf("warning: message id %v is in the queue already: the new message is %v", old, id)
	return id
}

// Explain is the qmail-queue(8) exit code of an error of this package.
func Explain(err error) (code int, text string) {
	switch {
	case err == nil:
		return 0, ""
	case errors.Is(err, ErrEnvelope):
		return 91, "envelope format error (#4.3.0)"
	case errors.Is(err, ErrUnknown):
		return 91, err.Error()
	}
	return 53, "write error or disk full (#4.3.0)"
}
