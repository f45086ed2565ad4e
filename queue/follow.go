// SPDX-License-Identifier: ISC

package queue

import (
	"cmp"
	"errors"
	"hash/crc32"
	"slices"
	"sync"

	"quill/internal/mailid"
)

// maxLag is how many bytes of events may wait for a follower before it is cut
// off.
const maxLag = 64 << 20

// ErrLag says that a follower did not keep up.
var ErrLag = errors.New("follower cut off: it does not read fast enough")

// Watcher hears of every durable record, in order: first those of what lives,
// then new ones as they come.
type Watcher struct {
	log  *Log
	refs []pastRef // of what lived when it began

	mu      sync.Mutex
	changed *sync.Cond
	queue   []Event
	size    int
	err     error
}

// pastRef is a record of a living message, and whose.
type pastRef struct {
	ref
	in    *segment
	event Event
}

// Watch begins to follow the log: records of living messages from sequence
// number `from` on, then everything new.
func (l *Log) Watch(from uint64) *Watcher {
	w := &Watcher{log: l}
	w.changed = sync.NewCond(&w.mu)
	l.mu.Lock()
	l.x.each(func(id mailid.ID, r *ref) {
		if r.seq >= from {
			w.refs = append(w.refs, pastRef{*r, l.segments[r.seg], Event{Seq: r.seq, Kind: r.kind, ID: id, Rcpt: int(r.rcpt), At: r.place(id)}})
		}
	})
	l.watchers[w] = true
	l.mu.Unlock()
	slices.SortFunc(w.refs, func(a, b pastRef) int { return cmp.Compare(a.seq, b.seq) })
	return w
}

// place is where the message of this record lies.
func (r *ref) place(id mailid.ID) Place {
	if r.kind != Enqueue {
		return Place{}
	}
	if r.file {
		return Place{File: id.String()}
	}
	return Place{Segment: r.seg, Offset: r.off, Length: blockSize + int64(r.text) + int64(r.size)}
}

// Past calls fn with each record of what lived when the watch began. A record
// that cannot be read any more, because its message has ended meanwhile, is
// passed over.
func (w *Watcher) Past(fn func(Event) error) error {
	for i := range w.refs {
		r := &w.refs[i]
		text, ok := r.read()
		if !ok {
			continue
		}
		r.event.Text = text
		if err := fn(r.event); err != nil {
			return err
		}
	}
	w.refs = nil
	return nil
}

// read reads a record's text again.
func (r *pastRef) read() ([]byte, bool) {
	b := make([]byte, blockSize+int(r.text))
	if n, _ := r.in.file.ReadAt(b, r.off); n < len(b) {
		return nil, false
	}
	rec, text, ok := parseHeader(b, r.in.nonce)
	if !ok || rec.seq != r.seq || text != r.text {
		return nil, false
	}
	if rec.length == 0 && crc32.Checksum(b[blockSize:], castagnoli()) != rec.sum {
		return nil, false
	}
	return b[blockSize:], true
}

// offer gives a watcher new records; it runs with the log's lock held.
func (w *Watcher) offer(written []*request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	for _, r := range written {
		at := Place{}
		if r.rec.kind == Enqueue {
			at = Place{Segment: w.log.current.number, Offset: r.off, Length: blockSize + int64(len(r.rec.text)) + int64(r.rec.length)}
			if r.rec.flags&flagFile != 0 {
				at = Place{File: r.rec.id.String()}
			}
		}
		w.queue = append(w.queue, Event{Seq: r.rec.seq, Kind: r.rec.kind, ID: r.rec.id, Rcpt: int(r.rec.rcpt), At: at, Text: r.rec.text})
		w.size += len(r.rec.text) + 64
	}
	if w.size > maxLag {
		w.err = ErrLag
		w.queue = nil
	}
	w.changed.Signal()
}

// Wait waits for new records.
func (w *Watcher) Wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 && w.err == nil {
		w.changed.Wait()
	}
}

// More waits for new records and gives all there are.
func (w *Watcher) More() ([]Event, error) {
	w.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.queue
	w.queue, w.size = nil, 0
	return events, w.err
}

// Pending says whether More would not wait.
func (w *Watcher) Pending() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) > 0
}

// Close ends the watch; More then gives ErrLag.
func (w *Watcher) Close() {
	w.log.mu.Lock()
	delete(w.log.watchers, w)
	w.log.mu.Unlock()
	w.mu.Lock()
	if w.err == nil {
		w.err = ErrLag
	}
	w.mu.Unlock()
	w.changed.Signal()
}
