// SPDX-License-Identifier: ISC

package imapsession

import (
	"strings"
	"testing"
	"time"

	"quill/internal/mailbox/mailboxtest"
)

// TestEnding: when the process ends, sessions that wait for a command or in IDLE
// say BYE at once, and so does one that comes.
func TestEnding(t *testing.T) {
	var e Ending
	mail := mailboxtest.New()
	begin := func(say, until string) *client {
		c := dialWith(t, Options{Tag: "login", Account: mail.Account(), Ending: &e})
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
		for line := ""; !strings.HasPrefix(line, until); {
			var err error
			if line, err = c.r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	waiting, idle := begin("a SELECT INBOX\r\n", "a OK"), begin("a SELECT INBOX\r\nb IDLE\r\n", "+ ")
	e.Begin()
	late := dialWith(t, Options{Tag: "login", Account: mail.Account(), Ending: &e})
	t.Cleanup(func() { late.Close() })
	late.expect(t, "late", "login OK [CAPABILITY "+Capabilities+"] logged in")
	for name, c := range map[string]*client{"waiting": waiting, "idle": idle, "late": late} {
		c.expect(t, name, "* BYE the server is going down, please connect again")
		<-c.done
	}
	if len(e.conns) != 0 {
		t.Errorf("%d connections are kept", len(e.conns))
	}
}
