// SPDX-License-Identifier: ISC

package folders

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"quill/maildir"
	"quill/maildir/index"
)

// Pool is the mailboxes that are open in a process: sessions that have the same
// one share its Maildir and Index. Its methods may be called from many
// goroutines.
type Pool struct {
	deliverer *maildir.Deliverer
	mu        sync.Mutex
	open      map[folder]*shared
	keep      int           // mailboxes that stay open when nobody has them
	keepFor   time.Duration // and how long
	closed    func()
	idle      []*shared // these, the one left last at the end
	timer     *time.Timer
}

// KeepIdle has up to n mailboxes stay open for a time after the last session has
// left them: many clients come again and again, and to read a large index costs
// more than to hold it. closed is called after some were closed because of their
// time. Close ends that.
func (p *Pool) KeepIdle(n int, d time.Duration, closed func()) {
	p.keep, p.keepFor, p.closed = n, d, closed
}

// Close closes the mailboxes that nobody has open.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.keep = 0
	p.mu.Unlock()
	p.expire(time.Now().Add(p.keepFor))
	return nil
}

// folder names a folder whatever its name is now.
type folder struct{ dev, ino uint64 }

// NewPool makes one that puts host in the names of messages; "" is this
// machine's.
func NewPool(host string) *Pool {
	return &Pool{deliverer: maildir.NewDeliverer(host), open: make(map[folder]*shared)}
}

// shared is a mailbox that is open. Its place in the pool is its folder's, which
// nobody else can have as long as it is open.
type shared struct {
	at   folder
	refs int // under the pool's lock
	m    *maildir.Maildir
	root *shared   // nil: it is the root
	left time.Time // when the last session left it, where refs is 0
	mu   sync.Mutex
	x    *index.Index // nil: nobody has needed it yet
}

// take takes over m, and is the same for all who have the same folder open.
func (p *Pool) take(m *maildir.Maildir, root *shared) (*shared, error) {
	var st unix.Stat_t
	if err := unix.Fstat(m.Fd(), &st); err != nil {
		m.Close()
		return nil, err
	}
	at := folder{uint64(st.Dev), st.Ino}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.open[at]
	if s == nil {
		s = &shared{at: at, m: m, root: root}
		if root != nil {
			root.refs++
		}
		p.open[at] = s
	} else {
		m.Close()
	}
	p.use(s)
	return s, nil
}

// use counts one more reference to s, under the lock.
func (p *Pool) use(s *shared) {
	if i := slices.Index(p.idle, s); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	s.refs++
}

// again is one more reference to s.
func (p *Pool) again(s *shared) *shared {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.use(s)
	return s
}

// drop gives a reference back, where s is one; with the last one the mailbox is
// closed, at once or some time later.
func (p *Pool) drop(s *shared) {
	if s == nil {
		return
	}
	p.mu.Lock()
	s.refs--
	last := s.refs == 0
	if last && p.keep > 0 && s.x != nil {
		s.left = time.Now()
		p.idle = append(p.idle, s)
		if p.timer == nil {
			p.timer = time.AfterFunc(p.keepFor, func() { p.expire(time.Now()) })
		}
		last = false
	}
	over := len(p.idle) - p.keep
	p.mu.Unlock()
	if last {
		p.shut(s)
	}
	if over > 0 {
		p.expire(time.Time{})
	}
}

// expire closes what has been idle for long enough, and what is too many.
func (p *Pool) expire(now time.Time) {
	for n := 0; ; n++ {
		p.mu.Lock()
		if len(p.idle) == 0 || len(p.idle) <= p.keep && now.Sub(p.idle[0].left) < p.keepFor {
			if p.timer != nil {
				p.timer.Stop()
				p.timer = nil
			}
			if len(p.idle) > 0 {
				left := max(time.Until(p.idle[0].left.Add(p.keepFor)), time.Millisecond)
				p.timer = time.AfterFunc(left, func() { p.expire(time.Now()) })
			}
			p.mu.Unlock()
			if n > 0 && !now.IsZero() {
				p.closed()
			}
			return
		}
		s := p.idle[0]
		p.idle = p.idle[1:]
		p.mu.Unlock()
		p.shut(s)
	}
}

// shut closes a mailbox that nobody has, unless somebody has come for it.
func (p *Pool) shut(s *shared) {
	p.mu.Lock()
	if s.refs > 0 || p.open[s.at] != s {
		p.mu.Unlock()
		return
	}
	delete(p.open, s.at)
	p.mu.Unlock()
	if s.x != nil {
		s.x.Close()
	}
	s.m.Close()
	p.drop(s.root)
}

// index opens the index, once.
func (s *shared) index(opt *Options) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.x != nil {
		return nil
	}
	root := s.m
	if s.root != nil {
		root = s.root.m
	}
	s.m.CleanTmp(time.Now()) // what appends that were cut off have left; the next one tries again
	x, err := index.Open(s.m, index.Options{Root: root, Wait: opt.Wait, Background: opt.Background})
	if err != nil {
		return err
	}
	s.x = x
	return nil
}
