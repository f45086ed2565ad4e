// SPDX-License-Identifier: ISC

package imapsession

import (
	"quill/internal/imap"
	"quill/internal/mailbox"
)

// doSelect: RFC 9051 §6.3.2 and §6.3.3. A SELECT that fails leaves none selected.
func (s *session) doSelect(c *imap.Command) (string, string, error) {
	if c.Select != nil && c.Select.QResync != nil && !s.qresync {
		return "", "", wrong("QRESYNC was not enabled")
	}
	had := s.box != nil
	s.unselect()
	if had { // RFC 7162 §3.2.11: whether or not anything was enabled
		s.w.Untagged("OK [CLOSED] the mailbox before").End()
	}
	box, err := s.Account.Open(c.Mailbox, c.Name == "EXAMINE")
	if err != nil {
		return "", "", err
	}
	s.box, s.name, s.readOnly = box, c.Mailbox, c.Name == "EXAMINE"
	if c.Select != nil {
		s.condstore = true
	}
	s.box.Update(true)
	s.tellFlags()
	s.tellMailbox()
	if c.Select != nil && c.Select.QResync != nil {
		if err := s.resync(c.Select.QResync); err != nil {
			return "", "", err
		}
	}
	if s.readOnly {
		return "READ-ONLY", "", nil
	}
	return "READ-WRITE", "", nil
}

// tellMailbox tells what SELECT tells of a mailbox, but for its flags.
func (s *session) tellMailbox() {
	fresh, unseen := s.box.Opening()
	if !s.rev2 {
		s.recent = fresh
	}
	s.tellExists()
	if unseen > 0 && !s.rev2 {
		s.w.Untagged("OK [UNSEEN ").Number(uint64(unseen)).Raw("] the first that was not seen").End()
	}
	s.w.Untagged("OK [UIDVALIDITY ").Number(uint64(s.box.UIDValidity())).Raw("] UIDs stay").End()
	s.w.Untagged("OK [UIDNEXT ").Number(uint64(s.box.UIDNext())).Raw("] the next").End()
	s.w.Untagged("OK [HIGHESTMODSEQ ").Number(s.box.HighestModSeq()).Raw("] the highest").End()
	if s.rev2 {
		s.w.Untagged(`LIST () "` + string(mailbox.Separator) + `" `).Mailbox(s.name).End()
	}
}

// resync tells a client that was here before what has changed since (RFC 7162
// §3.2.5).
func (s *session) resync(q *imap.QResync) error {
	if q.UIDValidity != s.box.UIDValidity() {
		return nil
	}
	known := imap.Set{Star: true, From: 1}
	if q.Known != nil {
		known = *q.Known
	}
	s.vanished(uint64(q.ModSeq), known.Resolve(s.box.UIDNext()-1), s.matched(q))
	f := s.fetcher([]imap.Item{{Kind: imap.ItemUID}, {Kind: imap.ItemFlags}, {Kind: imap.ItemModSeq}})
	var m mailbox.Message
	for seq := 1; seq <= s.box.Len(); seq++ {
		if s.box.Message(seq, &m); m.ModSeq > uint64(q.ModSeq) && known.Contains(m.UID, s.box.UIDNext()-1) {
			if err := f.Message(seq, &m, inRanges(s.recent, m.UID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// matched is the greatest UID up to which the client knows just what is there: it
// has told some of its pairs of number and UID (RFC 7162 §3.2.5.2).
func (s *session) matched(q *imap.QResync) (uid uint32) {
	if q.Seqs == nil || q.UIDs == nil {
		return 0
	}
	seqs, uids := walk(q.Seqs.Ranges), walk(q.UIDs.Ranges)
	var m mailbox.Message
	for {
		seq, ok := seqs()
		of, ok2 := uids()
		if !ok || !ok2 || int64(seq) > int64(s.box.Len()) {
			return uid
		}
		if s.box.Message(int(seq), &m); m.UID != of {
			return uid
		}
		uid = of
	}
}

// walk gives the numbers of ranges one by one.
func walk(rs []imap.Range) func() (uint32, bool) {
	var n uint32
	return func() (uint32, bool) {
		for len(rs) > 0 {
			switch {
			case n < rs[0].Lo:
				n = rs[0].Lo
				return n, true
			case n < rs[0].Hi:
				n++
				return n, true
			}
			rs = rs[1:]
		}
		return 0, false
	}
}

// vanished tells which UIDs of asked were expunged after modseq. Where that is not
// remembered, all above matched that are not there count. Of messages that the
// session still shows a VANISHED without EARLIER will tell, which changes the
// numbers (RFC 7162 §3.2.10).
func (s *session) vanished(modseq uint64, asked []imap.Range, matched uint32) {
	gone, known := s.box.Vanished(modseq)
	if !known {
		gone = minus([]imap.Range{{Lo: 1, Hi: s.box.UIDNext() - 1}}, []imap.Range{{Lo: 1, Hi: matched}})
	}
	gone = intersect(gone, asked)
	if gone = minus(gone, s.shown(gone)); len(gone) > 0 {
		s.w.Untagged("VANISHED (EARLIER) ").Set(gone).End()
	}
}

// shown is those of the UIDs of which a message is shown.
func (s *session) shown(uids []imap.Range) (out []imap.Range) {
	var m mailbox.Message
	for _, r := range uids {
		for seq, _ := s.box.Seq(r.Lo); seq <= s.box.Len(); seq++ {
			if s.box.Message(seq, &m); m.UID > r.Hi {
				break
			}
			out = with(out, m.UID)
		}
	}
	return out
}

// intersect is what is in both; both are in order.
func intersect(a, b []imap.Range) (out []imap.Range) {
	for len(a) > 0 && len(b) > 0 {
		if lo, hi := max(a[0].Lo, b[0].Lo), min(a[0].Hi, b[0].Hi); lo <= hi {
			out = append(out, imap.Range{Lo: lo, Hi: hi})
		}
		if a[0].Hi < b[0].Hi {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// unselect gives up the mailbox, if there is one, without expunging.
func (s *session) unselect() {
	if s.box == nil {
		return
	}
	if !s.readOnly {
		if err := s.box.Settle(); err != nil {
			s.note(s.name + ": " + err.Error())
		}
	}
	s.rest()
	if err := s.box.Close(); err != nil {
		s.note(s.name + ": " + err.Error())
	}
	s.box, s.name, s.readOnly, s.recent, s.saved, s.keywords, s.behind = nil, "", false, nil, nil, 0, false
}

// doClose: CLOSE (RFC 9051 §6.4.1) expunges and says nothing of it, UNSELECT (RFC
// 3691) does not.
func (s *session) doClose(c *imap.Command) (string, string, error) {
	if c.Name == "CLOSE" && !s.readOnly {
		if err := s.box.Sync(); err != nil { // others may have taken \Deleted from messages
			return "", "", err
		}
		for _, e := range s.box.Update(true) {
			if e.Kind == mailbox.Reset {
				return "", "", &mailboxGone{s.name}
			}
		}
		if err := s.expunge(s.all()); err != nil {
			return "", "", err
		}
	}
	s.unselect()
	return "", "", nil
}
