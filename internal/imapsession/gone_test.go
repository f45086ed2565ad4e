// SPDX-License-Identifier: ISC

package imapsession

import (
	"errors"
	"strings"
	"testing"
	"time"

	"quill/internal/mailbox/mailboxtest"
)

// left is a client that has sent commands and is gone.
type left struct{ *strings.Reader }

var errLeft = errors.New("client is gone")

func (left) Write([]byte) (int, error)        { return 0, errLeft }
func (left) SetReadDeadline(time.Time) error  { return nil }
func (left) SetWriteDeadline(time.Time) error { return nil }

// TestGone: for a client that is gone no more messages are read, be they of one
// command or of those that it has sent as well.
func TestGone(t *testing.T) {
	mail := mailboxtest.New()
	for range 100 {
		mail.Deliver("INBOX", mailboxtest.Message{Text: "a: b\n\n" + strings.Repeat("line\n", 4<<10)})
	}
	for _, commands := range []string{
		"f FETCH 1:* BODY.PEEK[]\r\n",
		strings.Repeat("f FETCH 1:5 BODY.PEEK[]\r\n", 20),
		strings.Repeat("f SEARCH BODY nothing\r\n", 20),
	} {
		before := mail.Opened()
		sent := []byte("s SELECT INBOX\r\n" + commands)
		err := Serve(left{strings.NewReader("")}, sent, Options{User: "test", Account: mail.Account()})
		if !errors.Is(err, errLeft) {
			t.Errorf("%.20q: the session ended with %v; want %v", commands, err, errLeft)
		}
		if n := mail.Opened() - before; n > 10 {
			t.Errorf("%.20q: %d messages were read for nobody; want at most 10", commands, n)
		}
	}
}
