// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rawIMAP is the test's own connection: what the server really holds.
type rawIMAP struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
	n int
}

// login opens one for a user.
func (s *imapServer) login(t *testing.T, user int) *rawIMAP {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := &rawIMAP{t: t, Conn: c, r: bufio.NewReader(c)}
	if l := r.line(); !strings.HasPrefix(l, "* OK") {
		t.Fatalf("greeting %q", l)
	}
	r.do("LOGIN %s %s", imapUser(user), imapPassword)
	return r
}

// literal ends a line that goes on after so many bytes (RFC 9051 §4.3).
var literal = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// line reads one response with its literals.
func (c *rawIMAP) line() string {
	c.t.Helper()
	c.SetDeadline(time.Now().Add(60 * time.Second))
	var out strings.Builder
	for {
		l, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("response: %q, %v", out.String()+l, err)
		}
		out.WriteString(l)
		m := literal.FindStringSubmatch(l)
		if m == nil {
			return strings.TrimSuffix(out.String(), "\r\n")
		}
		n, _ := strconv.Atoi(m[1])
		if _, err := io.CopyN(&out, c.r, int64(n)); err != nil {
			c.t.Fatalf("literal of %d bytes: %v", n, err)
		}
	}
}

// do says a command that must succeed, and gives the untagged responses.
func (c *rawIMAP) do(format string, args ...any) []string {
	c.t.Helper()
	c.n++
	tag := fmt.Sprintf("t%d ", c.n)
	command := fmt.Sprintf(format, args...)
	if _, err := io.WriteString(c, tag+command+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for {
		l := c.line()
		if end, ok := strings.CutPrefix(l, tag); ok {
			if !strings.HasPrefix(end, "OK") {
				c.t.Fatalf("%s -> %s", command, end)
			}
			return out
		}
		out = append(out, l)
	}
}

var (
	flagList = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	subject  = regexp.MustCompile(`(?i)\nSubject: ([^\r\n]*)`)
)

// mails is what a folder holds: subjects and their flags, sorted, without
// \Recent. A subject that stands twice counts as "SUBJECT #2".
func (s *imapServer) mails(t *testing.T, user int, folder string) map[string]string {
	t.Helper()
	c := s.login(t, user)
	defer c.Close()
	out := make(map[string]string)
	if !slices.ContainsFunc(c.do("EXAMINE %s", folder), func(l string) bool { return strings.HasSuffix(l, " EXISTS") && l != "* 0 EXISTS" }) {
		return out
	}
	for _, l := range c.do("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])") {
		f, sub := flagList.FindStringSubmatch(l), subject.FindStringSubmatch(l)
		if f == nil || sub == nil {
			continue
		}
		name := sub[1]
		for n := 2; has(out, name); n++ {
			name = fmt.Sprintf("%s #%d", sub[1], n)
		}
		flags := slices.DeleteFunc(strings.Fields(f[1]), func(f string) bool { return f == `\Recent` })
		slices.Sort(flags)
		out[name] = strings.Join(flags, " ")
	}
	return out
}

func has(m map[string]string, k string) bool { _, ok := m[k]; return ok }

// uid is the UID of the mail with a subject in the selected folder.
func (c *rawIMAP) uid(sub string) string {
	c.t.Helper()
	for _, l := range c.do("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]") {
		if m := subject.FindStringSubmatch(l); m != nil && m[1] == sub {
			_, after, _ := strings.Cut(l, "UID ")
			return strings.Trim(strings.Fields(after)[0], "()")
		}
	}
	c.t.Fatalf("no mail has the subject %q", sub)
	return ""
}

// wantMails compares what a folder holds with subjects and flags.
func (s *imapServer) wantMails(t *testing.T, user int, folder string, want map[string]string) {
	t.Helper()
	sameMails(t, "server's "+folder, s.mails(t, user, folder), want)
}

// sameMails names the first few mails that differ.
func sameMails(t *testing.T, where string, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	t.Errorf("%s has %d mails; want %d", where, len(got), len(want))
	n := 0
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[k]; (!ok || g != want[k]) && n < 5 {
			t.Errorf("%s: %q: there %v, flags %q; want %q", where, k, ok, g, want[k])
			n++
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if !has(want, k) && n < 10 {
			t.Errorf("%s: %q is there; want it not", where, k)
			n++
		}
	}
}

// numbered is "mail FROM" to "mail TO", each with these flags.
func numbered(from, to int, flags string) map[string]string {
	out := make(map[string]string)
	for i := from; i <= to; i++ {
		out[fmt.Sprintf("mail %d", i)] = flags
	}
	return out
}
