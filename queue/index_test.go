// SPDX-License-Identifier: ISC

package queue

import (
	"math/rand/v2"
	"testing"

	"quill/internal/mailid"
)

// TestIndexModel: the index says the same as a plain list of records, over many
// random lives of messages, and its counts come out at nothing when all have
// ended.
func TestIndexModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	segments := map[uint64]*segment{}
	for n := range uint64(5) {
		segments[n] = &segment{number: n, guards: make(map[*segment]int)}
	}
	x := newIndex(segments)
	type fact struct {
		kind Kind
		rcpt uint32
		seq  uint64
	}
	model := map[mailid.ID][]fact{}
	seq, next := uint64(0), mailid.ID(0)
	apply := func(kind Kind, id mailid.ID, rcpt uint32) {
		seq++
		seg := segments[seq*5/60000]
		x.apply(&record{kind: kind, id: id, rcpt: rcpt, seq: seq}, seg, int64(seq)*blockSize)
		f := fact{kind, rcpt, seq}
		switch {
		case kind == Done:
			delete(model, id)
			return
		case kind != Enqueue && model[id] == nil:
			return
		case kind == Next:
			for i, old := range model[id] {
				if old.kind == Next && old.rcpt == rcpt {
					model[id] = append(model[id][:i:i], model[id][i+1:]...)
					break
				}
			}
		}
		model[id] = append(model[id], f)
	}
	for range 50000 {
		id := mailid.ID(1 + rnd.Uint64N(uint64(next)+1))
		switch n := rnd.IntN(10); {
		case n < 3 || next == 0:
			next++
			apply(Enqueue, next, 0)
		case n < 6:
			apply(Next, id, rnd.Uint32N(3))
		case n < 8:
			apply(Result, id, rnd.Uint32N(3))
		default:
			apply(Done, id, 0)
		}
	}
	got := map[mailid.ID]map[fact]bool{}
	x.each(func(id mailid.ID, r *ref) {
		if got[id] == nil {
			got[id] = map[fact]bool{}
		}
		got[id][fact{r.kind, r.rcpt, r.seq}] = true
	})
	if len(got) != len(model) {
		t.Fatalf("%d messages live; want %d", len(got), len(model))
	}
	for id, want := range model {
		if len(got[id]) != len(want) {
			t.Errorf("message %v has %d records; want %d", id, len(got[id]), len(want))
		}
		for _, f := range want {
			if !got[id][f] {
				t.Errorf("message %v lacks %c of recipient %d, number %d", id, f.kind, f.rcpt, f.seq)
			}
		}
	}
	for id := range model {
		apply(Done, id, 0)
	}
	live := 0
	for _, s := range segments {
		live += s.live
	}
	if live != 0 || len(x.live) != 0 {
		t.Errorf("after every end %d records and %d messages live", live, len(x.live))
	}
	if n := len(x.pages); n*pageSize > 30000 {
		t.Errorf("%d pages of %d records for a queue of never that many: slots are not used again", n, pageSize)
	}
}
