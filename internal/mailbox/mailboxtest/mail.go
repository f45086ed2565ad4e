// SPDX-License-Identifier: ISC

// Package mailboxtest is a user's mail in memory, for tests of what uses package
// mailbox: several sessions may have it open, and see each other's changes as
// the interfaces there say. It stores nothing and takes no care of speed but in
// what a session sees already.
package mailboxtest

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"quill/internal/imap"
	"quill/internal/mailbox"
)

// Message is one to begin with.
type Message struct {
	Text     string // as it is kept: its lines may end in LF
	Flags    mailbox.Flags
	Keywords []string
	Old      bool      // some session has had it: it is not New
	Date     time.Time // zero: now
}

// Mail is a user's mail. Its methods may be called from any goroutine.
type Mail struct {
	Limit int64 // of APPEND; set it before use

	mu         sync.Mutex
	boxes      map[string]*box
	subscribed map[string]bool
	validity   uint32 // the last UIDVALIDITY given
	opened     int
}

// New is mail with an empty INBOX.
func New() *Mail {
	m := &Mail{Limit: 1 << 26, boxes: map[string]*box{}, subscribed: map[string]bool{}, validity: 1_000_000_000}
	m.boxes["INBOX"] = m.newBox()
	return m
}

// box is a mailbox as it is.
type box struct {
	messages          []*message // by UID
	keywords          []string
	use               []string
	validity, uidNext uint32
	modseq            uint64
	horizon           uint64 // what was expunged up to this modseq is forgotten
	gone              []gone
	watchers          map[*view]func()
	deleted           bool
}

type message struct {
	mailbox.Message
	text   string
	digest []byte
	lost   bool
	shut   bool
}

type gone struct {
	uid    uint32
	modseq uint64
}

func (m *Mail) newBox() *box {
	m.validity++
	return &box{validity: m.validity, uidNext: 1, modseq: 1, watchers: map[*view]func(){}}
}

// locked runs f with the mail locked, then calls those who watch b, who may be the
// caller as well.
func (m *Mail) locked(b *box, f func()) {
	m.mu.Lock()
	f()
	watchers := slices.Collect(maps.Values(b.watchers))
	m.mu.Unlock()
	for _, w := range watchers {
		w()
	}
}

// at is the mailbox of this name.
func (m *Mail) at(name string) (*box, error) {
	if b := m.boxes[name]; b != nil {
		return b, nil
	}
	if m.above(name) {
		return nil, mailbox.ErrNotOpen
	}
	return nil, mailbox.ErrNoMailbox
}

// above says whether there are mailboxes below name.
func (m *Mail) above(name string) bool {
	for n := range m.boxes {
		if strings.HasPrefix(n, name+string(mailbox.Separator)) {
			return true
		}
	}
	return false
}

// Deliver puts messages in a mailbox, as other programs do; where it is not
// there, it is made. It tells the first one's UID.
func (m *Mail) Deliver(name string, mails ...Message) (uid uint32) {
	m.mu.Lock()
	b := m.boxes[name]
	if b == nil {
		b = m.newBox()
		m.boxes[name] = b
	}
	m.mu.Unlock()
	m.locked(b, func() {
		uid = b.uidNext
		for _, in := range mails {
			keywords, _ := b.bits(in.Keywords)
			msg := b.add(in.Text, in.Flags, keywords, in.Date)
			msg.New = !in.Old
		}
	})
	return uid
}

// Lose has the content of a message be gone while the mailbox still lists it, as
// when another program has just removed its file.
func (m *Mail) Lose(name string, uid uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if msg, ok := m.boxes[name].find(uid); ok {
		msg.lost = true
	}
}

// Shut has the content of a message be there and not to be read, as when its
// owner may not.
func (m *Mail) Shut(name string, uid uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if msg, ok := m.boxes[name].find(uid); ok {
		msg.shut = true
	}
}

// Forget has a mailbox forget what was expunged up to now.
func (m *Mail) Forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.boxes[name]
	b.horizon, b.gone = b.modseq, nil
}

// Opened is how often a message was opened.
func (m *Mail) Opened() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opened
}

