// SPDX-License-Identifier: ISC

package imapsession

import (
	"errors"

	"quill/internal/imap"
	"quill/internal/imapfetch"
	"quill/internal/mailbox"
)

// tell tells what has changed, after a command and before its answer. While the
// client may have named messages by numbers, those that are gone keep theirs (RFC
// 9051 §7.5.1).
func (s *session) tell(c *imap.Command) error {
	if s.box == nil || c.Name == "LOGOUT" {
		return nil
	}
	silent := c.Store != nil && c.Store.Silent                   // see store
	later := c.Flags&imap.MayPipeline != 0 && s.r.Buffered() > 0 // after the commands that came together
	var err error
	if !silent && !later {
		err = s.news(c.Flags&imap.NoExpunge == 0)
	}
	if !errors.As(err, new(*mailboxGone)) {
		s.tellHeld()
	}
	return err
}

// tellHeld tells a client how far it is where mod-sequences that it has heard of
// are greater than those of expunges that it cannot hear of yet, so that it would
// miss these if the connection broke; and again when it has (RFC 7162 §3.2 and
// §6).
func (s *session) tellHeld() {
	held := s.condstore && s.box.Held()
	if held || s.behind {
		s.w.Untagged("OK [HIGHESTMODSEQ ").Number(s.box.HighestModSeq()).Raw("] that all was told of").End()
	}
	s.behind = held
}

// news takes in what others have done and tells of it.
func (s *session) news(expunges bool) error {
	if err := s.box.Sync(); err != nil {
		return err
	}
	return s.events(s.box.Update(expunges), nil)
}

// events tells of changes, except to messages for which hide says so.
func (s *session) events(events []mailbox.Event, hide func(m *mailbox.Message) bool) error {
	var gone, expunged []imap.Range
	defer func() { s.saved = minus(s.saved, expunged) }() // at once: many may be gone
	added := false
	var f *imapfetch.Fetcher
	for _, e := range events {
		if len(gone) > 0 && e.Kind != mailbox.Expunged { // numbers that follow count without these
			s.w.Untagged("VANISHED ").Set(imap.Normal(gone)).End()
			gone = nil
		}
		switch e.Kind {
		case mailbox.Reset:
			return &mailboxGone{s.name}
		case mailbox.Expunged:
			if s.qresync {
				gone = append(gone, imap.Range{Lo: e.UID, Hi: e.UID})
			} else {
				s.w.Counted(uint32(e.Seq), "EXPUNGE").End()
			}
			expunged = with(expunged, e.UID)
		case mailbox.Added:
			added = true
			s.isRecent(e)
		case mailbox.Changed:
			var m mailbox.Message
			s.box.Message(e.Seq, &m)
			if f == nil {
				f = s.changes(hide != nil)
			}
			if hide == nil || !hide(&m) {
				if err := f.Message(e.Seq, &m, inRanges(s.recent, m.UID)); err != nil {
					return err
				}
			}
		}
	}
	if len(gone) > 0 {
		s.w.Untagged("VANISHED ").Set(imap.Normal(gone)).End()
	}
	if added {
		s.tellExists()
	}
	return nil
}

// isRecent keeps which new messages are this session's.
func (s *session) isRecent(e mailbox.Event) {
	var m mailbox.Message
	if s.box.Message(e.Seq, &m); m.New && !s.rev2 {
		s.recent = with(s.recent, m.UID)
	}
}

// tellExists tells how many messages there are.
func (s *session) tellExists() {
	s.w.Counted(uint32(s.box.Len()), "EXISTS").End()
	if !s.rev2 {
		s.w.Counted(s.countRecent(), "RECENT").End()
	}
}

func (s *session) countRecent() uint32 {
	var n uint32
	for _, r := range s.recent {
		from, _ := s.box.Seq(r.Lo)
		to, ok := s.box.Seq(r.Hi)
		if ok {
			to++
		}
		n += uint32(to - from)
	}
	return n
}

// changes writes flags as they are now.
func (s *session) changes(uid bool) *imapfetch.Fetcher {
	s.tellKeywords()
	var items []imap.Item
	if uid || s.uidForm || s.condstore || s.rev2 {
		items = append(items, imap.Item{Kind: imap.ItemUID})
	}
	items = append(items, imap.Item{Kind: imap.ItemFlags})
	if s.condstore {
		items = append(items, imap.Item{Kind: imap.ItemModSeq})
	}
	return s.fetcher(items)
}

// fetcher prepares the answers of a FETCH.
func (s *session) fetcher(items []imap.Item) *imapfetch.Fetcher {
	return imapfetch.New(s.w, s.box, items, imapfetch.Options{Keywords: s.box.Keywords(), UID: s.uidForm, Cache: &s.cache})
}

// tellKeywords tells of keywords that the client has not heard of (RFC 9051
// §7.3.5).
func (s *session) tellKeywords() {
	if len(s.box.Keywords()) == s.keywords {
		return
	}
	s.tellFlags()
}

// systemFlags in the order of their bits.
var systemFlags = []string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, "$Forwarded"}

// tellFlags tells which flags there are, and that the client may make more.
func (s *session) tellFlags() {
	names := s.box.Keywords()
	s.keywords = len(names)
	all := append(append([]string{}, systemFlags...), names...)
	s.w.Untagged("FLAGS ").Flags(all).End()
	s.w.Untagged("OK [PERMANENTFLAGS ")
	switch {
	case s.readOnly:
		s.w.Flags(nil)
	case len(names) < maxKeywords:
		s.w.Flags(append(all, `\*`))
	default:
		s.w.Flags(all)
	}
	s.w.Raw("] flags that last").End()
}

// maxKeywords is how many a mailbox has at most.
const maxKeywords = 64

// inRanges tells whether one of the ranges, which are in order, has n.
func inRanges(rs []imap.Range, n uint32) bool {
	return imap.Set{Ranges: rs}.Contains(n, ^uint32(0))
}

// with adds n after the ranges, which are in order where the numbers come so.
func with(rs []imap.Range, n uint32) []imap.Range {
	if k := len(rs); k > 0 && rs[k-1].Hi+1 == n {
		rs[k-1].Hi = n
		return rs
	}
	return append(rs, imap.Range{Lo: n, Hi: n})
}

// minus is what of a is not in b; both are in order.
func minus(a, b []imap.Range) []imap.Range {
	if len(b) == 0 {
		return a
	}
	var out []imap.Range
	for _, r := range a {
		for len(b) > 0 && b[0].Hi < r.Lo {
			b = b[1:]
		}
		for ; len(b) > 0 && b[0].Hi < r.Hi; b = b[1:] {
			if r.Lo < b[0].Lo {
				out = append(out, imap.Range{Lo: r.Lo, Hi: b[0].Lo - 1})
			}
			r.Lo = b[0].Hi + 1
		}
		if len(b) > 0 && b[0].Lo <= r.Hi { // its end is in b
			r.Hi = b[0].Lo - 1
		}
		if r.Lo <= r.Hi {
			out = append(out, r)
		}
	}
	return out
}
