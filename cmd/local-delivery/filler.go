// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/digest"
	"quill/maildir"
	"quill/maildir/index"
)

const (
	fillQueue  = 256                   // messages that wait for their index; one more is left to a session
	fillOpen   = 4                     // indexes that stay open
	fillIdle   = 30 * time.Second      // as long as nothing comes
	fillEnd    = 2 * time.Second       // at the end, for what still waits
	fillWait   = 50 * time.Millisecond // for the lock of an index
	digestMost = 8 << 20               // bytes of a message that gets a digest
)

// filler tells the indexes of Maildirs of what was delivered, after that was
// reported, so that a session need not look (maildir-index(5)). What it cannot
// do, the next session does: nobody waits for it, and its failures are nobody's.
type filler struct {
	queue chan *delivered
	stop  chan struct{}
	done  chan struct{}
	open  []*filled // the one used last comes first
}

// delivered is a message in new/.
type delivered struct {
	m    *maildir.Maildir // the filler's to close
	name string
}

// filled is an open index.
type filled struct {
	box folder
	m   *maildir.Maildir
	x   *index.Index
}

func newFiller() *filler {
	f := &filler{queue: make(chan *delivered, fillQueue), stop: make(chan struct{}), done: make(chan struct{})}
	go f.run()
	return f
}

// end lets the filler finish what it has, for a moment.
func (f *filler) end() {
	if f == nil {
		return
	}
	close(f.stop)
	select {
	case <-f.done:
	case <-time.After(fillEnd):
	}
}

// take takes over m, where it has an index, and tells whether it has.
func (f *filler) take(m *maildir.Maildir, name string) bool {
	if f == nil || !index.Exists(m) {
		return false
	}
	select {
	case f.queue <- &delivered{m, name}:
		return true
	default:
		return false
	}
}

func (f *filler) run() {
	defer close(f.done)
	idle := time.NewTimer(fillIdle)
	for {
		select {
		case d := <-f.queue:
			f.handle(d)
			idle.Reset(fillIdle)
		case <-idle.C:
			f.keep(0)
		case <-f.stop:
			for len(f.queue) > 0 {
				f.handle(<-f.queue)
			}
			f.keep(0)
			return
		}
	}
}

func (f *filler) handle(d *delivered) {
	for box, some := range f.boxes(d) {
		f.guarded(box, some)
	}
}

// folder names a mailbox.
type folder struct{ dev, ino uint64 }

// boxes is this message and those that wait behind it, by mailbox: they share
// the syncs of its index.
func (f *filler) boxes(d *delivered) map[folder][]*delivered {
	all := make(map[folder][]*delivered)
	for n := len(f.queue); ; n-- {
		var st unix.Stat_t
		if unix.Fstat(d.m.Fd(), &st) == nil {
			at := folder{uint64(st.Dev), st.Ino}
			all[at] = append(all[at], d)
		} else {
			d.m.Close()
		}
		if n <= 0 {
			return all
		}
		d = <-f.queue
	}
}

// guarded: what goes wrong with one mailbox must not take the others along.
func (f *filler) guarded(box folder, some []*delivered) {
	defer func() {
		if p := recover(); p != nil {
			complain("index of %s: panic: %v", some[0].m.Path(), p)
			f.open = nil // in an unknown state
		}
	}()
	f.fill(box, some)
}

// fill takes messages of one mailbox in.
func (f *filler) fill(box folder, some []*delivered) {
	list := make([]index.Adoption, len(some))
	for i, d := range some {
		list[i].Name = d.name
		list[i].Digest, _ = digestOf(d.m, d.name) // else a session makes it
	}
	i := slices.IndexFunc(f.open, func(o *filled) bool { return o.box == box })
	if i < 0 {
		if x, err := index.Open(some[0].m, index.Options{Wait: fillWait, Deliver: true}); err == nil {
			f.open = append(f.open, &filled{box, some[0].m, x})
			i, some = len(f.open)-1, some[1:]
		}
	}
	for _, d := range some {
		d.m.Close()
	}
	if i < 0 {
		return
	}
	o := f.open[i]
	f.open = slices.Insert(slices.Delete(f.open, i, i+1), 0, o)
	o.x.AdoptAll(list) // else a session does
	f.keep(fillOpen)
}

// keep closes the indexes but for so many.
func (f *filler) keep(n int) {
	for len(f.open) > n {
		o := f.open[len(f.open)-1]
		f.open = f.open[:len(f.open)-1]
		o.x.Close()
		o.m.Close()
	}
}

// digestOf makes the digest of a message that was just delivered.
func digestOf(m *maildir.Maildir, name string) ([]byte, error) {
	file, err := m.Open(maildir.Message{Name: name, New: true})
	if err != nil {
		return nil, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > digestMost {
		return nil, fmt.Errorf("%w: %d bytes", os.ErrInvalid, st.Size())
	}
	return digest.Make(file, st.Size())
}
