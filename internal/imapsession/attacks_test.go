// SPDX-License-Identifier: ISC

package imapsession

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
)

// The tests of this file are the attacks of spec/attacks.md §2.8 on a session.

// piped starts a session on one end of a pipe.
func piped(mail *mailboxtest.Mail, times *times) (c net.Conn, done chan error) {
	here, there := net.Pipe()
	done = make(chan error, 1)
	go func() {
		err := Serve(there, nil, Options{Tag: "login", User: "test", Account: mail.Account(), times: times})
		there.Close()
		done <- err
	}()
	return here, done
}

// ask sends bytes and gives all lines up to one that begins with last, or to the
// end.
func (c *client) ask(t *testing.T, send, last string) (lines []string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if send != "" {
		if _, err := c.Write([]byte(send)); err != nil {
			t.Fatal(err)
		}
	}
	for {
		line, err := c.r.ReadString('\n')
		if line != "" {
			lines = append(lines, strings.TrimRight(line, "\r\n"))
		}
		if err != nil || strings.HasPrefix(line, last) {
			return lines
		}
	}
}

// messages is how many the mailbox has.
func messages(t *testing.T, mail *mailboxtest.Mail) int {
	t.Helper()
	st, err := mail.Account().Status("INBOX", false)
	if err != nil {
		t.Fatal(err)
	}
	return st.Messages
}

// TestIM2: a message too large is refused before it is sent; one that comes in
// part, or with NUL, is never there.
func TestIM2(t *testing.T) {
	for _, c := range []struct{ send, want string }{
		{"a APPEND INBOX {4294967296}\r\n", "a NO [TOOBIG]"},
		{"a APPEND INBOX {99999999999999999999}\r\n", "a NO [TOOBIG]"},
		{"a APPEND INBOX ~{4294967296}\r\n", "a NO [TOOBIG]"},
		{"a APPEND INBOX {4294967296+}\r\n", "* BYE"},
		{"a APPEND INBOX {5+}\r\n\x00\x00\x00\x00\x00\r\n", "a NO"},
		{"a APPEND INBOX {5+}\r\nabcde {5+}\r\nab\x00de\r\n", "a NO"},
		{"a APPEND INBOX {5}\r\nabc", "+ go on"},
		{"a APPEND INBOX {5+}\r\nabcde {5}\r\nabc", "+ go on"},
	} {
		mail := mailboxtest.New()
		s := dial(t, mail)
		s.ask(t, "", "login OK")
		got := s.ask(t, c.send, c.want)
		if !strings.HasPrefix(got[len(got)-1], c.want) {
			t.Errorf("%q: got %q; want %q", c.send, got, c.want)
		}
		s.Close()
		<-s.done
		if n := messages(t, mail); n != 0 {
			t.Errorf("%q: %d messages are there; want none", c.send, n)
		}
	}
}

// TestIM8: what is no command is BAD, and never taken for a shorter one; too many
// of these end the session.
func TestIM8(t *testing.T) {
	for _, line := range []string{
		"a CREATE \"x\x00y\"", "a CREATE \"x\ry\"", "a CREATE \"x", "a CREATE \"x\\y\"", "a CREATE x\xffy", "a CREATE \"x\xff\"", "a CREATE \xc3\xbc",
		"+ NOOP", "* NOOP", "\"a\" NOOP", "a+b NOOP", strings.Repeat("t", 4096) + " NOOP", "a\x00 NOOP", " NOOP", "a  NOOP", "a NOOP ", "a NOOP\x00",
		"a CREATE {3+}\r\nx\x00y", "a CREATE {-1+}", "a CREATE {}", "a CREATE {1", "a LIST \"\" \"\x00*\"",
	} {
		mail := mailboxtest.New()
		s := dial(t, mail)
		s.ask(t, "", "login OK")
		got := s.ask(t, line+"\r\nend NOOP\r\n", "end OK")
		if len(got) != 2 || !strings.Contains(got[0], " BAD ") || got[1] != "end OK done" {
			t.Errorf("%.40q: got %.80q; want one BAD", line, got)
		}
		s.Close()
		<-s.done
		if f, err := mail.Account().Folders(); err != nil || len(f) != 1 {
			t.Errorf("%.40q made a mailbox: %v, %v", line, f, err)
		}
	}
	s := dial(t, mailboxtest.New())
	s.ask(t, "", "login OK")
	got := s.ask(t, strings.Repeat("x FROB\r\n", MaxErrors+10), "* BYE")
	if len(got) != MaxErrors+1 || !strings.HasPrefix(got[MaxErrors], "* BYE") {
		t.Errorf("%d commands that are BAD: %d answers, the last %q; want %d and a BYE", MaxErrors+10, len(got), got[len(got)-1], MaxErrors)
	}
	s.Close()
	if err := <-s.done; err == nil {
		t.Error("a session that was sent away gave no error")
	}
}

