// SPDX-License-Identifier: ISC

package imapsession

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
)

// script is a connection whose client sends all it has at once, and reads all.
type script struct {
	in  io.Reader
	out bytes.Buffer
}

func (s *script) Read(b []byte) (int, error)       { return s.in.Read(b) }
func (s *script) Write(b []byte) (int, error)      { return s.out.Write(b) }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// FuzzSession: whatever a client sends, the session does not panic and ends, and
// each line with a tag is answered once, in order, with that tag. A line is one of
// the data; it is given a tag. What follows IDLE is DONE.
func FuzzSession(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		f.Add(sentIn(f, path))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 || bytes.Count(bytes.ToUpper(data), []byte("COPY")) > 12 {
			return // a mailbox may double with each
		}
		mail := mailboxtest.New()
		mail.Limit = 1 << 16
		mail.Deliver("INBOX", mailboxtest.Message{Text: "Subject: a\n\nb\n", Flags: mailbox.Seen}, mailboxtest.Message{Text: "Subject: c\n\nd\n", Keywords: []string{"kw"}})
		var in bytes.Buffer
		tags := 0
		in.WriteString("t0 SELECT INBOX\r\n")
		for _, line := range bytes.Split(data, []byte("\n")) {
			tags++
			fmt.Fprintf(&in, "t%d %s\r\n", tags, line)
			if bytes.EqualFold(bytes.TrimSuffix(line, []byte("\r")), []byte("IDLE")) {
				in.WriteString("DONE\r\n")
			}
		}
		s := &script{in: &in}
		_ = Serve(s, nil, Options{User: "test", Account: mail.Account()}) // it ends with what was sent
		exact := !bytes.ContainsRune(data, '{')                           // no literal takes a line for its own
		next, last, bye := 0, "", false
		for _, line := range strings.Split(s.out.String(), "\r\n") {
			var n int
			bye = bye || strings.HasPrefix(line, "* BYE")
			if _, err := fmt.Sscanf(line, "t%d ", &n); err != nil {
				continue
			}
			_, word, _ := strings.Cut(line, " ")
			if !strings.HasPrefix(word, "OK ") && !strings.HasPrefix(word, "NO ") && !strings.HasPrefix(word, "BAD ") {
				continue // of a literal
			}
			if n < next || exact && n != next {
				t.Fatalf("after %q comes %q, where t%d is due, in answer to %q:\n%s", last, line, next, data, s.out.String())
			}
			next, last = n+1, line
		}
		if exact && !bye && next != tags+1 {
			t.Fatalf("t%d was not answered, in answer to %q:\n%s", next, data, s.out.String())
		}
	})
}

// sentIn is what a transcript's first client sends, without its tags.
func sentIn(f *testing.F, path string) []byte {
	var out []string
	for _, l := range readTranscript(f, path) {
		if l.sent && l.who == 0 {
			_, rest, _ := strings.Cut(l.text, " ")
			out = append(out, rest)
		}
	}
	return []byte(strings.Join(out, "\n"))
}