// Account is the mail as another session has it.
func (m *Mail) Account() mailbox.Account { return &account{m} }

// add puts a message in the box.
func (b *box) add(text string, flags mailbox.Flags, keywords uint64, date time.Time) *message {
	if date.IsZero() {
		date = time.Now()
	}
	b.modseq++
	wire := len(text) + strings.Count(text, "\n") - strings.Count(text, "\r\n")
	msg := &message{text: text, Message: mailbox.Message{UID: b.uidNext, Flags: flags, New: true, Keywords: keywords, ModSeq: b.modseq,
		Size: int64(len(text)), Wire: int64(wire), Date: date.UnixNano()}}
	b.uidNext++
	b.messages = append(b.messages, msg)
	return msg
}

func (b *box) find(uid uint32) (*message, bool) {
	i, ok := slices.BinarySearchFunc(b.messages, uid, func(m *message, uid uint32) int { return int(int64(m.UID) - int64(uid)) })
	if !ok {
		return nil, false
	}
	return b.messages[i], true
}

// pick is the messages with these UIDs that are there.
func (b *box) pick(uids []uint32) (out []*message) {
	for _, uid := range uids {
		if msg, ok := b.find(uid); ok {
			out = append(out, msg)
		}
	}
	return out
}

// bits is the bits of keywords, which it gives room if there is some.
func (b *box) bits(names []string) (bits uint64, err error) {
	for _, name := range names {
		i := slices.IndexFunc(b.keywords, func(k string) bool { return strings.EqualFold(k, name) })
		if i < 0 {
			if i = len(b.keywords); i == 64 {
				return bits, mailbox.ErrKeywords
			}
			b.keywords = append(b.keywords, name)
		}
		bits |= 1 << i
	}
	return bits, nil
}

func (b *box) names(bits uint64) (names []string) {
	for i, name := range b.keywords {
		if bits&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// store does a Store; modified is what Unchanged spared.
func (b *box) store(uids []uint32, st mailbox.Store) (modified []uint32, err error) {
	var bits uint64
	if bits, err = b.bits(st.Keywords); err != nil {
		return nil, err
	}
	next := b.modseq + 1
	for _, msg := range b.pick(uids) {
		if st.Unchanged != nil && msg.ModSeq > *st.Unchanged {
			modified = append(modified, msg.UID)
			continue
		}
		flags, keywords := st.Flags, bits
		switch st.Op {
		case mailbox.Add:
			flags, keywords = msg.Flags|st.Flags, msg.Keywords|bits
		case mailbox.Remove:
			flags, keywords = msg.Flags&^st.Flags, msg.Keywords&^bits
		}
		if flags != msg.Flags || keywords != msg.Keywords {
			msg.Flags, msg.Keywords, msg.ModSeq, b.modseq = flags, keywords, next, next
		}
	}
	return modified, nil
}

func (b *box) expunge(uids []uint32) {
	for _, msg := range b.pick(uids) {
		b.modseq++
		b.gone = append(b.gone, gone{msg.UID, b.modseq})
		b.messages = slices.DeleteFunc(b.messages, func(m *message) bool { return m == msg })
	}
}

// copyTo copies messages to another box, or the same.
func (b *box) copyTo(to *box, uids []uint32) (*mailbox.Copied, error) {
	c := &mailbox.Copied{UIDValidity: to.validity}
	from := b.pick(uids)
	var keywords []uint64
	for _, msg := range from {
		bits, err := to.bits(b.names(msg.Keywords))
		if err != nil {
			return nil, err
		}
		keywords = append(keywords, bits)
	}
	for i, msg := range from {
		made := to.add(msg.text, msg.Flags, keywords[i], msg.InternalDate())
		made.digest = msg.digest
		c.Source, c.Target = append(c.Source, msg.UID), append(c.Target, made.UID)
	}
	return c, nil
}

// vanished is what was expunged after modseq, up to the one known.
func (b *box) vanished(modseq, known uint64) (uids []imap.Range) {
	for _, g := range b.gone {
		if g.modseq > modseq && g.modseq <= known {
			uids = append(uids, imap.Range{Lo: g.uid, Hi: g.uid})
		}
	}
	return imap.Normal(uids)
}
