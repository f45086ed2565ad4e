// SPDX-License-Identifier: ISC

// Package folders keeps a user's Maildir++: INBOX is the root Maildir, other
// mailboxes are folders ".A.B" in it, with names as Dovecot and Courier write
// them. It promises that nothing outside the root is opened or changed, by no
// name and no link; that a mailbox which was created, renamed or deleted, and
// messages appended, copied or moved, are so on disk when a call returns; and
// that a crash at any point leaves each of these done, not begun, or to be
// ended by the next caller, with no message lost and none shown in part; of
// several messages that were to come at once, some may be there then.
//
// Names of mailboxes are UTF-8 with '.' between the levels.
package folders

import (
	"cmp"
	"errors"
	"time"

	"quill/maildir"
)

// Limits.
const (
	LevelsMax     = 32       // of a name
	dirNameMax    = 255      // bytes of a folder's name on disk
	FoldersMax    = 10_000   // of an account, beyond which none is created
	AppendMax     = 1000     // messages of one Append
	subscribedMax = 10_000   // names subscribed to
	fileMax       = 16 << 20 // bytes of a file of ours that is read
)

// What a caller can do something about.
var (
	ErrNone   = errors.New("no such mailbox")
	ErrExists = errors.New("mailbox exists already")
	ErrName   = errors.New("not a name that a mailbox can have")
	ErrLevel  = errors.New("only a level above other mailboxes")
	ErrUse    = errors.New("not a special use that is known here, or taken")
	ErrMany   = errors.New("too many")
	ErrBusy   = maildir.ErrLocked
)

// Options of Open. Encode and Decode are modified UTF-7 (RFC 3501 §5.1.3);
// Decode takes only what Encode writes.
type Options struct {
	Encode func(string) string
	Decode func(string) (string, bool)
	Pool   *Pool         // of the boxes open in this process; nil: the account's own
	Wait   time.Duration // at most for a lock; 0: 10 s

	// Background is index.Options.Background of boxes that are opened.
	Background bool
}

// Account is a user's folders. Its methods may be called from several
// goroutines, but for Close.
type Account struct {
	opt  Options
	root *shared
}

// Open takes over root, the Maildir that is INBOX, and closes it with the
// account.
func Open(root *maildir.Maildir, opt Options) (*Account, error) {
	opt.Wait = cmp.Or(opt.Wait, 10*time.Second)
	if opt.Pool == nil {
		opt.Pool = NewPool("")
	}
	s, err := opt.Pool.take(root, nil)
	if err != nil {
		return nil, err
	}
	a := &Account{opt: opt, root: s}
	if err := a.settle(); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Close gives the account's descriptors back; its boxes stay open.
func (a *Account) Close() error {
	a.opt.Pool.drop(a.root)
	return nil
}

// dir is the descriptor of the root, opened as a path.
func (a *Account) dir() int { return a.root.m.Fd() }
