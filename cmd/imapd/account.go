// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/control"
	"quill/internal/imap"
	"quill/internal/imapsession"
	"quill/internal/inotify"
	"quill/internal/mailbox"
	"quill/internal/mailhome"
	"quill/internal/qmaillog"
	"quill/internal/smtp"
	"quill/maildir/folders"
	"quill/maildir/index"
)

// post is what all sessions of the process share.
type post struct {
	mailbox string // the program's argument
	limit   int64  // bytes of a message that is appended
	watcher *inotify.Watcher
	pool    *folders.Pool
	ending  imapsession.Ending
}

// messageLimit is that of smtpd(8), control/databytes, where it may be read.
func messageLimit(dir control.Dir) (int64, error) {
	n, err := dir.Size("databytes", smtp.Defaults().Size)
	if errors.Is(err, fs.ErrPermission) {
		err = nil // the home may not be ours to read
	}
	return n, err
}

// open opens the account of a session.
func (p *post) open(s *chain.Session) (*account, error) {
	m, err := mailhome.Open(s, p.mailbox)
	if err != nil {
		return nil, err
	}
	if err := mailhome.ConfineTo(prog, s, m); err != nil {
		m.Close()
		return nil, err
	}
	opt := folders.Options{Pool: p.pool, Background: true, Encode: func(name string) string { return imap.EncodeMailbox(name, false) }, Decode: imap.DecodeUTF7}
	f, err := folders.Open(m, opt)
	if err != nil {
		return nil, err
	}
	return &account{f: f, p: p}, nil
}

// account is a user's folders as a session knows them.
type account struct {
	f *folders.Account
	p *post
}

func (a *account) close() { a.f.Close() }

// known gives the errors that a session tells its client by a code.
func known(err error) error {
	if err == nil {
		return nil
	}
	for from, to := range map[error]error{
		folders.ErrNone: mailbox.ErrNoMailbox, folders.ErrLevel: mailbox.ErrNotOpen, folders.ErrExists: mailbox.ErrExists,
		folders.ErrName: mailbox.ErrName, folders.ErrUse: mailbox.ErrUse, folders.ErrBusy: mailbox.ErrBusy, index.ErrBusy: mailbox.ErrBusy,
		index.ErrKeywords: mailbox.ErrKeywords, index.ErrKeyword: mailbox.ErrKeywords,
		unix.EDQUOT: mailbox.ErrQuota, unix.ENOSPC: mailbox.ErrQuota,
	} {
		if errors.Is(err, from) {
			return fmt.Errorf("%w: %w", to, err)
		}
	}
	return err
}

// Folders implements mailbox.Account.
func (a *account) Folders() ([]mailbox.Folder, error) {
	list, err := a.f.List()
	if err != nil {
		return nil, known(err)
	}
	out := make([]mailbox.Folder, len(list))
	for i, f := range list {
		out[i] = mailbox.Folder{Name: f.Name, NoSelect: f.NoSelect, Children: f.Children, Use: f.Use}
	}
	return out, nil
}

// Subscribed implements mailbox.Account.
func (a *account) Subscribed() ([]string, error) {
	names, err := a.f.Subscribed()
	return names, known(err)
}

// Subscribe implements mailbox.Account.
func (a *account) Subscribe(name string, on bool) error { return known(a.f.Subscribe(name, on)) }

// Create implements mailbox.Account.
func (a *account) Create(name string, use []string) error { return known(a.f.Create(name, use)) }

// Delete implements mailbox.Account.
func (a *account) Delete(name string) error { return known(a.f.Delete(name)) }

// Rename implements mailbox.Account.
func (a *account) Rename(from, to string) error { return known(a.f.Rename(from, to)) }

// Status implements mailbox.Account.
func (a *account) Status(name string, size bool) (st mailbox.Status, err error) {
	b, err := a.f.Box(name)
	if err != nil {
		return st, known(err)
	}
	defer b.Close()
	if size {
		if err := errors.Join(b.Index().Sync(), b.Index().Measure()); err != nil {
			return st, known(err)
		}
	}
	v, err := b.Index().Show()
	if err != nil {
		return st, known(err)
	}
	defer v.Close()
	st = mailbox.Status{Messages: v.Len(), UIDNext: uint32(v.UIDNext()), UIDValidity: v.UIDValidity(), HighestModSeq: v.HighestModSeq(), AppendLimit: a.p.limit}
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.Message(seq)
		if size {
			st.Size += m.Wire
		}
		if m.New {
			st.Recent++
		}
		if m.Flags&index.Seen == 0 {
			st.Unseen++
		}
		if m.Flags&index.Deleted != 0 {
			st.Deleted++
		}
	}
	return st, nil
}

// AppendLimit implements mailbox.Account.
func (a *account) AppendLimit() int64 { return a.p.limit }

// Append implements mailbox.Account.
func (a *account) Append(name string) (mailbox.Appender, error) {
	p, err := a.f.NewAppend(name)
	if err != nil {
		return nil, known(err)
	}
	return appender{p}, nil
}

// appender is a folders.Append as a session knows it.
type appender struct{ *folders.Append }

// Add implements mailbox.Appender.
func (p appender) Add(m *mailbox.Appending, r io.Reader) error {
	return known(p.Append.Add(folders.New{Flags: index.Flags(m.Flags), Keywords: m.Keywords, Date: m.Date, Size: m.Size}, r))
}

// Commit implements mailbox.Appender.
func (p appender) Commit() (*mailbox.Copied, error) { return copied(p.Append.Commit()) }

// Open implements mailbox.Account.
func (a *account) Open(name string, _ bool) (mailbox.Mailbox, error) {
	b, err := a.f.Box(name)
	if err != nil {
		return nil, known(err)
	}
	v, err := b.Index().Show()
	if err != nil {
		b.Close()
		return nil, known(err)
	}
	return &box{a: a, name: name, b: b, x: b.Index(), v: v, d: v.Digests()}, nil
}

// escaped is text as a log line may have it, with its blanks.
func escaped(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		words[i] = qmaillog.Safe(w)
	}
	return strings.Join(words, " ")
}
