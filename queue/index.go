// SPDX-License-Identifier: ISC

package queue

import (
	"bytes"

	"quill/internal/mailid"
)

// ref is where a record of a living message lies.
type ref struct {
	seg  *segment
	off  int64
	text uint32 // bytes of the text
	size uint32 // bytes of the message in the log
	seq  uint64
	rcpt uint32
	kind Kind
	file bool
}

// index is what lives: for each message its records that are still needed.
// Replay and new records go through the same door, so they cannot disagree.
type index struct {
	live map[mailid.ID][]ref
}

func newIndex() *index { return &index{live: make(map[mailid.ID][]ref)} }

// apply takes note of a record. It gives the ids of the messages that ended by
// it and have files of their own to be removed.
func (x *index) apply(r *record, seg *segment, off int64) (files []mailid.ID) {
	at := ref{seg, off, uint32(len(r.text)), r.length, r.seq, r.rcpt, r.kind, r.flags&flagFile != 0}
	switch r.kind {
	case Enqueue:
		x.add(r.id, at)
		if ends := endsOf(r.text); ends != 0 {
			return x.end(ends, seg)
		}
	case Done:
		return x.end(r.id, seg)
	case Next:
		x.replace(r.id, at)
	default:
		if x.live[r.id] != nil {
			x.add(r.id, at)
		}
	}
	return nil
}

func (x *index) add(id mailid.ID, at ref) {
	x.live[id] = append(x.live[id], at)
	at.seg.live++
}

// replace puts a Next in place of the recipient's earlier one.
func (x *index) replace(id mailid.ID, at ref) {
	refs := x.live[id]
	if refs == nil {
		return
	}
	for i := range refs {
		if refs[i].kind == Next && refs[i].rcpt == at.rcpt {
			refs[i].seg.live--
			x.live[id] = append(refs[:i:i], refs[i+1:]...)
			break
		}
	}
	x.add(id, at)
}

// end forgets a message whose end is recorded in seg. As long as a segment with
// records of it exists, that of its end has to stay, or replay would bring it
// back to life.
func (x *index) end(id mailid.ID, seg *segment) (files []mailid.ID) {
	for _, r := range x.live[id] {
		r.seg.live--
		if r.seg != seg {
			r.seg.guards[seg]++
			seg.tombs++
		}
		if r.file {
			files = append(files, id)
		}
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
