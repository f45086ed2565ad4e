// SPDX-License-Identifier: ISC

package index

import (
	"slices"
	"sort"

	"golang.org/x/sys/unix"
)

// EventKind says what has happened to a message.
type EventKind uint8

// The kinds of events.
const (
	Added    EventKind = iota + 1
	Changed            // flags or keywords
	Expunged           // Seq is its number at that moment; those after it move up
	Reset              // the folder has a new UIDVALIDITY: nothing that was known holds
)

// Event is a change between what a View showed and what it shows.
type Event struct {
	Kind EventKind
	Seq  int // the message's sequence number, from 1
	Msg  Message
}

// View is a folder as one session sees it: it changes by Update alone, so that
// sequence numbers stand until the client is told. What it shows can be read, also
// what others have expunged meanwhile through an Index. It is one goroutine's.
type View struct {
	x        *Index
	msgs     []*Message // shared with x.s; not to be changed
	held     bool       // shows messages that are gone
	valid    uint32
	next     UID
	modseq   uint64
	told     uint64 // modseq after which nothing that it shows was expunged
	box      [16]byte
	keywords []string
}

// reached is how far an index was when Views might learn of it.
type reached struct {
	box    [16]byte
	valid  uint32
	next   UID
	modseq uint64
	gen    uint64
	log    uint64 // the inode of that generation's
}

// reach is how far x is, where it is known.
func (x *Index) reach() reached {
	var st unix.Stat_t
	if x.s == nil || unix.Fstat(int(x.log.Fd()), &st) != nil {
		return x.reached
	}
	return reached{x.s.box, x.s.valid, x.s.next, x.s.modseq, x.s.gen, st.Ino}
}

// ahead tells whether the index now is one that was put back from a backup, or
// brought from elsewhere: it would give out UIDs a second time, or has. A
// generation has one log and ends for ever.
func (r reached) ahead(now reached) bool {
	if now.valid != r.valid {
		return now.valid < r.valid
	}
	return now.box != r.box || now.next < r.next || now.modseq < r.modseq || now.gen < r.gen || now.gen == r.gen && now.log != r.log
}

// View is the folder as x knows it now.
func (x *Index) View() *View {
	v := &View{x: x}
	x.mu.Lock()
	if x.views == nil {
		x.views = make(map[*View]bool)
	}
	x.views[v] = true
	x.mu.Unlock()
	v.Update(true)
	return v
}

// Close says that the view is not used any more. Who closes the Index need not.
func (v *View) Close() {
	x := v.x
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.views, v)
	x.repin()
	x.sweep()
}

// Update brings the view up to what the last Sync, or other call, of its Index
// learnt, and tells what has changed: what was expunged first, in ascending order,
// then changes, then additions. Where the client may not be told of expunges now
// (RFC 3501 §7.4.1), those messages stay in the view until it may.
func (v *View) Update(expunges bool) []Event {
	x := v.x
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.s
	if s == nil || v.valid == s.valid && v.modseq == s.modseq && !(v.held && expunges) {
		return nil
	}
	var events []Event
	if v.valid != s.valid {
		if v.valid != 0 {
			events = []Event{{Kind: Reset}}
		}
		v.held = false
	} else {
		events = v.diff(s, expunges)
	}
	v.valid, v.next, v.modseq, v.box, v.keywords = s.valid, s.next, s.modseq, s.box, s.keywords
	if !v.held {
		v.msgs, s.shared = s.msgs, true
		v.told = s.modseq
		if x.views[v] {
			x.repin()
		}
	}
	if slices.ContainsFunc(events, func(e Event) bool { return e.Kind == Expunged || e.Kind == Reset }) {
		x.sweep()
	}
	return events
}

// diff compares; where messages are held it makes v.msgs, else s.msgs is that.
func (v *View) diff(s *state, expunges bool) []Event {
	var gone, rest []Event
	var msgs []*Message // where some are held
	v.held = false
	j, seq := 0, 1
	old := v.msgs
	if len(old) > 0 && len(old) <= len(s.msgs) && &old[0] == &s.msgs[0] { // what is new came at the end
		j, seq, old = len(old), len(old)+1, nil
	}
	for _, was := range old {
		if j == len(s.msgs) || s.msgs[j].UID != was.UID { // both ascend, and what comes has greater UIDs
			if expunges {
				gone = append(gone, Event{Expunged, seq, *was})
				continue
			}
			if !v.held {
				v.held = true
				msgs = append(make([]*Message, 0, len(v.msgs)+len(s.msgs)-j), s.msgs[:j]...)
			}
			msgs = append(msgs, was)
			seq++
			continue
		}
		now := s.msgs[j]
		if now != was && now.ModSeq != was.ModSeq {
			rest = append(rest, Event{Changed, seq, *now})
		}
		if v.held {
			msgs = append(msgs, now)
		}
		j++
		seq++
	}
	if v.held {
		msgs = append(msgs, s.msgs[j:]...)
		v.msgs = msgs
	}
	for ; j < len(s.msgs); j++ {
		rest = append(rest, Event{Added, seq, *s.msgs[j]})
		seq++
	}
	return append(gone, rest...)
}

// Len is the number of messages.
func (v *View) Len() int { return len(v.msgs) }

// Message is the one with this sequence number, from 1 to Len.
func (v *View) Message(seq int) *Message { return v.msgs[seq-1] }

// Seq is the sequence number of the message with this UID, or of the first with a
// greater one (Len+1 where there is none); ok tells which.
func (v *View) Seq(uid UID) (seq int, ok bool) {
	i := sort.Search(len(v.msgs), func(i int) bool { return v.msgs[i].UID >= uid })
	return i + 1, i < len(v.msgs) && v.msgs[i].UID == uid
}

// UIDValidity, UIDNext and MailboxID are the folder's.
func (v *View) UIDValidity() uint32 { return v.valid }
func (v *View) UIDNext() UID        { return v.next }
func (v *View) MailboxID() [16]byte { return v.box }

// HighestModSeq is the folder's, or while the view shows messages that are gone
// one before the modseq of their end (RFC 7162 §3.2).
func (v *View) HighestModSeq() uint64 { return v.told }

// Held tells whether the view shows messages that are gone.
func (v *View) Held() bool { return v.held }

// Keywords is the names of the folder's keywords; bit n of Message.Keywords is
// the n-th.
func (v *View) Keywords() []string { return v.keywords }

// Vanished is the UIDs expunged after modseq, in order (RFC 7162 §3.2.10); known
// is false where they are not remembered from so long ago, so that every UID the
// folder does not have counts.
func (x *Index) Vanished(modseq uint64) (uids []Range, known bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.s == nil || modseq < x.s.horizon {
		return nil, false
	}
	for i := len(x.s.expunged) - 1; i >= 0 && x.s.expunged[i].modseq > modseq; i-- {
		uids = append(uids, x.s.expunged[i].Range)
	}
	return join(uids), true
}

// join orders ranges and makes one of those that touch.
func join(rs []Range) (out []Range) {
	sort.Slice(rs, func(i, j int) bool { return rs[i].Lo < rs[j].Lo })
	for _, r := range rs {
		if n := len(out); n > 0 && r.Lo <= out[n-1].Hi+1 {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out
}
