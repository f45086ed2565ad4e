// SPDX-License-Identifier: ISC

package queue

import (
	"bytes"

	"quill/internal/mailid"
)

// ref is where a record of a living message lies. A queue may hold millions:
// there is no pointer in it for the collector to follow.
type ref struct {
	seg  uint64 // number of the segment
	off  int64
	seq  uint64
	text uint32 // bytes of the text
	size uint32 // bytes of the message in the log
	rcpt uint32
	next slot // the message's next record
	kind Kind
	file bool
}

// slot is the place of a ref in the index; 0 is none.
type slot int32

// pageSize is how many refs are allocated at once.
const pageSize = 1 << 12

// index is what lives: for each message its records that are still needed.
// Replay and new records go through the same door, so they cannot
// disagree.
type index struct {
	segments map[uint64]*segment // the log's
	live     map[mailid.ID]slot  // each message's first record
	pages    []*[pageSize]ref
	free     slot // the first of those that were given back
	used     slot // slots that were ever given out
}

func newIndex(segments map[uint64]*segment) *index {
	return &index{segments: segments, live: make(map[mailid.ID]slot)}
}

func (x *index) ref(at slot) *ref { return &x.pages[(at-1)/pageSize][(at-1)%pageSize] }

// has says whether a message lives.
func (x *index) has(id mailid.ID) bool { return x.live[id] != 0 }

// each calls fn with every record of every message that lives.
func (x *index) each(fn func(id mailid.ID, r *ref)) {
	for id, at := range x.live {
		for ; at != 0; at = x.ref(at).next {
			fn(id, x.ref(at))
		}
	}
}

// apply takes note of a record. It gives the ids of the messages that ended by
// it and have files of their own to be removed.
func (x *index) apply(r *record, seg *segment, off int64) (files []mailid.ID) {
	at := ref{seg: seg.number, off: off, seq: r.seq, text: uint32(len(r.text)), size: r.length, rcpt: r.rcpt, kind: r.kind, file: r.flags&flagFile != 0}
	switch r.kind {
	case Enqueue:
		x.add(r.id, at)
		if ends := endsOf(r.text); ends != 0 {
			return x.end(ends, seg)
		}
	case Done:
		return x.end(r.id, seg)
	case Next:
		x.drop(r.id, Next, r.rcpt)
		fallthrough
	default:
		if x.has(r.id) {
			x.add(r.id, at)
		}
	}
	return nil
}

// add puts a record with the message's others: the first stays the first, the
// rest are in no order (their sequence numbers tell).
func (x *index) add(id mailid.ID, r ref) {
	at := x.free
	if at != 0 {
		x.free = x.ref(at).next
	} else {
		if int(x.used) == len(x.pages)*pageSize {
			x.pages = append(x.pages, new([pageSize]ref))
		}
		x.used++
		at = x.used
	}
	*x.ref(at) = r
	x.segments[r.seg].live++
	first := x.live[id]
	if first == 0 {
		x.live[id] = at
		return
	}
	x.ref(at).next, x.ref(first).next = x.ref(first).next, at
}

// give gives a slot back.
func (x *index) give(at slot) {
	r := x.ref(at)
	x.segments[r.seg].live--
	*r = ref{next: x.free}
	x.free = at
}

// drop forgets the message's record of this kind about a recipient, which a new
// one replaces. The first record of a message is never dropped.
func (x *index) drop(id mailid.ID, kind Kind, rcpt uint32) {
	before := x.live[id]
	if before == 0 {
		return
	}
	for at := x.ref(before).next; at != 0; before, at = at, x.ref(at).next {
		if r := x.ref(at); r.kind == kind && r.rcpt == rcpt {
			x.ref(before).next = r.next
			x.give(at)
			return
		}
	}
}

// end forgets a message whose end is recorded in seg. As long as a segment with
// records of it exists, that of its end has to stay, or replay would bring it
// back to life.
func (x *index) end(id mailid.ID, seg *segment) (files []mailid.ID) {
	for at := x.live[id]; at != 0; {
		r := x.ref(at)
		if r.seg != seg.number {
			x.segments[r.seg].guards[seg]++
			seg.tombs++
		}
		if r.file {
			files = append(files, id)
		}
		next := r.next
		x.give(at)
		at = next
	}
	delete(x.live, id)
	return files
}

// dead says whether nothing in a segment is needed any more.
func (s *segment) dead() bool { return s.live == 0 && s.tombs == 0 }

// bury takes note that a segment is gone, and those that guarded it have less
// to guard.
func (s *segment) bury() {
	for g, n := range s.guards {
		g.tombs -= n
	}
}

// endsOf is the message that this envelope's record ends as well.
func endsOf(text []byte) mailid.ID {
	if !bytes.Contains(text, []byte("\x00ends=")) {
		return 0 // most: spared the parsing
	}
	e, err := ParseEnvelope(text)
	if err != nil {
		return 0
	}
	id, _ := mailid.Parse(e.Params.Value("ends"))
	return id
}
