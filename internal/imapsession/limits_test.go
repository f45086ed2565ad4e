// SPDX-License-Identifier: ISC

package imapsession

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"

	"quill/internal/mailbox/mailboxtest"
)

// TestBodyTime: a message whose bytes come slowly is waited for, one whose bytes
// stop is not, and is never there.
func TestBodyTime(t *testing.T) {
	mail := mailboxtest.New()
	s, done := piped(mail, &times{idle: time.Minute, reply: time.Minute, body: 2 * time.Second, alive: time.Minute, poll: time.Minute, quiet: 100 * time.Millisecond})
	defer s.Close()
	c := &client{Conn: s, r: bufio.NewReader(s)}
	c.ask(t, "", "login OK")
	if _, err := c.Write([]byte("a APPEND INBOX {6+}\r\n")); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		time.Sleep(400 * time.Millisecond) // together more than is waited for once
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatalf("a slow message: %v", err)
		}
	}
	if got := c.ask(t, "\r\n", "a "); !strings.HasPrefix(got[len(got)-1], "a OK") {
		t.Errorf("a slow message: %q; want OK", got)
	}
	begun := time.Now()
	c.ask(t, "b APPEND INBOX {6+}\r\nabc", "b ")
	if err := <-done; !isTimeout(err) || time.Since(begun) < time.Second {
		t.Errorf("a message that stops ended the session with %v after %v; want a time-out", err, time.Since(begun))
	}
	if n := messages(t, mail); n != 1 {
		t.Errorf("%d messages are there; want the slow one", n)
	}
}

// TestLiterals: literals of a command hold 64 KiB together.
func TestLiterals(t *testing.T) {
	const most = 64 << 10
	for _, c := range []struct {
		a, b int
		want string
	}{{most - 1, 1, "a OK"}, {most, 1, "a BAD [TOOBIG]"}, {most + 1, 0, "a BAD [TOOBIG]"}} {
		s := dial(t, mailboxtest.New())
		s.ask(t, "", "login OK")
		s.ask(t, "s SELECT INBOX\r\n", "s OK")
		send := fmt.Sprintf("a SEARCH TEXT {%d+}\r\n%s TEXT {%d+}\r\n%s\r\n", c.a, strings.Repeat("x", c.a), c.b, strings.Repeat("y", c.b))
		if got := s.ask(t, send, "a "); !strings.HasPrefix(got[len(got)-1], c.want) {
			t.Errorf("literals of %d and %d: %.80q; want %s", c.a, c.b, got, c.want)
		}
		if got := s.ask(t, "end NOOP\r\n", "end "); got[len(got)-1] != "end OK done" {
			t.Errorf("literals of %d and %d: then %.80q; want OK", c.a, c.b, got)
		}
		s.Close()
		<-s.done
	}
}
