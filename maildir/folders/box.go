// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"quill/maildir"
	"quill/maildir/index"
)

// Box is an open mailbox. It stays the same one when its name changes.
type Box struct {
	p     *Pool
	s     *shared
	close sync.Once
}

// Box opens a mailbox: ErrNone, or ErrLevel where only others below it exist.
// What others have done is known up to now, or to the last Sync of the index by
// a session that shares it.
func (a *Account) Box(name string) (*Box, error) {
	name, err := a.canonical(name)
	if err != nil {
		return nil, err
	}
	if err := a.settle(); err != nil {
		return nil, err
	}
	return a.box(name)
}

func (a *Account) box(name string) (*Box, error) {
	s, err := a.take(name)
	if err != nil {
		return nil, err
	}
	if err := s.index(&a.opt); err != nil {
		a.opt.Pool.drop(s)
		return nil, err
	}
	return &Box{p: a.opt.Pool, s: s}, nil
}

// take opens the mailbox, but not its index.
func (a *Account) take(name string) (*shared, error) {
	if name == Inbox {
		return a.opt.Pool.again(a.root), nil
	}
	m, err := maildir.OpenFolder(a.dir(), a.dirName(name))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, a.missing(name)
	}
	if err != nil {
		return nil, err
	}
	return a.opt.Pool.take(m, a.root)
}

// missing is why a mailbox cannot be opened that is not there.
func (a *Account) missing(name string) error {
	names, err := a.names()
	if err != nil {
		return err
	}
	for _, other := range names {
		if strings.HasPrefix(other, name+".") {
			return fmt.Errorf("%w: %s", ErrLevel, name)
		}
	}
	return fmt.Errorf("%w: %s", ErrNone, name)
}

// Index and Maildir are the box's as long as it is open.
func (b *Box) Index() *index.Index       { return b.s.x }
func (b *Box) Maildir() *maildir.Maildir { return b.s.m }

// Close gives the box back, once.
func (b *Box) Close() error {
	b.close.Do(func() { b.p.drop(b.s) })
	return nil
}
