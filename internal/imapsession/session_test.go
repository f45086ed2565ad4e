// SPDX-License-Identifier: ISC

package imapsession

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"quill/internal/mailbox/mailboxtest"
)

// A transcript is a file in testdata: lines "C: …" are what a client sends, "S:
// …" what it must get, in order and completely before the next C. Lines of C that
// follow each other go out in one packet; "c: …" is sent without the end of a
// line. "C1:", "S1:" and so on are of other sessions on the same mail. What stands
// between « and » is bytes in hexadecimal where it is sent («78*4097»: so often)
// and a regular expression where it is expected; "S: (end)" expects the connection's end. Lines
// that begin with "#" are comments; "!" does something to the mail, see deeds.

// line is one of a transcript's.
type line struct {
	no   int
	who  int
	sent bool
	deed bool
	open bool // no CRLF follows
	text string
}

func readTranscript(t testing.TB, path string) (lines []line) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		l := line{no: i + 1}
		switch {
		case text == "" || text[0] == '#':
			continue
		case text[0] == '!':
			l.deed, l.text = true, strings.TrimSpace(text[1:])
		default:
			who, rest, ok := strings.Cut(text, ": ")
			if !ok {
				who, rest, ok = strings.Cut(text, ":")
			}
			if !ok || !strings.Contains("CcS", who[:1]) {
				t.Fatalf("%s:%d: not a line of a transcript: %q", path, i+1, text)
			}
			l.sent, l.open, l.text = who[0] != 'S', who[0] == 'c', rest
			if len(who) > 1 {
				l.who = int(who[1] - '0')
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// client is a session under test and the other end of its connection.
type client struct {
	net.Conn
	r    *bufio.Reader
	done chan error
}

func dial(t *testing.T, mail *mailboxtest.Mail) *client {
	t.Helper()
	return dialWith(t, Options{Tag: "login", User: "test", Account: mail.Account()})
}

func dialWith(t *testing.T, o Options) *client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	here, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := &client{Conn: here, r: bufio.NewReader(here), done: make(chan error, 1)}
	go func() {
		err := Serve(there, nil, o)
		there.Close()
		c.done <- err
	}()
	return c
}

// expect reads a line and compares.
func (c *client) expect(t *testing.T, where, want string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	got, err := c.r.ReadString('\n')
	if want == "(end)" && got == "" && errors.Is(err, io.EOF) {
		return
	}
	if err != nil {
		t.Fatalf("%s: got %q and %v; want %q", where, got, err, want)
	}
	if !strings.HasSuffix(got, "\r\n") && !strings.Contains(want, "«") {
		t.Errorf("%s: line %q does not end in CRLF", where, got)
	}
	if got = strings.TrimRight(got, "\r\n"); !pattern(want).MatchString(got) {
		t.Fatalf("%s:\n got %s\nwant %s", where, got, want)
	}
}

// bytesOf is what a line of C sends.
func bytesOf(t *testing.T, where string, l line) string {
	t.Helper()
	var b strings.Builder
	for i, part := range strings.Split(l.text, "«") {
		if i > 0 {
			code, rest, _ := strings.Cut(part, "»")
			code, times, many := strings.Cut(code, "*")
			n := 1
			raw, err := hex.DecodeString(code)
			if many && err == nil {
				n, err = strconv.Atoi(times)
			}
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			b.WriteString(strings.Repeat(string(raw), n))
			part = rest
		}
		b.WriteString(part)
	}
	if !l.open {
		b.WriteString("\r\n")
	}
	return b.String()
}

func pattern(want string) *regexp.Regexp {
	var b strings.Builder
	for i, part := range strings.Split(want, "«") {
		if i == 0 {
			b.WriteString(regexp.QuoteMeta(part))
			continue
		}
		re, rest, _ := strings.Cut(part, "»")
		b.WriteString("(?:" + re + ")" + regexp.QuoteMeta(rest))
	}
	return regexp.MustCompile("^" + b.String() + "$")
}

// play plays a transcript against sessions on this mail.
func play(t *testing.T, path string, mail *mailboxtest.Mail) {
	clients := map[int]*client{}
	defer func() {
		for who, c := range clients {
			if n := c.r.Buffered(); n > 0 && !t.Failed() {
				b, _ := c.r.Peek(n)
				t.Errorf("%s: session %d got more than the transcript says: %q", path, who, b)
			}
			c.Close()
			<-c.done
		}
	}()
	lines := readTranscript(t, path)
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		where := fmt.Sprintf("%s:%d", filepath.Base(path), l.no)
		if l.deed {
			deed(t, where, mail, l.text)
			continue
		}
		c := clients[l.who]
		if c == nil {
			c = dial(t, mail)
			clients[l.who] = c
			c.expect(t, where, "login OK [CAPABILITY "+Capabilities+"] logged in")
		}
		if !l.sent {
			c.expect(t, where, l.text)
			continue
		}
		text := bytesOf(t, where, l)
		for ; i+1 < len(lines) && lines[i+1].sent && lines[i+1].who == l.who; i++ {
			text += bytesOf(t, where, lines[i+1])
		}
		c.SetWriteDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
	}
}

// deed does something to the mail that no session does: "deliver MAILBOX FILE
// [N]" puts a message of testdata there, N times, "forget MAILBOX" has expunges
// forgotten, "lose MAILBOX UID" loses a message's content, "shut MAILBOX UID" has it be
// unreadable, "limit N" sets the size of a message that is taken.
func deed(t *testing.T, where string, mail *mailboxtest.Mail, text string) {
	t.Helper()
	words := strings.Fields(text)
	n := 1
	if len(words) > 1 {
		if last, err := strconv.Atoi(words[len(words)-1]); err == nil {
			n, words = last, words[:len(words)-1]
		}
	}
	switch {
	case len(words) == 3 && words[0] == "deliver":
		b, err := os.ReadFile(filepath.Join("testdata", words[2]))
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		for range n {
			mail.Deliver(words[1], mailboxtest.Message{Text: string(b), Date: time.Date(1996, 7, 17, 2, 44, 25, 0, time.UTC)})
		}
	case len(words) == 2 && words[0] == "forget":
		mail.Forget(words[1])
	case len(words) == 2 && words[0] == "lose":
		mail.Lose(words[1], uint32(n))
	case len(words) == 2 && words[0] == "shut":
		mail.Shut(words[1], uint32(n))
	case len(words) == 1 && words[0] == "limit":
		mail.Limit = int64(n)
	default:
		t.Fatalf("%s: no such deed: %s", where, text)
	}
}

// TestMain has dates in transcripts be of one zone.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	m.Run()
}

// TestTranscripts plays each file of testdata on mail of its own.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			play(t, path, mailboxtest.New())
		})
	}
}
