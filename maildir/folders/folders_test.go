// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quill/internal/imap"
	"quill/maildir"
	"quill/maildir/index"
)

// newAccount makes an account of its own for a test.
func newAccount(t testing.TB) (*Account, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "Maildir")
	if err := maildir.Make(root); err != nil {
		t.Fatal(err)
	}
	return openAccount(t, root, nil), root
}

func openAccount(t testing.TB, root string, p *Pool) *Account {
	t.Helper()
	m, err := maildir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(m, Options{Encode: imap.EncodeUTF7, Decode: imap.DecodeUTF7, Pool: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// must is for calls that have no reason to fail.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openBox(t testing.TB, a *Account, name string) *Box {
	t.Helper()
	b, err := a.Box(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// list is List in short: each name, with (…) for a level, / for children, and the uses.
func list(t testing.TB, a *Account) string {
	t.Helper()
	all, err := a.List()
	must(t, err)
	var out []string
	for _, f := range all {
		s := f.Name
		if f.NoSelect {
			s = "(" + s + ")"
		}
		if f.Children {
			s += "/"
		}
		out = append(out, s+strings.Join(f.Use, ""))
	}
	return strings.Join(out, " ")
}

// add appends one message.
func add(t testing.TB, a *Account, name, text string, msg New) index.UID {
	t.Helper()
	p, err := a.NewAppend(name)
	must(t, err)
	msg.Size = int64(len(text))
	must(t, p.Add(msg, strings.NewReader(text)))
	c, err := p.Commit()
	must(t, err)
	return c.Target[0]
}

// show is a box's messages in short: UID, flags, keywords, date and text.
func show(t testing.TB, b *Box) []string {
	t.Helper()
	must(t, b.Index().Sync())
	v := b.Index().View()
	defer v.Close()
	var out []string
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.Message(seq)
		var kw []string
		for n, k := range v.Keywords() {
			if m.Keywords&(1<<n) != 0 {
				kw = append(kw, k)
			}
		}
		f, err := b.Index().File(m.UID)
		must(t, err)
		text := make([]byte, m.Size)
		_, err = f.ReadAt(text, 0)
		must(t, errors.Join(err, f.Close()))
		out = append(out, fmt.Sprintf("%d %d %v %d %q", m.UID, m.Flags, kw, m.Date/1e9, text))
	}
	return out
}

func TestFolders(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("Work.2026.Räume", nil))
	must(t, a.Create("INBOX.x", nil))
	must(t, a.Create("Sent", nil))
	if got, want := list(t, a), `INBOX/ INBOX.x Sent\Sent Work/ Work.2026/ Work.2026.Räume`; got != want {
		t.Errorf("List: %s; want %s", got, want)
	}
	for _, name := range []string{".Work.2026.R&AOQ-ume/cur", ".Work/maildirfolder", ".INBOX.x/new"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
	must(t, a.Delete("Work"))
	must(t, a.Delete("Work.2026"))
	if got, want := list(t, a), `INBOX/ INBOX.x Sent\Sent (Work)/ (Work.2026)/ Work.2026.Räume`; got != want {
		t.Errorf("List: %s; want %s", got, want)
	}
	for _, c := range []struct {
		what string
		err  error
		want error
	}{
		{"create again", a.Create("Sent", nil), ErrExists},
		{"create INBOX", a.Create("inbox", nil), ErrExists},
		{"delete INBOX", a.Delete("Inbox"), ErrName},
		{"delete none", a.Delete("Nothing"), ErrNone},
		{"delete a level", a.Delete("Work"), ErrLevel},
		{"rename to itself", a.Rename("Sent", "Sent"), ErrExists},
		{"rename below itself", a.Rename("Sent", "Sent.x"), ErrName},
		{"rename none", a.Rename("Nothing", "x"), ErrNone},
		{"rename to INBOX", a.Rename("Sent", "inbox"), ErrExists},
		{"unknown use", a.Create("x", []string{`\All`}), ErrUse},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v; want %v", c.what, c.err, c.want)
		}
	}
	if _, err := a.Box("Work"); !errors.Is(err, ErrLevel) {
		t.Errorf("open a level: %v", err)
	}
	must(t, a.Create("Work", nil)) // a level becomes a mailbox
	if left, _ := filepath.Glob(filepath.Join(root, "qx.[nd]*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAppend(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("Sent", nil))
	p, err := a.NewAppend("Sent")
	must(t, err)
	date := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	must(t, p.Add(New{Flags: index.Seen | index.Flagged, Keywords: []string{"$Work"}, Date: date, Size: 4}, strings.NewReader("a\nb\n")))
	must(t, p.Add(New{Date: date.Add(-time.Hour), Size: 2}, strings.NewReader("c\n")))
	b := openBox(t, a, "Sent")
	if got := show(t, b); len(got) != 0 {
		t.Errorf("before Commit: %q", got)
	}
	c, err := p.Commit()
	must(t, err)
	p.Abort()
	if !slices.Equal(c.Target, []index.UID{1, 2}) || c.UIDValidity != b.Index().View().UIDValidity() {
		t.Errorf("Commit = %+v", c)
	}
	want := []string{`1 5 [$Work] 981173106 "a\nb\n"`, `2 0 [] 981169506 "c\n"`}
	if got := show(t, b); !slices.Equal(got, want) {
		t.Errorf("after Commit: %q; want %q", got, want)
	}
	names, _ := filepath.Glob(filepath.Join(root, ".Sent/cur/*,S=4,W=6:2,FS"))
	if st, err := os.Stat(strings.Join(names, "")); err != nil || !st.ModTime().Equal(date) {
		t.Errorf("file: %v, %v", names, err)
	}
}
