// SPDX-License-Identifier: ISC

package imapsession

import (
	"testing"

	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
)

// mined is an account whose mailboxes blow up when a message is opened, and tell
// who has closed them.
type mined struct {
	mailbox.Account
	closed *int
}

func (m mined) Open(name string, readOnly bool) (mailbox.Mailbox, error) {
	b, err := m.Account.Open(name, readOnly)
	return minedBox{b, m.closed}, err
}

type minedBox struct {
	mailbox.Mailbox
	closed *int
}

func (minedBox) Open(int) (mailbox.Content, error) { panic("a bug") }

func (b minedBox) Close() error {
	*b.closed++
	return b.Mailbox.Close()
}

// TestPanic: a session that a bug ends gives its mailbox back, and is none of
// those that wait for the process's end.
func TestPanic(t *testing.T) {
	mail := mailboxtest.New()
	mail.Deliver("INBOX", mailboxtest.Message{Text: "a: b\n\ntext\n"})
	var closed int
	var ending Ending
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
		}()
		Serve(newDeaf("s SELECT INBOX\r\nf FETCH 1 BODY[]\r\n"), nil, Options{Account: mined{mail.Account(), &closed}, Ending: &ending})
	}()
	if closed != 1 || len(ending.conns) != 0 {
		t.Errorf("the mailbox was closed %d times, %d sessions are left; want once and none", closed, len(ending.conns))
	}
	if messages(t, mail) != 1 {
		t.Error("the mail is not what it was")
	}
}
