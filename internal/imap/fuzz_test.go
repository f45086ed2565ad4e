// SPDX-License-Identifier: ISC

package imap

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// format writes a command as a client that does not wait would: what it gives,
// read, is the command again.
func format(c *Command, utf8on bool) string {
	b := append([]byte(c.Tag), ' ')
	if c.UID {
		b = append(b, "UID "...)
	}
	b = append(b, c.Name...)
	name := func(s string) { b = sent(append(b, ' '), EncodeMailbox(s, utf8on)) }
	set := func() { b = append(append(b, ' '), c.Set.String()...) }
	switch c.Name {
	case "LOGIN":
		b = sent(append(b, ' '), c.User)
		b = sent(append(b, ' '), c.Password)
	case "AUTHENTICATE":
		b = append(append(b, ' '), c.Mechanism...)
		if c.Initial != nil && len(c.Initial) == 0 {
			b = append(b, " ="...)
		} else if c.Initial != nil {
			b = append(append(b, ' '), base64.StdEncoding.EncodeToString(c.Initial)...)
		}
	case "ID":
		b = formatID(append(b, ' '), c.ID)
	case "ENABLE":
		b = append(append(b, ' '), strings.Join(c.Enable, " ")...)
	case "SELECT", "EXAMINE":
		name(c.Mailbox)
		b = formatSelect(b, c.Select)
	case "CREATE":
		if name(c.Mailbox); c.Use != nil {
			b = append(append(append(b, " (USE ("...), strings.Join(c.Use, " ")...), "))"...)
		}
	case "DELETE", "SUBSCRIBE", "UNSUBSCRIBE":
		name(c.Mailbox)
	case "APPEND":
		name(c.Mailbox)
		b = append(b, ' ')
	case "RENAME":
		name(c.Mailbox)
		name(c.NewName)
	case "STATUS":
		name(c.Mailbox)
		b = append(append(append(b, " ("...), strings.Join(c.Status, " ")...), ')')
	case "LIST", "LSUB":
		b = formatList(b, c.List, utf8on)
	case "COPY", "MOVE":
		set()
		name(c.Mailbox)
	case "STORE":
		set()
		b = formatStore(b, c.Store)
	case "FETCH":
		set()
		b = append(append(b, ' '), asked(c.Fetch)...)
	case "SEARCH":
		b = formatSearch(b, c.Search)
	case "EXPUNGE":
		if c.UID {
			set()
		}
	}
	return string(b)
}

func formatID(b []byte, ps []Pair) []byte {
	if ps == nil {
		return append(b, "NIL"...)
	}
	b = append(b, '(')
	for i, p := range ps {
		if i > 0 {
			b = append(b, ' ')
		}
		if b = append(sent(b, p.Field), ' '); p.Nil {
			b = append(b, "NIL"...)
		} else {
			b = sent(b, p.Value)
		}
	}
	return append(b, ')')
}

func formatSelect(b []byte, s *Select) []byte {
	if s == nil {
		return b
	}
	var out []string
	if s.CondStore {
		out = append(out, "CONDSTORE")
	}
	if q := s.QResync; q != nil {
		l := fmt.Sprintf("QRESYNC (%d %d", q.UIDValidity, q.ModSeq)
		if q.Known != nil {
			l += " " + q.Known.String()
		}
		if q.Seqs != nil {
			l += " (" + q.Seqs.String() + " " + q.UIDs.String() + ")"
		}
		out = append(out, l+")")
	}
	return fmt.Appendf(b, " (%s)", strings.Join(out, " "))
}

func formatList(b []byte, l *List, utf8on bool) []byte {
	words := func(words map[string]bool, order ...string) string {
		var out []string
		for _, w := range order {
			if words[w] {
				out = append(out, w)
			}
		}
		return strings.Join(out, " ")
	}
	if l.Extended {
		b = fmt.Appendf(b, " (%s)", words(map[string]bool{"SUBSCRIBED": l.SelectSubscribed, "REMOTE": l.SelectRemote, "RECURSIVEMATCH": l.SelectRecursive,
			"SPECIAL-USE": l.SelectSpecialUse}, "SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"))
	}
	b = append(sent(append(b, ' '), EncodeMailbox(l.Reference, utf8on)), ' ')
	if l.Extended {
		b = append(b, '(')
	}
	for i, p := range l.Patterns {
		if i > 0 {
			b = append(b, ' ')
		}
		b = sent(b, EncodeMailbox(p, utf8on))
	}
	if !l.Extended {
		return b
	}
	ret := words(map[string]bool{"SUBSCRIBED": l.ReturnSubscribed, "CHILDREN": l.ReturnChildren, "SPECIAL-USE": l.ReturnSpecialUse}, "SUBSCRIBED", "CHILDREN", "SPECIAL-USE")
	if l.ReturnStatus != nil {
		ret = strings.TrimPrefix(ret+" STATUS ("+strings.Join(l.ReturnStatus, " ")+")", " ")
	}
	return fmt.Appendf(b, ") RETURN (%s)", ret)
}

