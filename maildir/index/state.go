// SPDX-License-Identifier: ISC

package index

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// vanished is expunged UIDs and the modseq of their end.
type vanished struct {
	Range
	modseq uint64
}

// state is all that snapshot and log say. Only apply changes it, for what was
// read as for what is about to be written, so both come to the same.
type state struct {
	gen      uint64
	valid    uint32 // UIDVALIDITY
	next     UID    // UIDNEXT
	modseq   uint64 // HIGHESTMODSEQ
	box      [16]byte
	msgs     []*Message // by UID; no message is changed but in what Views do not tell of
	keys     keys       // of msgs
	shared   bool       // a View has msgs too: copy before a change, other than at its end
	keywords []string
	expunged []vanished // by modseq
	horizon  uint64     // expunged is complete after this modseq
	intents  []Range    // about to be expunged
	dirs     dirState
}

// apply does what the record says; an error means that the log is damaged.
func (s *state) apply(r *record) error {
	switch r.kind {
	case kindAdd, kindFlags, kindExpunge:
		if r.modseq != s.modseq+1 {
			return fmt.Errorf("%w: modseq %d after %d", errDamaged, r.modseq, s.modseq)
		}
		s.modseq = r.modseq
	default:
		if r.modseq != 0 {
			return fmt.Errorf("%w: modseq in a record of kind %d", errDamaged, r.kind)
		}
	}
	switch r.kind {
	case kindAdd:
		return s.add(r)
	case kindFlags:
		s.each(r.uids, func(m *Message) {
			m.Flags = m.Flags&^r.change.off | r.change.on
			m.Keywords = m.Keywords&^r.change.kwOff | r.change.kwOn
			m.ModSeq = r.modseq
		})
	case kindName, kindDate, kindEmail:
		s.each([]Range{{r.msg.UID, r.msg.UID}}, func(m *Message) {
			was := *m
			r.set(m)
			s.byKey().change(s.at(m.UID), &was, m)
		})
	case kindCache:
		s.place(r.places, func(m *Message, cache uint64) { m.Cache = cache })
	case kindSizes:
		s.place(r.places, func(m *Message, wire uint64) { m.Wire = int64(wire) })
	case kindIntent:
		s.intents = slices.Clone(r.uids)
	case kindExpunge:
		s.expunge(r.uids, r.modseq)
	case kindDirState:
		s.dirs = r.dirs
	case kindKeyword:
		return s.define(r)
	}
	return nil
}

// set does to a message what a record about one says.
func (r *record) set(m *Message) {
	switch r.kind {
	case kindName:
		m.Name, m.New = r.msg.Name, r.msg.New
	case kindDate:
		m.Date = r.msg.Date
	case kindEmail:
		m.EmailID = r.msg.EmailID
	}
}

func (s *state) add(r *record) error {
	if r.msg.UID < s.next || r.msg.UID > uidMax || len(s.msgs) >= messagesMax {
		return fmt.Errorf("%w: UID %d where %d was to come", errDamaged, r.msg.UID, s.next)
	}
	m := r.msg
	s.byKey().add(&m)
	s.msgs = append(s.msgs, &m)
	s.next = r.msg.UID + 1
	return nil
}

func (s *state) define(r *record) error {
	if int(r.number) != len(s.keywords) || len(s.keywords) >= KeywordsMax || s.keyword(r.keyword) >= 0 {
		return fmt.Errorf("%w: keyword %d", errDamaged, r.number)
	}
	s.keywords = append(s.keywords[:len(s.keywords):len(s.keywords)], r.keyword)
	return nil
}

// keyword is a keyword's number, whatever the case of its letters, or -1.
func (s *state) keyword(name string) int {
	return slices.IndexFunc(s.keywords, func(k string) bool { return strings.EqualFold(k, name) })
}

// own makes msgs the state's alone.
func (s *state) own() {
	if s.shared {
		s.msgs, s.shared = slices.Clone(s.msgs), false
	}
}

// at is where the first message with this UID or a greater one is.
func (s *state) at(uid UID) int { return search(s.msgs, uid) }

func search(msgs []*Message, uid UID) int {
	i, _ := slices.BinarySearchFunc(msgs, uid, func(m *Message, u UID) int { return int(int64(m.UID) - int64(u)) })
	return i
}

// those is the messages in the ranges.
func (s *state) those(uids []Range) iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		for _, r := range uids {
			for i := s.at(r.Lo); i < len(s.msgs) && s.msgs[i].UID <= r.Hi; i++ {
				if !yield(s.msgs[i]) {
					return
				}
			}
		}
	}
}

// each calls f for the messages in the ranges, to change them.
func (s *state) each(uids []Range, f func(*Message)) {
	s.own()
	for _, r := range uids {
		for i := s.at(r.Lo); i < len(s.msgs) && s.msgs[i].UID <= r.Hi; i++ {
			m := *s.msgs[i]
			f(&m)
			s.msgs[i] = &m
		}
	}
}

func (s *state) place(places []placed, set func(*Message, uint64)) {
	s.own()
	for _, p := range places {
		if i := s.at(p.uid); i < len(s.msgs) && s.msgs[i].UID == p.uid {
			m := *s.msgs[i]
			set(&m, p.cache)
			s.msgs[i] = &m
		}
	}
}

func (s *state) expunge(uids []Range, modseq uint64) {
	s.own()
	gone := func(m *Message) bool { return contains(uids, m.UID) }
	s.byKey().remove(s.msgs, gone)
	s.msgs = slices.DeleteFunc(s.msgs, gone)
	for _, r := range uids {
		s.expunged = append(s.expunged, vanished{r, modseq})
	}
	if n := len(s.expunged) - vanishedMax; n > 0 {
		s.horizon = s.expunged[n-1].modseq
		s.expunged = slices.Clone(s.expunged[n:])
	}
	s.intents = nil
}

// contains tells whether one of the ranges, which are in order, has the UID.
func contains(uids []Range, uid UID) bool {
	i, _ := slices.BinarySearchFunc(uids, uid, func(r Range, u UID) int { return int(int64(r.Hi) - int64(u)) })
	return i < len(uids) && uids[i].Lo <= uid
}

// Ranges gathers UIDs, in any order, into ranges in order.
func Ranges(uids []UID) (out []Range) {
	uids = slices.Clone(uids)
	slices.Sort(uids)
	for _, u := range uids {
		if n := len(out); n > 0 && u <= out[n-1].Hi+1 {
			out[n-1].Hi = max(u, out[n-1].Hi)
			continue
		}
		out = append(out, Range{u, u})
	}
	return out
}
