// SPDX-License-Identifier: ISC

package maildir

import "sync"

// inode names a folder, whatever path leads to it.
type inode struct{ dev, ino uint64 }

// syncs shares the syncs of folders among deliveries that arrive together: one
// fsync answers all who published before it began. The zero value is ready.
type syncs struct {
	mu   sync.Mutex
	dirs map[inode]*turn
}

// turn is what one folder is about: the batch that is being synced, and the one
// that gathers meanwhile. users counts who waits in either.
type turn struct {
	running, next *batch
	users         int
}

// batch is one fsync and those who wait for it.
type batch struct {
	done chan struct{} // closed after err is set
	err  error
}

// sync returns when an fsync of folder dir, which began after the call, has
// ended, and what it met. The first of a batch does it, with its own fsync
// function, when the one before is done; the rest wait.
func (s *syncs) sync(dir inode, fsync func() error) error {
	s.mu.Lock()
	t := s.join(dir)
	defer s.leave(dir, t)
	if b := t.next; b != nil {
		s.mu.Unlock()
		<-b.done
		return b.err
	}
	b, before := &batch{done: make(chan struct{})}, t.running
	t.next = b
	s.mu.Unlock()
	if before != nil {
		<-before.done
	}
	s.mu.Lock()
	t.running, t.next = b, nil // who comes now may have published too late
	s.mu.Unlock()
	b.err = fsync()
	close(b.done)
	return b.err
}

// join is under the lock.
func (s *syncs) join(dir inode) *turn {
	if s.dirs == nil {
		s.dirs = make(map[inode]*turn)
	}
	t := s.dirs[dir]
	if t == nil {
		t = &turn{}
		s.dirs[dir] = t
	}
	t.users++
	return t
}

func (s *syncs) leave(dir inode, t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(s.dirs, dir)
	}
}
