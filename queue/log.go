// SPDX-License-Identifier: ISC

package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"quill/internal/mailid"
	"quill/internal/safefile"
)

// Limits of the writer.
const (
	maxBatch    = 4 << 20     // bytes that one sync makes durable
	maxWaiting  = 4096        // records that wait for the writer
	InlineLimit = 256 << 10   // larger messages are files of their own
	spareRetry  = time.Second // between tries to make a segment on a full disk
	wantSpares  = 2           // segments kept ready
)

// ErrFull says that there is no room for mail; results are still taken.
var ErrFull = errors.New("queue disk is full")

// ErrSync says that the disk failed to make records durable: whether they are
// is not known, and they count as lost.
var ErrSync = errors.New("queue disk failed")

// ErrUnknown says that no such message lives.
var ErrUnknown = errors.New("no such message in the queue")

// Log is the queue's log, open for writing by this process alone.
type Log struct {
	dir  string
	logf func(string, ...any)
	lock *os.File

	requests chan *request
	answers  chan []*request
	need     chan bool // asks for segments
	stop     chan struct{}
	done     sync.WaitGroup

	mu       sync.Mutex // of all below
	x        *index
	segments map[uint64]*segment
	current  *segment
	spares   []*segment // prepared
	number   uint64     // of the newest segment
	seq      uint64     // of the newest record
	full     bool       // no spare can be made: mail is refused
	watchers map[*Watcher]bool
	changed  *sync.Cond // spare or full

	sync func(*os.File) error // fdatasync; tests put failures here

	// Answered, where it is set before the first record, is called after the
	// answers of each batch, by the goroutine that gave them: what these put off
	// can go out together.
	Answered func()
}

// request is one record on its way to the disk.
type request struct {
	rec    record
	bodies [2][]byte // the message: its Received line, and the rest
	mail   bool      // takes room that results may need
	done   func(seq uint64, err error)
	err    error
	off    int64
}

// Open takes the lock of the queue in dir, waiting for it, replays the log, and
// makes the log ready for records. logf hears of damage.
func Open(dir string, logf func(format string, args ...any)) (*Log, error) {
	lock, err := safefile.Lock(filepath.Join(dir, "lock", "log"))
	if err != nil {
		return nil, err
	}
	l := &Log{dir: dir, logf: logf, lock: lock, segments: make(map[uint64]*segment), watchers: make(map[*Watcher]bool),
		requests: make(chan *request, maxWaiting), answers: make(chan []*request, 64), need: make(chan bool, 1),
		stop: make(chan struct{}), sync: fdatasync}
	l.x = newIndex(l.segments)
	l.changed = sync.NewCond(&l.mu)
	if err := l.replay(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if l.current = l.unused(); l.current == nil {
		if l.current, err = l.create(); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	l.need <- true
	l.done.Add(3)
	go l.prepare()
	go l.commit()
	go l.answer()
	l.sweep()
	return l, nil
}

// create makes the next segment.
func (l *Log) create() (*segment, error) {
	l.mu.Lock()
	l.number++
	number := l.number
	l.mu.Unlock()
	s, err := createSegment(l.dir, number, segmentSize(l.dir))
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.segments[number] = s
	l.mu.Unlock()
	return s, nil
}

// prepare keeps spare segments ready, and tries again and again on a full disk.
func (l *Log) prepare() {
	defer l.done.Done()
	for {
		select {
		case <-l.need:
		case <-l.stop:
			return
		}
		complained := false
		for l.wanting() {
			s, err := l.create()
			l.mu.Lock()
			if err == nil {
				l.spares = append(l.spares, s)
			}
			l.full = len(l.spares) == 0
			l.changed.Broadcast()
			l.mu.Unlock()
			if err == nil {
				continue
			}
			if !complained {
				l.logf("warning: no room for the log: %v; mail is refused until there is", err)
				complained = true
			}
			select {
			case <-time.After(spareRetry):
			case <-l.stop:
				return
			}
		}
	}
}

// wanting says whether fewer segments are ready than are to be.
func (l *Log) wanting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.spares) < wantSpares
}

// Full says whether mail is refused for want of room.
func (l *Log) Full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full
}

// Close waits for what was submitted and gives the lock back. Nothing may be
// submitted meanwhile.
func (l *Log) Close() error {
	close(l.stop)
	close(l.requests)
	l.done.Wait()
	var err error
	for _, s := range l.segments {
		err = errors.Join(err, s.file.Close())
	}
	return errors.Join(err, l.lock.Close())
}

// Record submits a record about a message that lives; done hears its sequence
// number when it is durable, or why it is not.
func (l *Log) Record(kind Kind, id mailid.ID, rcpt int, text []byte, done func(seq uint64, err error)) {
	l.requests <- &request{rec: record{kind: kind, id: id, rcpt: uint32(rcpt), text: text}, done: done}
}

// commit is the one writer: it gathers what waits, writes it, makes it durable
// with one sync, and hands it on to be answered.
func (l *Log) commit() {
	defer l.done.Done()
	defer close(l.answers)
	for {
		first, ok := <-l.requests
		if !ok {
			return
		}
		batch, size := []*request{first}, first.weight()
	gather:
		for size < maxBatch {
			select {
			case r, ok := <-l.requests:
				if !ok {
					break gather
				}
				batch = append(batch, r)
				size += r.weight()
			default:
				break gather
			}
		}
		l.write(batch)
		l.answers <- batch
	}
}

func (r *request) weight() int64 {
	return roundUp(blockSize + int64(len(r.rec.text)) + int64(r.length()))
}

func (r *request) length() int {
	return len(r.bodies[0]) + len(r.bodies[1])
}

// answer tells who waits what became of their records.
func (l *Log) answer() {
	defer l.done.Done()
	for batch := range l.answers {
		for _, r := range batch {
			r.done(r.rec.seq, r.err)
		}
		if l.Answered != nil {
			l.Answered()
		}
	}
}

// admit gives a request its number and place, or its refusal. It runs with the
// lock held.
func (l *Log) admit(r *request, off int64) bool {
	switch {
	case r.mail && l.full:
		r.err = ErrFull
	case r.mail && l.x.has(r.rec.id):
		r.err = fmt.Errorf("message %v is in the queue already", r.rec.id)
	case !r.mail && !l.x.has(r.rec.id):
		r.err = fmt.Errorf("message %v: %w", r.rec.id, ErrUnknown)
	default:
		l.seq++
		r.rec.seq, r.rec.at = l.seq, time.Now()
		r.off = off
		return true
	}
	return false
}
