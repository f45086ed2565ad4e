// SPDX-License-Identifier: ISC

package imapsession

import (
	"quill/internal/imap"
	"quill/internal/mailbox"
)

// ranges is the sequence numbers of the command's set. A number of no message is
// the client's error; a UID of none is not (RFC 9051 §6.4.9).
func (s *session) ranges(c *imap.Command) ([]imap.Range, error) {
	switch {
	case c.Set.Saved:
		return s.numbers(s.saved), nil
	case c.UID:
		last := uint32(0)
		if n := s.box.Len(); n > 0 {
			var m mailbox.Message
			s.box.Message(n, &m)
			last = m.UID
		}
		// What * is must be a UID that is there; greater ones are of no message.
		return s.numbers(c.Set.Resolve(last)), nil
	case int64(c.Set.Max()) > int64(s.box.Len()):
		return nil, wrong("no message has this number")
	}
	return c.Set.Resolve(uint32(s.box.Len())), nil
}

// numbers is the sequence numbers of the messages with these UIDs.
func (s *session) numbers(uids []imap.Range) (out []imap.Range) {
	for _, r := range uids {
		from, _ := s.box.Seq(r.Lo)
		to, ok := s.box.Seq(r.Hi)
		if !ok {
			to--
		}
		if from <= to {
			out = append(out, imap.Range{Lo: uint32(from), Hi: uint32(to)})
		}
	}
	return imap.Normal(out)
}

// each calls f for the messages with these sequence numbers, until an error.
func (s *session) each(seqs []imap.Range, f func(seq int, m *mailbox.Message) error) error {
	var m mailbox.Message
	for _, r := range seqs {
		for seq := int(r.Lo); seq <= int(r.Hi); seq++ {
			s.box.Message(seq, &m)
			if err := f(seq, &m); err != nil {
				return err
			}
		}
	}
	return nil
}

// uids is the UIDs of those of the messages that f takes; nil takes all.
func (s *session) uids(seqs []imap.Range, f func(m *mailbox.Message) bool) (out []uint32) {
	s.each(seqs, func(_ int, m *mailbox.Message) error {
		if f == nil || f(m) {
			out = append(out, m.UID)
		}
		return nil
	})
	return out
}

// all is every message's sequence number.
func (s *session) all() []imap.Range {
	if s.box.Len() == 0 {
		return nil
	}
	return []imap.Range{{Lo: 1, Hi: uint32(s.box.Len())}}
}

// writable refuses a change to a mailbox that was opened to be read.
func (s *session) writable() error {
	if s.readOnly {
		return no("CANNOT", "the mailbox was opened to be read only")
	}
	return nil
}

// doExpunge: RFC 9051 §6.4.3, UID EXPUNGE §6.4.9. What others have changed is told
// first: they may have taken \Deleted from messages.
func (s *session) doExpunge(c *imap.Command) (string, string, error) {
	if err := s.writable(); err != nil {
		return "", "", err
	}
	err := s.news(true)
	if err != nil {
		return "", "", err
	}
	seqs := s.all()
	if c.UID {
		if seqs, err = s.ranges(c); err != nil {
			return "", "", err
		}
	}
	if err := s.expunge(seqs); err != nil {
		return "", "", err
	}
	return s.expunged()
}

// expunged tells what is gone, and a client that resynchronizes how far it is then
// (RFC 7162 §3.2.7).
func (s *session) expunged() (code, text string, err error) {
	err = s.events(s.box.Update(true), nil)
	if s.qresync {
		code = "HIGHESTMODSEQ " + decimal(s.box.HighestModSeq())
	}
	return code, "", err
}

// expunge deletes those of the messages that have \Deleted.
func (s *session) expunge(seqs []imap.Range) error {
	uids := s.uids(seqs, func(m *mailbox.Message) bool { return m.Flags&mailbox.Deleted != 0 })
	if len(uids) == 0 {
		return nil
	}
	return s.box.Expunge(uids)
}

// doCopy: RFC 9051 §6.4.7.
func (s *session) doCopy(c *imap.Command) (string, string, error) {
	return s.transfer(c, s.box.Copy)
}

// doMove: RFC 9051 §6.4.8. The client hears where the messages are before it
// hears that they are gone.
func (s *session) doMove(c *imap.Command) (string, string, error) {
	if err := s.writable(); err != nil {
		return "", "", err
	}
	code, _, err := s.transfer(c, s.box.Move)
	if err != nil {
		return "", "", err
	}
	if code != "" {
		s.w.Untagged("OK [" + code + "] moved").End()
	}
	return s.expunged()
}

// transfer copies or moves. A COPY is of all the messages that are named by number
// or of none (RFC 9051 §6.4.7, RFC 2180 §4.4.1); a MOVE takes those that are there
// (§6.4.8).
func (s *session) transfer(c *imap.Command, do func([]uint32, string) (*mailbox.Copied, error)) (code, text string, err error) {
	seqs, err := s.ranges(c)
	if err != nil {
		return "", "", err
	}
	uids := s.uids(seqs, nil)
	if err := s.news(true); err != nil { // are the UIDs those that the client knows?
		return "", "", err
	}
	all := c.Name == "COPY" && !c.UID && !c.Set.Saved // what is gone has left $
	for _, u := range uids {
		if _, ok := s.box.Seq(u); all && !ok {
			return "", "", no("EXPUNGEISSUED", "some of the messages are gone")
		}
	}
	if len(uids) == 0 {
		return "", "there was nothing to take", nil
	}
	got, err := do(uids, c.Mailbox)
	if err != nil {
		return "", "", tryCreate(err)
	}
	if len(got.Source) == 0 {
		return "", "", no("EXPUNGEISSUED", "the messages are gone already")
	}
	return "COPYUID " + decimal(uint64(got.UIDValidity)) + " " + listed(got.Source) + " " + listed(got.Target), "", nil
}

// listed is UIDs as a set that keeps their order (RFC 4315 §3): both sets of a
// COPYUID count alike.
func listed(uids []uint32) string {
	var rs []imap.Range
	for _, u := range uids {
		rs = with(rs, u)
	}
	return string(imap.AppendRanges(nil, rs))
}
