// SPDX-License-Identifier: ISC

package mailboxtest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"quill/internal/mailbox"
)

func open(t *testing.T, m *Mail, name string) mailbox.Mailbox {
	t.Helper()
	box, err := m.Account().Open(name, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return box
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func events(es []mailbox.Event) string {
	var b strings.Builder
	for _, e := range es {
		fmt.Fprintf(&b, "%c%d/%d ", "?+=-!"[e.Kind], e.Seq, e.UID)
	}
	return strings.TrimSpace(b.String())
}

// TestTwoSessions: what one does the other is told, when it asks, in the order
// that mailbox.Mailbox promises.
func TestTwoSessions(t *testing.T) {
	m := New()
	m.Deliver("INBOX", Message{Text: "a\n"}, Message{Text: "b\r\n"}, Message{Text: "c"}, Message{Text: "d"})
	a, b := open(t, m, "INBOX"), open(t, m, "INBOX")
	news := 0
	stop, err := b.Watch(func() { news++ })
	must(t, err)
	_, err = a.Store([]uint32{3, 4}, mailbox.Store{Op: mailbox.Add, Flags: mailbox.Seen, Keywords: []string{"$Junk"}})
	must(t, err)
	must(t, a.Expunge([]uint32{1, 2}))
	m.Deliver("INBOX", Message{Text: "e"})
	stop()
	if got := events(b.Update(true)); got != "" || b.Len() != 4 || news != 3 {
		t.Errorf("before Sync: events %q, %d messages, %d calls; want none, 4, 3", got, b.Len(), news)
	}
	if got, want := events(a.Update(true)), "-1/1 -1/2 =1/3 =2/4"; got != want {
		t.Errorf("own events %q; want %q", got, want)
	}
	must(t, b.Sync())
	if got, want := events(b.Update(false)), "=3/3 =4/4 +5/5"; got != want {
		t.Errorf("without expunges: events %q; want %q", got, want)
	}
	if c, err := b.Open(1); err != nil || c.Size() != 2 {
		t.Errorf("a message that was expunged cannot be read before that was told: %v", err)
	}
	if got, want := events(b.Update(true)), "-1/1 -1/2"; got != want {
		t.Errorf("then events %q; want %q", got, want)
	}
	var msg mailbox.Message
	b.Message(1, &msg)
	if msg.UID != 3 || msg.Flags != mailbox.Seen || msg.Keywords != 1 || b.Keywords()[0] != "$Junk" || !msg.New {
		t.Errorf("message 1 is %+v", msg)
	}
	if seq, ok := b.Seq(2); seq != 1 || ok {
		t.Errorf("Seq(2) = %d, %v; want 1, false", seq, ok)
	}
	uids, known := b.Vanished(0)
	if fmt.Sprint(uids, known) != "[{1 2}] true" {
		t.Errorf("Vanished(0) = %v, %v", uids, known)
	}
	m.Forget("INBOX")
	if _, known := b.Vanished(0); known {
		t.Error("what was forgotten is known")
	}
	m.Lose("INBOX", 3)
	if _, err := b.Open(1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lost message opens: %v", err)
	}
	must(t, b.Settle())
	c := open(t, m, "INBOX")
	if c.Message(1, &msg); msg.New {
		t.Error("a message that was told of is new to another session")
	}
}

func TestUnchanged(t *testing.T) {
	m := New()
	m.Deliver("INBOX", Message{}, Message{})
	a := open(t, m, "INBOX")
	old := a.HighestModSeq()
	_, err := a.Store([]uint32{2}, mailbox.Store{Flags: mailbox.Flagged})
	must(t, err)
	modified, err := a.Store([]uint32{1, 2, 9}, mailbox.Store{Op: mailbox.Remove, Flags: mailbox.Flagged, Unchanged: &old})
	if err != nil || !slices.Equal(modified, []uint32{2}) {
		t.Errorf("modified = %v, %v; want [2]", modified, err)
	}
}

func TestCopyMoveAppend(t *testing.T) {
	m := New()
	m.Deliver("INBOX", Message{Text: "a", Keywords: []string{"x"}}, Message{Text: "b"})
	in := open(t, m, "INBOX")
	if _, err := in.Copy([]uint32{1}, "Sent"); !errors.Is(err, mailbox.ErrNoMailbox) {
		t.Errorf("COPY to nowhere: %v", err)
	}
	must(t, m.Account().Create("Sent", []string{`\Sent`}))
	c, err := in.Copy([]uint32{1, 7}, "Sent")
	must(t, err)
	if fmt.Sprint(c.Source, c.Target) != "[1] [1]" {
		t.Errorf("Copy = %+v", c)
	}
	c, err = in.Move([]uint32{2}, "Sent")
	must(t, err)
	if fmt.Sprint(c.Source, c.Target, events(in.Update(true))) != "[2] [2]-2/2" {
		t.Errorf("Move = %+v", c)
	}
	ap, err := m.Account().Append("Sent")
	must(t, err)
	must(t, ap.Add(&mailbox.Appending{Size: 1, Flags: mailbox.Draft}, strings.NewReader("z")))
	if err := ap.Add(&mailbox.Appending{Size: 2}, strings.NewReader("z")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short message: %v", err)
	}
	c, err = ap.Commit()
	must(t, err)
	ap.Abort()
	if st, err := m.Account().Status("Sent", false); err != nil || fmt.Sprint(c.Target, st.Messages, st.Recent, st.UIDNext) != "[3] 3 3 4" {
		t.Errorf("after APPEND: %+v %v, %+v", st, err, c)
	}
}

func TestFolders(t *testing.T) {
	m := New()
	a := m.Account()
	must(t, a.Create("a.b.c", nil))
	must(t, a.Delete("a.b"))
	must(t, a.Create("Sent", []string{`\Sent`}))
	folders := func() string {
		fs, err := a.Folders()
		must(t, err)
		return fmt.Sprintf("%+v", fs)
	}
	if got, want := folders(), `[{Name:INBOX NoSelect:false Children:false Use:[]} {Name:Sent NoSelect:false Children:false Use:[\Sent]} {Name:a NoSelect:false Children:true Use:[]} `+
		`{Name:a.b NoSelect:true Children:true Use:[]} {Name:a.b.c NoSelect:false Children:false Use:[]}]`; got != want {
		t.Errorf("folders = %s; want %s", got, want)
	}
	_, notOpen := a.Open("a.b", false)
	for _, c := range []struct{ got, want error }{
		{notOpen, mailbox.ErrNotOpen}, {a.Delete("a.b"), mailbox.ErrChildren}, {a.Delete("x"), mailbox.ErrNoMailbox}, {a.Delete("INBOX"), mailbox.ErrName},
		{a.Create("a", nil), mailbox.ErrExists}, {a.Create("a..b", nil), mailbox.ErrName}, {a.Create("S", []string{`\Sent`}), mailbox.ErrUse},
		{a.Rename("a", "a.x"), mailbox.ErrName}, {a.Rename("a", "Sent"), mailbox.ErrExists}, {a.Rename("x", "y"), mailbox.ErrNoMailbox}, {a.Rename("a", "z.a"), nil},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("got %v; want %v", c.got, c.want)
		}
	}
	if !strings.Contains(folders(), "z.a.b.c") {
		t.Errorf("after RENAME: %s", folders())
	}
	open := open(t, m, "Sent")
	must(t, a.Delete("Sent"))
	must(t, open.Sync())
	if got := events(open.Update(true)); got != "!0/0" {
		t.Errorf("events of a mailbox that was deleted: %q; want a Reset", got)
	}
	m.Deliver("INBOX", Message{Text: "a"})
	must(t, a.Rename("INBOX", "old"))
	if st, err := a.Status("old", false); err != nil || st.Messages != 1 {
		t.Errorf("INBOX's messages were not moved: %+v, %v", st, err)
	}
	must(t, a.Subscribe("gone", true))
	if names, err := a.Subscribed(); err != nil || !slices.Equal(names, []string{"gone"}) {
		t.Errorf("subscribed = %v, %v", names, err)
	}
}