// TestIM9: a client that sends 10^5 commands and reads no answer is left after
// ReplyTime, and costs little memory until then.
func TestIM9(t *testing.T) {
	for _, command := range []string{"x NOOP\r\n", "x FETCH 1:* (FLAGS BODY.PEEK[])\r\n", "x STATUS INBOX (MESSAGES)\r\n"} {
		mail := mailboxtest.New()
		mail.Deliver("INBOX", mailboxtest.Message{Text: "a: b\n\n" + strings.Repeat("line\n", 1<<18)}, mailboxtest.Message{Text: "c: d\n\n"})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		c, done := piped(mail, &times{idle: time.Minute, reply: 300 * time.Millisecond, body: time.Minute, alive: time.Minute, poll: time.Minute, quiet: time.Minute})
		r := bufio.NewReader(c)
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		go func() {
			io.WriteString(c, "s SELECT INBOX\r\n")
			many := strings.Repeat(command, 100)
			for range 1000 {
				if _, err := io.WriteString(c, many); err != nil {
					return // we were left
				}
			}
		}()
		time.Sleep(200 * time.Millisecond)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 1<<20 {
			t.Errorf("%q: %d bytes held while nothing is read; want at most 1 MiB", command, used)
		}
		select {
		case err := <-done:
			if !isTimeout(err) {
				t.Errorf("%q: ended with %v; want a time-out", command, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%q: a client that reads nothing is never left", command)
		}
		c.Close()
	}
}

// TestIM11: sessions that say IDLE and never DONE end when their time is over, and
// cost little until then.
func TestIM11(t *testing.T) {
	const n, most = 5000, 16 << 10
	mail := mailboxtest.New()
	mail.Deliver("INBOX", mailboxtest.Message{Text: "a: b\n\ntext\n"})
	var ended atomic.Int32
	conns := make([]*deaf, n)
	for i := range conns {
		conns[i] = newDeaf("s SELECT INBOX\r\nf FETCH 1 (FLAGS ENVELOPE BODY.PEEK[])\r\ni IDLE\r\n")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done := make(chan error, n)
	for _, c := range conns {
		go func() {
			err := Serve(c, nil, Options{User: "test", Account: mail.Account(),
				times: &times{idle: time.Hour, reply: time.Minute, body: time.Minute, alive: time.Hour, poll: time.Hour, quiet: time.Hour}})
			ended.Add(1)
			done <- err
		}()
	}
	for _, c := range conns {
		<-c.waits
	}
	runtime.GC()
	runtime.GC() // stacks shrink
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)) / n
	t.Logf("%d bytes for an idle session, of which %d are stack", each, int64(after.StackInuse-before.StackInuse)/n)
	if each > most {
		t.Errorf("an idle session costs %d bytes; want at most %d", each, most)
	}
	if ended.Load() != 0 {
		t.Fatalf("%d sessions ended before their time", ended.Load())
	}
	for _, c := range conns {
		c.Close()
	}
	for range n {
		<-done
	}
	s, end := piped(mail, &times{idle: 2 * time.Second, reply: time.Minute, body: time.Minute, alive: 200 * time.Millisecond, poll: time.Minute, quiet: time.Minute})
	c := &client{Conn: s, r: bufio.NewReader(s)}
	c.ask(t, "", "login OK")
	c.ask(t, "s SELECT INBOX\r\n", "s OK")
	got := c.ask(t, "i IDLE\r\n", "* BYE")
	if len(got) < 3 || got[0] != "+ idling" || got[1] != "* OK still here" || got[len(got)-1] != "* BYE idle for too long" {
		t.Errorf("IDLE without DONE: %q; want a sign of life and BYE", got)
	}
	if err := <-end; err == nil {
		t.Error("a session that was idle for too long gave no error")
	}
}

// deaf is the connection of a client that sends something and then nothing.
type deaf struct {
	rest  string
	end   chan struct{}
	waits chan struct{}
}

func newDeaf(send string) *deaf {
	return &deaf{send, make(chan struct{}), make(chan struct{}, 1)}
}

func (d *deaf) Read(b []byte) (int, error) {
	if d.rest != "" {
		n := copy(b, d.rest)
		d.rest = d.rest[n:]
		return n, nil
	}
	d.waits <- struct{}{}
	<-d.end
	return 0, io.EOF
}

func (d *deaf) Write(b []byte) (int, error)      { return len(b), nil }
func (d *deaf) Close() error                     { close(d.end); return nil }
func (d *deaf) SetReadDeadline(time.Time) error  { return nil }
func (d *deaf) SetWriteDeadline(time.Time) error { return nil }

// TestIM11Poll: where the kernel has no more watches to give (inotify's ENOSPC),
// news is looked for.
func TestIM11Poll(t *testing.T) {
	mail := mailboxtest.New()
	here, there := net.Pipe()
	go Serve(there, nil, Options{User: "test", Account: blind{mail.Account()},
		times: &times{idle: time.Minute, reply: time.Minute, body: time.Minute, alive: time.Minute, poll: 20 * time.Millisecond, quiet: time.Minute}})
	c := &client{Conn: here, r: bufio.NewReader(here)}
	defer here.Close()
	c.ask(t, "", "* PREAUTH")
	c.ask(t, "s SELECT INBOX\r\n", "s OK")
	c.ask(t, "i IDLE\r\n", "+ idling")
	mail.Deliver("INBOX", mailboxtest.Message{Text: "a: b\n\n"})
	if got := c.ask(t, "", "* 1 EXISTS"); got[len(got)-1] != "* 1 EXISTS" {
		t.Errorf("without a watch: %q; want EXISTS", got)
	}
}

// blind is an account whose mailboxes cannot be watched.
type blind struct{ mailbox.Account }

func (b blind) Open(name string, readOnly bool) (mailbox.Mailbox, error) {
	m, err := b.Account.Open(name, readOnly)
	return unwatched{m}, err
}

type unwatched struct{ mailbox.Mailbox }

func (unwatched) Watch(func()) (func(), error) { return nil, fmt.Errorf("no space left on device") }

// TestIM13: lists without end are BAD, or more than the limit.
func TestIM13(t *testing.T) {
	for _, command := range []string{
		"ID (" + strings.TrimSpace(strings.Repeat(`"a" "b" `, 10000)) + ")",
		`ID ("a" "` + strings.Repeat("x", 60000) + `")`,
		"ENABLE" + strings.Repeat(" X", 10000),
		"NOTIFY SET" + strings.Repeat(" (selected MessageNew)", 2000),
		"SETMETADATA INBOX (" + strings.TrimSpace(strings.Repeat("/private/x NIL ", 3000)) + ")",
		"ENABLE " + strings.Repeat("X", 1<<20),
		"STATUS INBOX (" + strings.TrimSpace(strings.Repeat("MESSAGES ", 6000)) + ")",
		`LIST "" (` + strings.TrimSpace(strings.Repeat("* ", 20000)) + ")",
	} {
		s := dial(t, mailboxtest.New())
		s.ask(t, "", "login OK")
		got := s.ask(t, "a "+command+"\r\nend NOOP\r\n", "end OK")
		if len(got) != 2 || !strings.HasPrefix(got[0], "a BAD") && !strings.HasPrefix(got[0], "a NO [LIMIT]") || got[1] != "end OK done" {
			t.Errorf("%.40q: got %.80q; want BAD or LIMIT", command, got)
		}
		s.Close()
		<-s.done
	}
}

// TestIM11End: all who never say DONE are left when their time is over.
func TestIM11End(t *testing.T) {
	const n = 5000
	mail := mailboxtest.New()
	ends := make([]chan error, n)
	for i := range ends {
		c, done := piped(mail, &times{idle: time.Second, reply: time.Minute, body: time.Minute, alive: 400 * time.Millisecond, poll: time.Minute, quiet: time.Minute})
		ends[i] = done
		go io.Copy(io.Discard, c)
		if _, err := io.WriteString(c, "s SELECT INBOX\r\ni IDLE\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	late := time.After(time.Minute)
	for i, done := range ends {
		select {
		case err := <-done:
			if !errors.Is(err, errIdle) {
				t.Fatalf("session %d ended with %v; want %v", i, err, errIdle)
			}
		case <-late:
			t.Fatalf("session %d goes on", i)
		}
	}
}

// TestQuiet: a session that hears nothing for a while gives back the message that
// it had open, goes on, and ends when its time is over.
func TestQuiet(t *testing.T) {
	mail := mailboxtest.New()
	mail.Deliver("INBOX", mailboxtest.Message{Text: "a: b\n\ntext\n"})
	s, done := piped(mail, &times{idle: 3 * time.Second, reply: time.Minute, body: time.Minute, alive: time.Minute, poll: time.Minute, quiet: 150 * time.Millisecond})
	defer s.Close()
	c := &client{Conn: s, r: bufio.NewReader(s)}
	c.ask(t, "", "login OK")
	c.ask(t, "s SELECT INBOX\r\n", "s OK")
	c.ask(t, "f FETCH 1 BODY.PEEK[]<0.3>\r\n", "f OK")
	c.ask(t, "f FETCH 1 BODY.PEEK[]<3.3>\r\n", "f OK")
	once := mail.Opened()
	time.Sleep(400 * time.Millisecond)
	c.ask(t, "f FETCH 1 BODY.PEEK[]<6.3>\r\n", "f OK")
	if n := mail.Opened(); n != once+1 {
		t.Errorf("after a quiet time the message was opened %d times; want once more than %d", n, once)
	}
	if got := c.ask(t, "", "* BYE"); len(got) != 1 || got[0] != "* BYE no command for too long" {
		t.Errorf("without a command: %q; want BYE", got)
	}
	if err := <-done; !isTimeout(err) {
		t.Errorf("the session ended with %v; want a time-out", err)
	}
}
