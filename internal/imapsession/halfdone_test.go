// SPDX-License-Identifier: ISC

package imapsession

import (
	"bufio"
	"testing"
	"time"

	"quill/internal/mailbox/mailboxtest"
)

// TestHalfDone: what happens to the mailbox while a client's DONE comes in pieces
// does not end the session.
func TestHalfDone(t *testing.T) {
	mail := mailboxtest.New()
	s, done := piped(mail, &times{idle: time.Minute, reply: time.Minute, body: time.Minute, alive: time.Minute, poll: time.Minute, quiet: 30 * time.Second})
	defer s.Close()
	c := &client{Conn: s, r: bufio.NewReader(s)}
	c.ask(t, "", "login OK")
	c.ask(t, "s SELECT INBOX\r\n", "s OK")
	c.ask(t, "i IDLE\r\n", "+ idling")
	if _, err := c.Write([]byte("DO")); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		time.Sleep(50 * time.Millisecond) // so that the session waits for the rest
		mail.Deliver("INBOX", mailboxtest.Message{Text: "a: b\n\ntext\n"})
	}
	time.Sleep(50 * time.Millisecond)
	select {
	case err := <-done:
		t.Fatalf("the session ended: %v", err)
	default:
	}
	got := c.ask(t, "NE\r\n", "i OK")
	if len(got) == 0 || got[len(got)-1] != "i OK done" {
		t.Errorf("after DONE in two pieces: %q; want OK", got)
	}
}
