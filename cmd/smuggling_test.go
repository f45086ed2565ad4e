// SPDX-License-Identifier: ISC

package cmd

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// endings are the byte sequences that some server somewhere has taken for the
// end of a message (SMTP smuggling, CVE-2023-51764 and its kin), and whether
// they are one: only CRLF.CRLF is, and even then a bare CR makes the message
// unacceptable.
var endings = []struct {
	name, seq string
	end       bool // a true end is in it
}{
	{"SM1", "\n.\n", false},
	{"SM2", "\n.\r\n", false},
	{"SM3", "\r\n.\n", false},
	{"SM4", "\r.\r", false},
	{"SM5a", "\r.\n", false},
	{"SM5b", "\n.\r", false},
	{"SM6", "\r.\r\n", false},
	{"SM7", "\r\n.\rtext", false},
	{"SM8a", "\r\n\x00.\r\n", false},
	{"SM8b", "\r\n.\x00\r\n", false},
	{"SM9a", "\r\n.\r\r\n", false},
	{"SM9b", "\r\r\n.\r\r\n", false},
	{"SM10", "\r\r\n.\r\n", true},
}

// smuggled is what follows: a second message, if the sequence ended the first.
const smuggled = "MAIL FROM:<evil@x.example>\r\nRCPT TO:<sendmemail@testingsmtp.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi\r\n.\r\nQUIT\r\n"

// TestSmuggling sends every sequence in both shapes, in one piece and split
// after every byte of the data, and counts the files in the Maildir: none, for
// each first message is refused and no second one exists.
func TestSmuggling(t *testing.T) {
	shapes(t, func(t *testing.T, l *lab) {
		var wg sync.WaitGroup
		var sessions atomic.Int64
		slots := make(chan bool, 20)
		for _, e := range endings {
			data := "Subject: a\r\n\r\nBODY" + e.seq + smuggled
			for cut := 0; cut <= len("Subject: a\r\n\r\nBODY")+len(e.seq)+4; cut++ {
				wg.Add(1)
				slots <- true
				go func() {
					defer func() { <-slots; wg.Done() }()
					sessions.Add(1)
					smuggle(t, l.env["SMTP"], e.name, data, cut)
				}()
			}
		}
		wg.Wait()
		l.send(t, netwatcher, "Subject: last\n\nx", sendmemail)
		l.await("sendmemail", 1)
		time.Sleep(100 * time.Millisecond)
		if n := len(l.mails("sendmemail")); n != 1 {
			t.Errorf("%d mails after %d smuggling sessions and one honest mail; want 1", n, sessions.Load())
		}
	})
}

// smuggle plays one session whose data is split at cut, and checks that the
// first message got 550 5.6.0 and the connection closed after it.
func smuggle(t *testing.T, addr, name, data string, cut int) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	d := &quietTalk{Conn: c}
	d.until("220 ")
	for _, line := range []string{"EHLO laptop.testingsmtp.org", "MAIL FROM:<netwatcher@testingsmtp.org>", "RCPT TO:<sendmemail@testingsmtp.org>", "DATA"} {
		fmt.Fprintf(c, "%s\r\n", line)
		d.until("")
	}
	io.WriteString(c, data[:cut])
	if cut > 0 {
		time.Sleep(time.Millisecond)
	}
	io.WriteString(c, data[cut:])
	rest, _ := io.ReadAll(c)
	got := string(rest)
	if !strings.HasPrefix(got, "550 5.6.0") {
		t.Errorf("%s split at %d: first answer %q; want 550 5.6.0", name, cut, got)
	}
	if strings.Contains(got, "\n250") || strings.Contains(got, "\n354") {
		t.Errorf("%s split at %d: what followed was answered: %q", name, cut, got)
	}
}

// quietTalk reads replies without a test to fail: it is used by many at once.
type quietTalk struct{ net.Conn }

// until reads one reply, byte by byte so that nothing beyond it is taken.
func (c *quietTalk) until(string) {
	line := make([]byte, 0, 128)
	one := make([]byte, 1)
	for {
		if _, err := c.Read(one); err != nil {
			return
		}
		line = append(line, one[0])
		if one[0] == '\n' {
			if len(line) > 3 && line[3] == '-' {
				line = line[:0]
				continue
			}
			return
		}
	}
}

// TestRelayMatrix is the open-relay table without AUTH: 2 × 7 × 3 cells. What a
// client may have relayed does not depend on the sender it claims.
func TestRelayMatrix(t *testing.T) {
	recipients := []struct{ name, to, closed, relay string }{
		{"local", "<sendmemail@testingsmtp.org>", "250 2.1.5", "250 2.1.5"},
		{"remote", "<u@elsewhere.example>", "550 5.7.1", "250 2.1.5"},
		{"literal", "<sendmemail@[127.0.0.206]>", "550 5.1.2", "550 5.1.2"},
		{"routed", "<@testingsmtp.org:u@elsewhere.example>", "550 5.7.1", "250 2.1.5"},
		{"quoted", `<"u@elsewhere.example"@testingsmtp.org>`, "550 5.1.1", "550 5.1.1"},
		{"empty domain", "<u@>", "501 5.1.3", "501 5.1.3"},
		{"no domain", "<u>", "501 5.1.3", "501 5.1.3"},
	}
	senders := []string{"<>", "<netwatcher@testingsmtp.org>", "<someone@elsewhere.example>"}
	shapes(t, func(t *testing.T, l *lab) {
		cells := 0
		for _, relay := range []bool{false, true} {
			l.allowRelay(t, relay)
			for _, r := range recipients {
				for _, from := range senders {
					cells++
					want := r.closed
					if relay {
						want = r.relay
					}
					c := l.dial(t, "SMTP")
					c.hear()
					c.want("EHLO laptop.testingsmtp.org", "250")
					c.want("MAIL FROM:"+from, "250 2.1.0")
					if got := c.say("RCPT TO:" + r.to); !strings.HasPrefix(got, want) {
						t.Errorf("relay %v, MAIL %s, %s RCPT %s -> %q; want %s", relay, from, r.name, r.to, got, want)
					}
					c.Close()
				}
			}
		}
		if cells != 42 {
			t.Errorf("%d cells; want 42", cells)
		}
	})
}

// allowRelay sets the lab's rules for its clients: RELAYCLIENT or not.
func (l *lab) allowRelay(t *testing.T, yes bool) {
	t.Helper()
	rules := ":allow\n"
	if yes {
		rules = ":allow,RELAYCLIENT=\"\"\n"
	}
	cdb := filepath.Join(l.dir, "tcp/smtp.cdb")
	run(t, rules, program("tcprules"), cdb, cdb+".tmp")
	if err := os.Chmod(cdb, 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
}
