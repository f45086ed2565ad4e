// SPDX-License-Identifier: ISC

package imapsession

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"quill/internal/imap"
	"quill/internal/imapfetch"
	"quill/internal/mailbox"
)

// flagsOf reads flags of a client's; \Recent is not the client's to set.
func flagsOf(names []string) (flags mailbox.Flags, keywords []string, err error) {
	for _, name := range names {
		i := slices.IndexFunc(systemFlags, func(f string) bool { return strings.EqualFold(f, name) })
		switch {
		case i >= 0:
			flags |= 1 << i
		case strings.EqualFold(name, `\Recent`):
			return 0, nil, no("CANNOT", "only the server sets this flag")
		case strings.HasPrefix(name, `\`):
			return 0, nil, no("CANNOT", "no such system flag")
		case !slices.ContainsFunc(keywords, func(k string) bool { return strings.EqualFold(k, name) }):
			keywords = append(keywords, name)
		}
	}
	return flags, keywords, nil
}

// doStore: RFC 9051 §6.4.6, RFC 7162 §3.1.3.
func (s *session) doStore(c *imap.Command) (string, string, error) {
	if err := s.writable(); err != nil {
		return "", "", err
	}
	seqs, err := s.ranges(c)
	if err != nil {
		return "", "", err
	}
	flags, keywords, err := flagsOf(c.Store.Flags)
	if err != nil {
		return "", "", err
	}
	st := mailbox.Store{Flags: flags, Keywords: keywords, Op: map[byte]mailbox.Op{0: mailbox.Replace, '+': mailbox.Add, '-': mailbox.Remove}[c.Store.Op]}
	if c.Store.Unchanged {
		s.wantModSeq()
		since := uint64(c.Store.UnchangedSince)
		st.Unchanged = &since
	}
	return s.store(c, seqs, st)
}

// store changes messages and tells of it. Silent is what the client can tell for
// itself: our change of what it was told before. Flags of the messages that are
// told are those after the change, so that they hold whenever the client does its
// sum (RFC 9051 §6.4.6: without a race condition).
func (s *session) store(c *imap.Command, seqs []imap.Range, st mailbox.Store) (string, string, error) {
	uids := s.uids(seqs, nil)
	var before []state
	if c.Store.Silent || st.Unchanged != nil {
		before = s.states(seqs)
	}
	spared, changed, err := s.stored(uids, before, st)
	if err != nil {
		return "", "", err
	}
	ch := s.change(st)
	own := func(m *mailbox.Message) bool { // what our change alone has made of it
		i, ok := slices.BinarySearch(uids, m.UID)
		if !ok || inRanges(spared, m.UID) || !ch.done(m) {
			return false
		}
		return !c.Store.Silent || ch.of(before[i]) == stateOf(m)
	}
	if err := s.events(changed, own); err != nil {
		return "", "", err
	}
	if err := s.tellStored(c, seqs, own, changed); err != nil {
		return "", "", err
	}
	code, text := "", ""
	switch {
	case len(spared) > 0 && c.UID:
		code, text = "MODIFIED "+string(imap.AppendRanges(nil, spared)), "others had changed these"
	case len(spared) > 0:
		code, text = "MODIFIED "+string(imap.AppendRanges(nil, s.numbers(spared))), "others had changed these"
	}
	if !c.UID && s.unstored(seqs, spared, ch) {
		if code == "" {
			code = "EXPUNGEISSUED"
		}
		return "", "", no(code, "some of the messages are gone") // RFC 7162 §3.1.3, example 11
	}
	return code, text, nil
}

// stored does it. Where others have changed a message since, but nothing that this
// adds or takes away, it is done all the same: the client's STORE with their
// mod-sequence (RFC 7162 §3.1.12). Spared is the UIDs to which it was not done.
func (s *session) stored(uids []uint32, before []state, st mailbox.Store) (spared []imap.Range, changed []mailbox.Event, err error) {
	var old []uint32
	if st.Unchanged != nil && st.Op != mailbox.Replace && *st.Unchanged <= s.box.HighestModSeq() { // before is of that time
		old = s.uids(s.numbers(toRanges(uids)), func(m *mailbox.Message) bool { return m.ModSeq <= *st.Unchanged })
	}
	modified, err := s.box.Store(uids, st)
	if err != nil {
		return nil, nil, err
	}
	changed = s.box.Update(false)
	ch := s.change(st)
	var again []uint32
	var since uint64
	rest := slices.DeleteFunc(modified, func(uid uint32) bool {
		i, _ := slices.BinarySearch(uids, uid)
		seq, there := s.box.Seq(uid)
		if _, ok := slices.BinarySearch(old, uid); !ok || !there {
			return false
		}
		var m mailbox.Message
		if s.box.Message(seq, &m); ch.touched(before[i]) != ch.touched(stateOf(&m)) {
			return false
		}
		again, since = append(again, uid), max(since, m.ModSeq)
		return true
	})
	if len(again) == 0 {
		return toRanges(rest), changed, nil
	}
	st.Unchanged = &since
	if modified, err = s.box.Store(again, st); err != nil {
		s.note(s.name + ": " + err.Error())
		modified = again // what was done before is to be told
	}
	return toRanges(append(rest, modified...)), further(changed, s.box.Update(false)), nil
}

// further is events and those that followed, a change told once.
func further(events, more []mailbox.Event) []mailbox.Event {
	n := slices.IndexFunc(events, func(e mailbox.Event) bool { return e.Kind != mailbox.Changed })
	if n < 0 {
		n = len(events)
	}
	for _, e := range more {
		_, had := slices.BinarySearchFunc(events[:n], e.Seq, func(e mailbox.Event, seq int) int { return e.Seq - seq })
		if e.Kind != mailbox.Changed || !had {
			events = append(events, e)
		}
	}
	return events
}

// unstored tells whether messages that were named by number have not taken the
// change, beside those that were spared: they are gone, and that could not be told
// yet (RFC 2180 §4.2).
func (s *session) unstored(seqs, spared []imap.Range, ch change) (gone bool) {
	s.each(seqs, func(_ int, m *mailbox.Message) error {
		gone = gone || !ch.done(m) && !inRanges(spared, m.UID)
		return nil
	})
	return gone
}

// state is what STORE can change of a message.
type state struct {
	flags    mailbox.Flags
	keywords uint64
}

func stateOf(m *mailbox.Message) state { return state{m.Flags, m.Keywords} }

// states is those of messages.
func (s *session) states(seqs []imap.Range) (out []state) {
	s.each(seqs, func(_ int, m *mailbox.Message) error {
		out = append(out, stateOf(m))
		return nil
	})
	return out
}

// change is a Store as it is done to a message.
type change struct {
	mailbox.Store
	bits    uint64 // of its keywords
	unknown bool   // not all of these are there
}

// change reads a Store that was done.
func (s *session) change(st mailbox.Store) change {
	ch := change{Store: st}
	for i, name := range s.box.Keywords() {
		if slices.ContainsFunc(st.Keywords, func(k string) bool { return strings.EqualFold(k, name) }) {
			ch.bits |= 1 << i
		}
	}
	ch.unknown = ones(ch.bits) < len(st.Keywords)
	return ch
}

// of is what it makes of a state.
func (ch change) of(was state) state {
	switch ch.Op {
	case mailbox.Add:
		return state{was.flags | ch.Flags, was.keywords | ch.bits}
	case mailbox.Remove:
		return state{was.flags &^ ch.Flags, was.keywords &^ ch.bits}
	}
	return state{ch.Flags, ch.bits}
}

// touched is of a state what it adds or takes away.
func (ch change) touched(was state) state {
	return state{was.flags & ch.Flags, was.keywords & ch.bits}
}

// done tells whether a message is as it makes it.
func (ch change) done(m *mailbox.Message) bool {
	return ch.of(stateOf(m)) == stateOf(m) && (ch.Op == mailbox.Remove || !ch.unknown)
}

// tellStored answers a STORE with the flags of its messages, all of them unless
// it was to be silent; then only with what mod-sequences they have now, where it
// was conditional even if that is what they had (RFC 7162 §3.1.3).
func (s *session) tellStored(c *imap.Command, seqs []imap.Range, own func(*mailbox.Message) bool, changed []mailbox.Event) error {
	s.tellKeywords()
	if c.Store.Silent {
		if !s.condstore {
			return nil
		}
		f := s.fetcher([]imap.Item{{Kind: imap.ItemUID}, {Kind: imap.ItemModSeq}})
		tell := func(seq int, m *mailbox.Message) error {
			if !own(m) {
				return nil
			}
			return f.Message(seq, m, false)
		}
		if c.Store.Unchanged {
			return s.each(seqs, tell)
		}
		for _, e := range changed {
			var m mailbox.Message
			if e.Kind != mailbox.Changed {
				continue
			}
			s.box.Message(e.Seq, &m)
			if err := tell(e.Seq, &m); err != nil {
				return err
			}
		}
		return nil
	}
	f := s.changes(c.UID)
	return s.each(seqs, func(seq int, m *mailbox.Message) error {
		if !own(m) {
			return nil
		}
		return f.Message(seq, m, inRanges(s.recent, m.UID))
	})
}

// doFetch: RFC 9051 §6.4.5, RFC 7162 §3.1.4 and §3.2.6.
func (s *session) doFetch(c *imap.Command) (string, string, error) {
	seqs, err := s.ranges(c)
	if err != nil {
		return "", "", err
	}
	q := c.Fetch
	if q.Vanished && (!s.qresync || !c.UID || !q.Changed) {
		return "", "", wrong("VANISHED needs QRESYNC, UID FETCH and CHANGEDSINCE")
	}
	items := q.Items
	if q.Changed || slices.ContainsFunc(items, func(i imap.Item) bool { return i.Kind == imap.ItemModSeq }) {
		s.wantModSeq()
	}
	if q.Changed {
		items = append(items, imap.Item{Kind: imap.ItemModSeq}) // once, however often it stands there
	}
	if q.Vanished {
		s.vanished(uint64(q.ChangedSince), c.Set.Resolve(s.box.UIDNext()-1), 0)
	}
	if s.condstore && !s.readOnly && q.Sees() { // RFC 7162 §3.2.4
		items = slices.Concat([]imap.Item{{Kind: imap.ItemUID}}, items, []imap.Item{{Kind: imap.ItemModSeq}})
	}
	s.tellKeywords()
	seen, err := s.fetch(s.fetcher(items), seqs, q)
	if len(seen) > 0 && !s.readOnly {
		if err := s.news(false); err != nil {
			return "", "", err
		}
		if _, serr := s.box.Store(seen, mailbox.Store{Op: mailbox.Add, Flags: mailbox.Seen}); serr != nil {
			s.note(s.name + ": " + serr.Error()) // the client has its message
		}
	}
	return "", "", err
}

// fetch answers for each message; seen is those whose \Seen it sets. Messages
// that are gone, cannot be read, or whose encoding nobody knows, do not keep the
// client from the rest.
func (s *session) fetch(f *imapfetch.Fetcher, seqs []imap.Range, q *imap.Fetch) (seen []uint32, err error) {
	sees := q.Sees()
	var trouble, unread error
	err = s.each(seqs, func(seq int, m *mailbox.Message) error {
		if q.Changed && m.ModSeq <= uint64(q.ChangedSince) {
			return nil
		}
		err := f.Message(seq, m, inRanges(s.recent, m.UID))
		switch {
		case isGone(err):
			trouble = no("EXPUNGEISSUED", "some of the messages are gone")
		case errors.Is(err, imapfetch.ErrEncoding):
			trouble = no("UNKNOWN-CTE", "the encoding of this part is not known")
		case err != nil && !errors.Is(err, imapfetch.ErrCut) && refusalOf(err) != nil:
			unread = cmp.Or(unread, err)
		case err != nil:
			return err
		case sees && m.Flags&mailbox.Seen == 0:
			seen = append(seen, m.UID)
		}
		return nil
	})
	return seen, cmp.Or(err, unread, trouble)
}
