// SPDX-License-Identifier: ISC

package imap

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// appendAll reads an APPEND and all its messages, one line each.
func appendAll(t *testing.T, cl *client) []string {
	t.Helper()
	c, err := cl.Next()
	if err != nil {
		return []string{err.Error()}
	}
	out := []string{c.Mailbox}
	for {
		m, err := cl.NextMessage()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			return append(out, err.Error())
		}
		r, err := cl.Body()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(iotest.OneByteReader(r))
		if err != nil {
			return append(out, err.Error())
		}
		if int64(len(b)) != m.Size {
			t.Errorf("%d bytes of a message of %d", len(b), m.Size)
		}
		date := ""
		if !m.Date.IsZero() {
			date = m.Date.Format(time.RFC3339)
		}
		out = append(out, fmt.Sprintf("%v %s %v%v%v %q", m.Flags, date, m.Binary, m.UTF8, m.Sync, b))
	}
}

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		in    string
		want  []string
		conts int
	}{
		// RFC 9051 §6.3.12
		{"A003 APPEND saved-messages (\\Seen) {11}\r\nDate: Mon\r\n\r\n", []string{"saved-messages", `[\Seen]  falsefalsetrue "Date: Mon\r\n"`}, 1},
		{"a APPEND inbox {3+}\r\nabc\r\n", []string{"INBOX", `[]  falsefalsefalse "abc"`}, 0},
		// RFC 3502 §4: two at once
		{"a APPEND x (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {3+}\r\nabc (\\Seen b) {2}\r\n\r\n\r\n",
			[]string{"x", `[\Seen] 1994-02-07T22:43:04-08:00 falsefalsefalse "abc"`, `[\Seen b]  falsefalsetrue "\r\n"`}, 1},
		{"a APPEND {1+}\r\nx ~{3+}\r\na\x00b\r\n", []string{"x", `[]  truefalsefalse "a\x00b"`}, 0}, // RFC 3516 §4.4
		{"a APPEND x () UTF8 (~{2+}\r\n\xc3\xbc)\r\n", []string{"x", `[]  truetruefalse "ü"`}, 0},   // RFC 6855 §4
		{"a APPEND x UTF8 (~{1+}\r\na) UTF8 (~{1+}\r\nb)\r\n", []string{"x", `[]  truetruefalse "a"`, `[]  truetruefalse "b"`}, 0},
		{"a APPEND x {0+}\r\n\r\n", []string{"x", `[]  falsefalsefalse ""`}, 0},
		{"a APPEND x {5+}\r\nabc", []string{"x", "unexpected EOF"}, 0},
		{"a APPEND x {3+}\r\nabcd\r\n", []string{"x", `[]  falsefalsefalse "abc"`, "BAD expected a space"}, 0},
		{"a APPEND x {3+}\r\nabc \r\n", []string{"x", `[]  falsefalsefalse "abc"`, "BAD bad literal"}, 0},
		{"a APPEND x UTF8 (~{1+}\r\na\r\n", []string{"x", `[]  truetruefalse "a"`, "BAD expected the end of the list"}, 0},
		{"a APPEND x UTF8 ({1+}\r\na)\r\n", []string{"x", "BAD expected a literal8"}, 0},
		{"a APPEND x \"abc\"\r\n", []string{"x", "BAD bad date and time"}, 0},
		{"a APPEND x (\\Recent) {1+}\r\na\r\n", []string{"x", "BAD unknown system flag"}, 0},
		{"a APPEND x {4097+}\r\n" + strings.Repeat("x", 4097) + "\r\n", []string{"x", "BAD [TOOBIG] non-synchronizing literal too large"}, 0},
		{"a APPEND x\r\n", []string{"BAD expected a space"}, 0},
		{"a APPEND x \r\n", []string{"x", "BAD bad literal"}, 0},
	} {
		cl := newClient(c.in+"b NOOP\r\n", true)
		if strings.HasSuffix(c.in, "abc") {
			cl = newClient(c.in, true)
		}
		got := appendAll(t, cl)
		if !slices.Equal(got, c.want) || cl.conts != c.conts {
			t.Errorf("%.60q = %q, %d continuations; want %q, %d", c.in, got, cl.conts, c.want, c.conts)
			continue
		}
		if strings.HasSuffix(c.in, "abc") {
			continue
		}
		if next := strings.Join(script(cl), "|"); next != "b NOOP" {
			t.Errorf("after %.60q: %s; want b NOOP", c.in, next)
		}
	}
}

