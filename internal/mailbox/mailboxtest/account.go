// SPDX-License-Identifier: ISC

package mailboxtest

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"quill/internal/mailbox"
)

// inbox is the one mailbox that is always there.
const inbox = "INBOX"

// uses is the special uses that are known (RFC 6154 §2).
var uses = []string{`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Junk`, `\Sent`, `\Trash`}

var errReadOnly = errors.New("mailbox was opened for reading")

// account is a session's mail.
type account struct{ m *Mail }

func (a *account) Folders() ([]mailbox.Folder, error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	names := map[string]bool{}
	for name := range a.m.boxes {
		for ok := true; ok; name, ok = parent(name) {
			names[name] = true
		}
	}
	var out []mailbox.Folder
	for _, name := range slices.Sorted(maps.Keys(names)) {
		f := mailbox.Folder{Name: name, Children: a.m.above(name), NoSelect: a.m.boxes[name] == nil}
		if b := a.m.boxes[name]; b != nil {
			f.Use = slices.Clone(b.use)
		}
		out = append(out, f)
	}
	return out, nil
}

// parent is the level above name.
func parent(name string) (string, bool) {
	i := strings.LastIndexByte(name, mailbox.Separator)
	if i < 0 {
		return "", false
	}
	return name[:i], true
}

func (a *account) Subscribed() ([]string, error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return slices.Sorted(maps.Keys(a.m.subscribed)), nil
}

func (a *account) Subscribe(name string, on bool) error {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if !valid(name) {
		return mailbox.ErrName
	}
	if delete(a.m.subscribed, name); on {
		a.m.subscribed[name] = true
	}
	return nil
}

// valid is what names are taken: no empty level, no '/'.
func valid(name string) bool {
	return !strings.Contains(name, "/") && !slices.Contains(strings.Split(name, string(mailbox.Separator)), "")
}

func (a *account) Create(name string, use []string) error {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if !valid(name) {
		return mailbox.ErrName
	}
	if a.m.boxes[name] != nil {
		return mailbox.ErrExists
	}
	for _, u := range use {
		if !slices.Contains(uses, u) || slices.ContainsFunc(slices.Collect(maps.Values(a.m.boxes)), func(b *box) bool { return slices.Contains(b.use, u) }) {
			return mailbox.ErrUse
		}
	}
	a.m.makeTo(name)
	a.m.boxes[name].use = slices.Clone(use)
	return nil
}

// makeTo makes a mailbox and those above it, where they are not there.
func (m *Mail) makeTo(name string) {
	for ok := true; ok; name, ok = parent(name) {
		if m.boxes[name] == nil {
			m.boxes[name] = m.newBox()
		}
	}
}

func (a *account) Delete(name string) error {
	a.m.mu.Lock()
	b, err := a.m.at(name)
	a.m.mu.Unlock()
	switch {
	case name == inbox:
		return mailbox.ErrName
	case errors.Is(err, mailbox.ErrNotOpen):
		return mailbox.ErrChildren
	case err != nil:
		return err
	}
	a.m.locked(b, func() {
		delete(a.m.boxes, name)
		b.deleted = true
	})
	return nil
}

func (a *account) Rename(from, to string) error {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	below := from + string(mailbox.Separator)
	_, err := a.m.at(from)
	switch {
	case errors.Is(err, mailbox.ErrNoMailbox):
		return err
	case !valid(to) || strings.HasPrefix(to, below):
		return mailbox.ErrName
	case a.m.boxes[to] != nil || a.m.above(to):
		return mailbox.ErrExists
	}
	if above, ok := parent(to); ok {
		a.m.makeTo(above)
	}
	if from == inbox {
		in := a.m.boxes[inbox]
		a.m.boxes[to] = a.m.newBox()
		_, err := in.copyTo(a.m.boxes[to], in.uids())
		in.expunge(in.uids())
		return err
	}
	for _, name := range slices.Collect(maps.Keys(a.m.boxes)) {
		if rest, ok := strings.CutPrefix(name, from); ok && (rest == "" || rest[0] == mailbox.Separator) {
			a.m.boxes[to+rest] = a.m.boxes[name]
			delete(a.m.boxes, name)
		}
	}
	return nil
}

func (b *box) uids() (uids []uint32) {
	for _, msg := range b.messages {
		uids = append(uids, msg.UID)
	}
	return uids
}

func (a *account) Status(name string, size bool) (st mailbox.Status, err error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	b, err := a.m.at(name)
	if err != nil {
		return st, err
	}
	st = mailbox.Status{Messages: len(b.messages), UIDNext: b.uidNext, UIDValidity: b.validity, HighestModSeq: b.modseq, AppendLimit: a.m.Limit}
	for _, msg := range b.messages {
		if size {
			st.Size += msg.Wire
		}
		if msg.New {
			st.Recent++
		}
		if msg.Flags&mailbox.Seen == 0 {
			st.Unseen++
		}
		if msg.Flags&mailbox.Deleted != 0 {
			st.Deleted++
		}
	}
	return st, nil
}

func (a *account) Open(name string, readOnly bool) (mailbox.Mailbox, error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	b, err := a.m.at(name)
	if err != nil {
		return nil, err
	}
	v := &view{m: a.m, b: b, readOnly: readOnly}
	v.sync()
	v.Update(true)
	return v, nil
}

func (a *account) AppendLimit() int64 { return a.m.Limit }

func (a *account) Append(name string) (mailbox.Appender, error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	b, err := a.m.at(name)
	if err != nil {
		return nil, err
	}
	return &appender{m: a.m, b: b}, nil
}

// appender holds the messages of an APPEND.
type appender struct {
	m     *Mail
	b     *box
	mails []Message
}

func (a *appender) Add(in *mailbox.Appending, r io.Reader) error {
	if in.Size > a.m.Limit {
		return mailbox.ErrQuota
	}
	text, err := io.ReadAll(io.LimitReader(r, in.Size+1))
	if err != nil {
		return err
	}
	if int64(len(text)) != in.Size {
		return io.ErrUnexpectedEOF
	}
	a.mails = append(a.mails, Message{Text: string(text), Flags: in.Flags, Keywords: slices.Clone(in.Keywords), Date: in.Date})
	return nil
}

func (a *appender) Commit() (c *mailbox.Copied, err error) {
	a.m.locked(a.b, func() {
		if a.b.deleted {
			err = mailbox.ErrNoMailbox
			return
		}
		var bits []uint64
		for _, in := range a.mails {
			k, full := a.b.bits(in.Keywords)
			if bits = append(bits, k); full != nil {
				err = full
				return
			}
		}
		c = &mailbox.Copied{UIDValidity: a.b.validity}
		for i, in := range a.mails {
			c.Target = append(c.Target, a.b.add(in.Text, in.Flags, bits[i], in.Date).UID)
		}
	})
	a.mails = nil
	return c, err
}

func (a *appender) Abort() { a.mails = nil }
