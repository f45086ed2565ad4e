// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quill/maildir/index"
)

func TestRename(t *testing.T) {
	a, root := newAccount(t)
	for _, name := range []string{"A.B", "A.B.C", "AB", "D"} {
		must(t, a.Create(name, nil))
	}
	uid := add(t, a, "A.B.C", "text\n", New{Keywords: []string{"k"}})
	valid := openBox(t, a, "A.B.C").Index().View().UIDValidity()
	must(t, a.Rename("A", "X.Y"))
	if got, want := list(t, a), "AB D INBOX X/ X.Y/ X.Y.B/ X.Y.B.C"; got != want {
		t.Errorf("List: %s; want %s", got, want)
	}
	b := openBox(t, a, "X.Y.B.C")
	if v := b.Index().View(); v.UIDValidity() != valid || v.Len() != 1 || v.Message(1).UID != uid {
		t.Errorf("messages: %q", show(t, b))
	}
	must(t, a.Delete("X.Y"))
	must(t, a.Rename("X.Y", "Z")) // of a level, what is below it
	if got, want := list(t, a), "AB D INBOX X (Z)/ Z.B/ Z.B.C"; got != want {
		t.Errorf("List: %s; want %s", got, want)
	}
	must(t, a.Create("X.B.C", nil))
	must(t, a.Delete("X"))
	if err := a.Rename("Z", "X"); !errors.Is(err, ErrExists) { // X.B is there
		t.Errorf("Rename: %v", err)
	}
	if err := a.Rename("Z", "Q."+strings.Repeat("x.", LevelsMax-3)+"x"); !errors.Is(err, ErrName) { // Z.B.C has too many levels then
		t.Errorf("Rename: %v", err)
	}
	if got, want := list(t, a), "AB D INBOX (X)/ X.B/ X.B.C (Z)/ Z.B/ Z.B.C"; got != want {
		t.Errorf("List: %s; want %s", got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "qx.[nr]*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRenameInbox(t *testing.T) {
	a, _ := newAccount(t)
	must(t, a.Create("INBOX.below", nil))
	add(t, a, Inbox, "one\n", New{Flags: index.Seen})
	add(t, a, Inbox, "two\n", New{Keywords: []string{"k"}})
	inbox := openBox(t, a, Inbox)
	was := texts(t, inbox)
	must(t, a.Rename("inbox", "Old.Mail"))
	if got := texts(t, openBox(t, a, "Old.Mail")); !slices.Equal(got, was) || len(show(t, inbox)) != 0 {
		t.Errorf("messages: %q; want %q", got, was)
	}
	if got, want := list(t, a), "INBOX/ INBOX.below Old/ Old.Mail"; got != want {
		t.Errorf("List: %s; want %s", got, want)
	}
}

// TestIntent: a rename that was cut off anywhere is ended by who comes next; one
// that is nonsense does nothing.
func TestIntent(t *testing.T) {
	for _, verb := range []func(*Account) error{
		func(a *Account) error { _, err := a.List(); return err },
		func(a *Account) error { b, err := a.Box("To.x"); b.Close(); return err },
		func(a *Account) error { return a.Create("new", nil) },
	} {
		a, root := newAccount(t)
		must(t, a.Create("From.x", nil))
		must(t, a.Create("From.y", nil))
		must(t, os.Rename(filepath.Join(root, ".From"), filepath.Join(root, ".To")))
		intent := ".From\t.To\n.From.x\t.To.x\n.From.y\t.To.y\n.To\t../To\ncur\tcut\n.To\n\t\n..\t.up\n"
		must(t, os.WriteFile(filepath.Join(root, intentFile), []byte(intent), 0o600))
		must(t, verb(a))
		if got := strings.ReplaceAll(list(t, a), " new", ""); got != "INBOX To/ To.x To.y" {
			t.Errorf("List: %s", got)
		}
		if ok, err := exists(a.dir(), intentFile); ok || err != nil {
			t.Error("the intent is still there")
		}
	}
}

func TestUses(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("Sent", nil))
	must(t, a.Create("Trash", nil))
	must(t, a.Create("Gesendet", []string{`\sent`, `\Drafts`}))
	if got, want := list(t, a), `Gesendet\Drafts\Sent INBOX Sent Trash\Trash`; got != want {
		t.Errorf("List: %s; want %s", got, want)
	}
	if b, err := os.ReadFile(filepath.Join(root, ".Gesendet", useFile)); string(b) != "\\Drafts \\Sent\n" {
		t.Errorf("%s: %q, %v", useFile, b, err)
	}
	for _, use := range []string{`\Sent`, `\Inbox`, `\All`, "Junk", ""} {
		if err := a.Create("x", []string{use}); !errors.Is(err, ErrUse) {
			t.Errorf("use %q: %v", use, err)
		}
	}
	must(t, a.Delete("Gesendet"))
	if got, want := list(t, a), `INBOX Sent\Sent Trash\Trash`; got != want {
		t.Errorf("List: %s; want %s", got, want)
	}
	must(t, os.WriteFile(filepath.Join(root, ".Trash", useFile), []byte("\\Nonsense\t\\junk "+strings.Repeat("x", 1<<16)), 0o600))
	if got, want := list(t, a), `INBOX Sent\Sent Trash\Junk`; got != want {
		t.Errorf("List: %s; want %s", got, want)
	}
}

func TestSubscriptions(t *testing.T) {
	for _, c := range []struct{ what, file, text, want, on, off string }{
		{"none", "", "", "", "Räume.x\n", ""},
		{"Dovecot", subscribedFile, "INBOX\nR&AOQ-ume.2026\nbad..x\n", "INBOX Räume.2026", "INBOX\nR&AOQ-ume.2026\nbad..x\nR&AOQ-ume.x\n", "INBOX\nR&AOQ-ume.2026\nbad..x\n"},
		{"Dovecot 2", subscribedFile, "V\t2\n\nINBOX\nA\tB\na.b\nx\x01ty\n", "A.B INBOX", "V\t2\n\nINBOX\nA\tB\na.b\nx\x01ty\nR&AOQ-ume\tx\n", "V\t2\n\nINBOX\nA\tB\na.b\nx\x01ty\n"},
		{"Courier", courierFile, "INBOX\nINBOX.Sent\nINBOX.A.B\n", "A.B INBOX Sent", "INBOX\nSent\nA.B\nR&AOQ-ume.x\n", "INBOX\nSent\nA.B\n"},
	} {
		a, root := newAccount(t)
		if c.file != "" {
			must(t, os.WriteFile(filepath.Join(root, c.file), []byte(c.text), 0o600))
		}
		if got, err := a.Subscribed(); err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v; want %q", c.what, got, err, c.want)
		}
		must(t, a.Subscribe("Räume.x", true))
		must(t, a.Subscribe("Räume.x", true))
		if b, err := os.ReadFile(filepath.Join(root, subscribedFile)); strings.ReplaceAll(c.on, "Räume", "R&AOQ-ume") != string(b) {
			t.Errorf("%s: %q, %v; want %q", c.what, b, err, c.on)
		}
		must(t, a.Subscribe("Räume.x", false))
		if b, err := os.ReadFile(filepath.Join(root, subscribedFile)); c.off != string(b) {
			t.Errorf("%s: %q, %v; want %q", c.what, b, err, c.off)
		}
		must(t, a.Subscribe("inbox", true))
		must(t, a.Subscribe("Inbox", false))
		if got, _ := a.Subscribed(); slices.Contains(got, Inbox) {
			t.Errorf("%s: %q", c.what, got)
		}
	}
}

// TestSubscribedMax: there are only so many, and a hostile file is not read on and on.
func TestSubscribedMax(t *testing.T) {
	a, root := newAccount(t)
	must(t, os.WriteFile(filepath.Join(root, subscribedFile), []byte(strings.Repeat("x\n", subscribedMax-1)), 0o600))
	must(t, a.Subscribe("last", true))
	if err := a.Subscribe("one more", true); !errors.Is(err, ErrMany) {
		t.Errorf("one too many: %v", err)
	}
	must(t, os.Truncate(filepath.Join(root, subscribedFile), fileMax+1))
	if _, err := a.Subscribed(); err == nil {
		t.Error("a file that is too long was read")
	}
}