// TestAppendAbandoned: Next goes on with the next command wherever the session
// stopped caring.
func TestAppendAbandoned(t *testing.T) {
	for _, c := range []struct {
		name, in string
		after    func(*client)
	}{
		{"at once", "a APPEND x {3+}\r\nabc\r\n", func(*client) {}},
		{"at once, not sent", "a APPEND x {3}\r\n", func(*client) {}},
		{"announced", "a APPEND x {3+}\r\nabc\r\n", func(cl *client) { cl.NextMessage() }},
		{"announced, not sent", "a APPEND x {99999999999}\r\n", func(cl *client) { cl.NextMessage() }},
		{"asked for another, not sent", "a APPEND x {3}\r\n", func(cl *client) { cl.NextMessage(); cl.NextMessage() }},
		{"begun", "a APPEND x {3}\r\nabc\r\n", func(cl *client) {
			cl.NextMessage()
			r, _ := cl.Body()
			r.Read(make([]byte, 1))
		}},
		{"one of two", "a APPEND x {3+}\r\nabc {3+}\r\nabc\r\n", func(cl *client) { cl.NextMessage(); cl.Body() }},
		{"one of two, other not sent", "a APPEND x {3+}\r\nabc {3}\r\n", func(cl *client) { cl.NextMessage(); cl.Body() }},
	} {
		cl := newClient(c.in+"b NOOP\r\n", true)
		if _, err := cl.Next(); err != nil {
			t.Fatal(err)
		}
		c.after(cl)
		if got := strings.Join(script(cl), "|"); got != "b NOOP" {
			t.Errorf("%s: %s; want b NOOP", c.name, got)
		}
	}
}

// TestAppendBody: a reader kept from an earlier message reads nothing of the
// next.
func TestAppendBody(t *testing.T) {
	cl := newClient("a APPEND x {3+}\r\nabc {3+}\r\ndef\r\n", true)
	cl.Next()
	if _, err := cl.Body(); err == nil {
		t.Error("Body before a message: no error")
	}
	cl.NextMessage()
	old, _ := cl.Body()
	cl.NextMessage()
	r, _ := cl.Body()
	if b, err := io.ReadAll(old); len(b) > 0 || err != nil {
		t.Errorf("old reader: %q, %v; want nothing", b, err)
	}
	if b, err := io.ReadAll(r); string(b) != "def" || err != nil {
		t.Errorf("new reader: %q, %v; want def", b, err)
	}
}

// TestIM2: a message of any size is announced and costs nothing; whether it is
// taken is the session's matter. LITERAL+ lifts the limit of LITERAL-.
func TestIM2(t *testing.T) {
	cl := newClient("a APPEND x {4294967296}\r\nb NOOP\r\n", true)
	cl.Next()
	if m, err := cl.NextMessage(); err != nil || m.Size != 1<<32 || !m.Sync {
		t.Errorf("4 GiB: %+v, %v", m, err)
	}
	if got := strings.Join(script(cl), "|"); got != "b NOOP" || cl.conts != 0 {
		t.Errorf("refused: %s, %d continuations; want b NOOP", got, cl.conts)
	}
	cl = newClient("a APPEND x {5000+}\r\n"+strings.Repeat("x", 5000)+"\r\nb NOOP\r\n", true)
	cl.LiteralPlus = true
	if got := appendAll(t, cl); len(got) != 2 {
		t.Errorf("LITERAL+: %.80q", got)
	}
	cl = newClient("a APPEND x {4294967296+}\r\nxxx", true)
	cl.LiteralPlus = true
	cl.Next()
	cl.NextMessage()
	if got := strings.Join(script(cl), "|"); got != " BAD [TOOBIG] close" {
		t.Errorf("4 GiB on their way and not wanted: %s; want close", got)
	}
}

func TestAppendCount(t *testing.T) {
	for n, want := range map[int]string{maxMessages: "", maxMessages + 1: "BAD too many messages"} {
		cl := newClient("a APPEND x"+strings.Repeat(" {1+}\r\na", n)+"\r\n", true)
		got := appendAll(t, cl)
		last := got[len(got)-1]
		if len(got) != maxMessages+1 && want == "" || want != "" && last != want {
			t.Errorf("%d messages: %d, the last %q; want %q", n, len(got)-1, last, want)
		}
	}
}
