// SPDX-License-Identifier: ISC

package folders

import (
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
	root *shared // nil: it is the root
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
	s.refs++
	return s, nil
}

// again is one more reference to s.
func (p *Pool) again(s *shared) *shared {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.refs++
	return s
}

// drop gives a reference back; with the last one the mailbox is closed.
func (p *Pool) drop(s *shared) {
	for s != nil {
		p.mu.Lock()
		s.refs--
		last := s.refs == 0
		if last {
			delete(p.open, s.at)
		}
		p.mu.Unlock()
		if !last {
			return
		}
		if s.x != nil {
			s.x.Close()
		}
		s.m.Close()
		s = s.root
	}
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