func formatStore(b []byte, s *Store) []byte {
	if b = append(b, ' '); s.Unchanged {
		b = append(strconv.AppendInt(append(b, "(UNCHANGEDSINCE "...), s.UnchangedSince, 10), ") "...)
	}
	if s.Op != 0 {
		b = append(b, s.Op)
	}
	if b = append(b, "FLAGS"...); s.Silent {
		b = append(b, ".SILENT"...)
	}
	return append(append(append(b, " ("...), strings.Join(s.Flags, " ")...), ')')
}

func formatSearch(b []byte, s *Search) []byte {
	if s.Extended {
		b = append(b, " RETURN ("...)
		first := true
		for i, on := range []bool{s.Min, s.Max, s.All, s.Count, s.Save} {
			if !on {
				continue
			}
			if !first {
				b = append(b, ' ')
			}
			b = append(b, [...]string{"MIN", "MAX", "ALL", "COUNT", "SAVE"}[i]...)
			first = false
		}
		b = append(b, ')')
	}
	if s.Charset != "" {
		b = sent(append(b, " CHARSET "...), s.Charset)
	}
	return appendKeys(append(b, ' '), s.Key.Sub)
}

// FuzzCommand: whatever comes in, reading ends and takes no more memory than
// the limits say; what was accepted formats and reads as the same again.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		"a LOGIN {1+}\r\nu \"p\\\"w\"\r\n", "a AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=\r\n", `a ID ("name" "x" "y" NIL)` + "\r\n", "a ENABLE x y\r\n",
		"a SELECT inbox (CONDSTORE QRESYNC (1 2 1:3,5 (1 5)))\r\n", "a CREATE x (USE (\\Sent))\r\n", "a RENAME &U,BTFw- \"a&-b\"\r\n",
		"a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a* \"%\") RETURN (CHILDREN STATUS (UNSEEN SIZE))\r\n", "a STATUS x (MESSAGES)\r\n",
		"a APPEND x (\\Seen) \" 7-Feb-1994 21:52:25 -0800\" {3+}\r\nabc UTF8 (~{1+}\r\na)\r\nb NOOP\r\n", "a UID STORE 1:*,5 (UNCHANGEDSINCE 5) +FLAGS.SILENT (a \\Seen)\r\n",
		"a UID FETCH 5:* (UID BODY.PEEK[1.2.HEADER.FIELDS (To Cc)]<0.10> BINARY.SIZE[1]) (CHANGEDSINCE 5 VANISHED)\r\n", "a FETCH 1 FULL\r\n",
		"a SEARCH RETURN (MIN ALL SAVE) CHARSET UTF-8 OR (NOT SEEN FROM x) HEADER a {2+}\r\nbc BEFORE 1-Jan-2000 OLDER 5 MODSEQ 1 $ UID 4:*\r\n",
		"a FOO {5+}\r\nabcde\r\nb NOOP\r\n", "a UID EXPUNGE 1\r\n", "a MOVE $ x\r\n", "a NOOP\r\n\r\n+ NOOP\r\n",
	} {
		f.Add([]byte(s), byte(1))
		f.Add([]byte(s), byte(0))
		f.Add([]byte(s), byte(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, mode byte) {
		cl := newClient(string(in), mode&1 != 0)
		cl.UTF8, cl.LiteralPlus = mode&2 != 0, mode&4 != 0
		for n := 0; ; n++ {
			if n > len(in) {
				t.Fatalf("%d commands of %d bytes", n, len(in))
			}
			c, err := cl.Next()
			var e *Error
			switch {
			case errors.As(err, &e):
				if e.Close {
					return
				}
				if strings.ContainsAny(e.Text+e.Tag, "\r\n\x00") {
					t.Fatalf("error %q would end its line", e)
				}
				continue
			case err != nil:
				return
			}
			again(t, c, cl.Reader)
			if c.Name == "APPEND" {
				messages(t, cl)
			}
		}
	})
}

// again reads what format writes of c.
func again(t *testing.T, c *Command, as *Reader) {
	t.Helper()
	text := format(c, as.UTF8)
	if len(text) > lineBefore { // quoting may have made it longer than may be sent
		return
	}
	cl := newClient(text+"\r\n", as.LoggedIn)
	cl.UTF8, cl.LiteralPlus = as.UTF8, true
	got, err := cl.Next()
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Fatalf("%+v was written as %q, which is %+v, %v", c, text, got, err)
	}
}

// messages reads some of an APPEND's messages.
func messages(t *testing.T, cl *client) {
	t.Helper()
	for n := 0; n < maxMessages; n++ {
		m, err := cl.NextMessage()
		if err != nil {
			return
		}
		if len(m.Flags) > maxFlags {
			t.Fatalf("%d flags", len(m.Flags))
		}
		if n%3 == 2 {
			continue // as if it were not wanted
		}
		r, err := cl.Body()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.Copy(io.Discard, r); err == nil && got != m.Size {
			t.Fatalf("%d bytes of %d, and no error", got, m.Size)
		}
	}
}
