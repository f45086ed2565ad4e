// SPDX-License-Identifier: ISC

package imapsession

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
)

// broken is an account that says err where a mailbox is made, and whose mailboxes
// say err when they are to look for news.
type broken struct {
	mailbox.Account
	err *atomic.Pointer[error]
}

func (b broken) trouble() error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (b broken) Create(string, []string) error { return b.trouble() }

func (b broken) Open(name string, readOnly bool) (mailbox.Mailbox, error) {
	m, err := b.Account.Open(name, readOnly)
	return stuck{m, b}, err
}

type stuck struct {
	mailbox.Mailbox
	broken
}

func (s stuck) Open(seq int) (mailbox.Content, error) { return s.Mailbox.Open(seq) }

func (s stuck) Sync() error {
	if err := s.trouble(); err != nil {
		return err
	}
	return s.Mailbox.Sync()
}

// run sends commands at once and gives what comes, line by line, and what was
// noted.
func (b broken) run(t *testing.T, send string) (lines, notes []string) {
	t.Helper()
	s := &script{in: strings.NewReader(send)}
	if err := Serve(s, nil, Options{Tag: "login", User: "test", Account: b, Note: func(event string) { notes = append(notes, event) }}); err != nil {
		t.Errorf("%q ended with %v", send, err)
	}
	return strings.Split(strings.TrimSuffix(s.out.String(), "\r\n"), "\r\n"), notes
}

// TestRefusals: each error of an account has its response code, and what is not
// the client's business is noted.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		err   error
		code  string
		noted bool
	}{
		{mailbox.ErrNoMailbox, "NONEXISTENT", false}, {mailbox.ErrNotOpen, "NONEXISTENT", false}, {mailbox.ErrExists, "ALREADYEXISTS", false},
		{mailbox.ErrName, "CANNOT", false}, {mailbox.ErrChildren, "HASCHILDREN", false}, {mailbox.ErrUse, "USEATTR", false},
		{mailbox.ErrKeywords, "LIMIT", false}, {mailbox.ErrQuota, "OVERQUOTA", false}, {mailbox.ErrBusy, "INUSE", false},
		{errors.New("disk on fire"), "UNAVAILABLE", true}, {fmt.Errorf("create x: %w", mailbox.ErrQuota), "OVERQUOTA", false},
	} {
		b := broken{mailboxtest.New().Account(), &atomic.Pointer[error]{}}
		b.err.Store(&c.err)
		lines, notes := b.run(t, "a CREATE x\r\nb NOOP\r\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[1], "a NO ["+c.code+"] ") || lines[2] != "b OK done" || len(notes) > 0 != c.noted {
			t.Errorf("%v: answers %q, notes %q; want NO [%s], noted: %v", c.err, lines, notes, c.code, c.noted)
		}
	}
}

// TestUntold: a command that was obeyed is OK though news could not be had; the
// client would do it again.
func TestUntold(t *testing.T) {
	mail := mailboxtest.New()
	b := broken{mail.Account(), &atomic.Pointer[error]{}}
	err := errors.New("disk on fire")
	b.err.Store(&err)
	lines, notes := b.run(t, "s SELECT INBOX\r\na APPEND INBOX {4+}\r\nx: y\r\nb CLOSE\r\n")
	if got := strings.Join(lines, "\n"); !strings.Contains(got, "\na OK [APPENDUID ") || !strings.Contains(got, "\nb NO [UNAVAILABLE]") || len(notes) == 0 {
		t.Errorf("answers %q, notes %q; want the APPEND OK, and notes", lines, notes)
	}
	if n := messages(t, mail); n != 1 {
		t.Errorf("%d messages; want 1", n)
	}
}

// vanishing is an account whose mailbox has just been deleted where its status is
// asked for.
type vanishing struct {
	mailbox.Account
	err error
}

func (v vanishing) Status(string, bool) (mailbox.Status, error) { return mailbox.Status{}, v.err }

// TestListStatusGone: what LIST has found and STATUS does not find is told as no
// mailbox (RFC 5819 §2); other trouble is the log's.
func TestListStatusGone(t *testing.T) {
	for _, c := range []struct {
		err   error
		want  string
		noted bool
	}{
		{mailbox.ErrNoMailbox, `* LIST (\NonExistent \HasNoChildren) "." INBOX`, false},
		{mailbox.ErrNotOpen, `* LIST (\NonExistent \HasNoChildren) "." INBOX`, false},
		{errors.New("disk on fire"), `* LIST (\HasNoChildren) "." INBOX`, true},
	} {
		b := broken{vanishing{mailboxtest.New().Account(), c.err}, &atomic.Pointer[error]{}}
		lines, notes := b.run(t, "a LIST \"\" % RETURN (STATUS (MESSAGES))\r\n")
		if len(lines) != 3 || lines[1] != c.want || lines[2] != "a OK done" || len(notes) > 0 != c.noted {
			t.Errorf("%v: answers %q, notes %q; want %s, noted: %v", c.err, lines, notes, c.want, c.noted)
		}
	}
}
