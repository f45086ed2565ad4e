// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/imap"
)

// TestIM6: names that lead out of the Maildir, or are none, are refused by every
// verb, and nothing is made anywhere.
func TestIM6(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("ok", nil))
	before := tree(t, filepath.Dir(root))
	for _, name := range []string{"", "../x", "/etc/passwd", "..", ".", "...", ".x", "x.", "x..y", "a/../b", "a/b", "INBOX/../..", "INBOX.", "INBOX..x",
		"a\x00b", "a\r\nb", "a\nb", "a\x7fb", "a\u0085b", "a\xffb", "\xc0\xae\xc0\xae", "\xed\xa0\x80", "a\ufffdb", "‥", "．．", "…", "x.․.y", " ", "x. ",
		strings.Repeat("a.", 999) + "a", strings.Repeat("a.", LevelsMax) + "a", strings.Repeat("a", dirNameMax), strings.Repeat("ä", 100), strings.Repeat("x", 1<<20)} {
		_, berr := a.Box(name)
		_, aerr := a.NewAppend(name)
		for verb, err := range map[string]error{"box": berr, "append": aerr, "create": a.Create(name, nil), "delete": a.Delete(name), "rename": a.Rename("ok", name),
			"rename from": a.Rename(name, "y"), "subscribe": a.Subscribe(name, true)} {
			if !errors.Is(err, ErrName) {
				t.Errorf("%s %.40q: %v; want %v", verb, name, err, ErrName)
			}
		}
	}
	for _, name := range []string{"a*", "%", "~root", "#news.x", "x.y*z"} { // harmless where they exist already
		if err := a.Create(name, nil); !errors.Is(err, ErrName) {
			t.Errorf("create %q: %v; want %v", name, err, ErrName)
		}
	}
	for _, coded := range []string{"&AC4ALg-", "&-&", "&Jjo", "&2AA-", "&AC8-", "a\x01", "&", "&AGE-"} {
		if name, ok := imap.DecodeUTF7(coded); ok {
			t.Errorf("DecodeUTF7(%q) = %q", coded, name)
		}
	}
	if after := tree(t, filepath.Dir(root)); strings.ReplaceAll(after, " qx.lock", "") != strings.ReplaceAll(before, " qx.lock", "") {
		t.Errorf("tree: %s; was %s", after, before)
	}
}

// tree is the names of all files below dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	must(t, filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		all = append(all, filepath.Base(path))
		return err
	}))
	return strings.Join(all, " ")
}

// TestNameEdge: the longest names there can be, and spellings of INBOX.
func TestNameEdge(t *testing.T) {
	a, _ := newAccount(t)
	for _, name := range []string{strings.Repeat("a", dirNameMax-1), strings.Repeat("b.", LevelsMax-1) + "b", "a b", "&", "INBOXES", "c&d-e", "日本"} {
		if err := a.Create(name, nil); err != nil {
			t.Errorf("create %.40q: %v", name, err)
		}
		openBox(t, a, name)
	}
	must(t, a.Create("iNboX.Sub", nil))
	if openBox(t, a, "inbox").s != openBox(t, a, "INBOX").s || openBox(t, a, "Inbox.Sub").s != openBox(t, a, "INBOX.Sub").s {
		t.Error("spellings of INBOX are not the same mailbox")
	}
	if _, err := a.Box("INBOX.sub"); !errors.Is(err, ErrNone) {
		t.Errorf("INBOX.sub: %v", err)
	}
}

// TestHostile: links, files, half Maildirs and names with another spelling are not
// listed, opened, or followed.
func TestHostile(t *testing.T) {
	a, root := newAccount(t)
	other := filepath.Join(t.TempDir(), "other")
	b, otherRoot := newAccount(t)
	must(t, b.Create("x", nil))
	must(t, os.Symlink(filepath.Join(otherRoot, ".x"), filepath.Join(root, ".link")))
	must(t, os.Symlink(".", filepath.Join(root, ".self")))
	must(t, os.WriteFile(filepath.Join(root, ".file"), nil, 0o600))
	must(t, os.MkdirAll(filepath.Join(root, ".half", "cur"), 0o700))
	must(t, os.MkdirAll(filepath.Join(root, ".sub", "cur"), 0o700))
	must(t, os.Symlink(otherRoot+"/tmp", filepath.Join(root, ".sub", "tmp")))
	must(t, os.Symlink(otherRoot+"/new", filepath.Join(root, ".sub", "new")))
	for _, name := range []string{"..x", ".x..y", ".INBOX", ".inbox", ".inbox.x", ".a\xff", ".a\nb", "...", ".x."} {
		for _, sub := range []string{"tmp", "new", "cur"} {
			must(t, os.MkdirAll(filepath.Join(root, name, sub), 0o700))
		}
	}
	if got := list(t, a); got != "INBOX" {
		t.Errorf("List: %s", got)
	}
	for _, name := range []string{"link", "self", "file", "half", "sub"} {
		if box, err := a.Box(name); err == nil {
			box.Close()
			t.Errorf("opened %s", name)
		}
		if err := a.Delete(name); !errors.Is(err, ErrNone) {
			t.Errorf("delete %s: %v", name, err)
		}
		if err := a.Create(name, nil); !errors.Is(err, ErrExists) {
			t.Errorf("create %s: %v", name, err)
		}
		if err := a.Rename("INBOX", name); !errors.Is(err, ErrExists) {
			t.Errorf("rename to %s: %v", name, err)
		}
	}
	// What is removed is removed without following links.
	must(t, a.Create("gone", nil))
	must(t, os.Mkdir(other, 0o700))
	must(t, os.WriteFile(other+"/kept", nil, 0o600))
	must(t, os.Symlink(other, filepath.Join(root, ".gone", "out")))
	must(t, a.Delete("gone"))
	if _, err := os.Stat(other + "/kept"); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "qx.deleted*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestUTF8: folders that Courier has named in UTF-8, and others that are no modified
// UTF-7, are mailboxes under just these names, until they are renamed.
func TestUTF8(t *testing.T) {
	a, root := newAccount(t)
	names := []string{"Räume", "Räume.日本", "R&D", "&AC4ALg-", "&Jjo", "ok"}
	for _, name := range names {
		for _, sub := range []string{"tmp", "new", "cur"} {
			must(t, os.MkdirAll(filepath.Join(root, "."+name, sub), 0o700))
		}
	}
	must(t, os.WriteFile(filepath.Join(root, ".Räume", "cur", "1.a:2,S"), []byte("a: b\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(root, courierFile), []byte("INBOX.Räume\nINBOX.R&-D\n"), 0o600))
	if got := list(t, a); got != "&AC4ALg- &Jjo INBOX R&D Räume/ Räume.日本 ok" {
		t.Errorf("List: %s", got)
	}
	if got, err := a.Subscribed(); err != nil || strings.Join(got, " ") != "R&D Räume" {
		t.Errorf("Subscribed: %q, %v", got, err)
	}
	for _, name := range names {
		if err := a.Create(name, nil); !errors.Is(err, ErrExists) {
			t.Errorf("create %s: %v", name, err)
		}
		openBox(t, a, name)
	}
	if v := openBox(t, a, "Räume").Index().View(); v.Len() != 1 {
		t.Errorf("%d messages in Räume", v.Len())
	}
	must(t, a.Rename("Räume", "Säle"))
	must(t, a.Delete("R&D"))
	must(t, a.Create("R&D", nil))
	if got := list(t, a); got != "&AC4ALg- &Jjo INBOX R&D Säle/ Säle.日本 ok" {
		t.Errorf("List: %s", got)
	}
	for _, dir := range []string{".S&AOQ-le", ".S&AOQ-le.&ZeVnLA-", ".R&-D"} {
		if _, err := os.Stat(filepath.Join(root, dir)); err != nil {
			t.Error(err)
		}
	}
	// Of two folders that would be one mailbox it is the one by Maildir++.
	for _, sub := range []string{"tmp", "new", "cur"} {
		must(t, os.MkdirAll(filepath.Join(root, ".Säle", sub), 0o700))
	}
	if got := list(t, a); got != "&AC4ALg- &Jjo INBOX R&D Säle/ Säle.日本 ok" {
		t.Errorf("List: %s", got)
	}
	if v := openBox(t, a, "Säle").Index().View(); v.Len() != 1 {
		t.Errorf("%d messages in Säle", v.Len())
	}
}

// TestIsDir: what is no folder is none, but what cannot be looked at now may be one.
func TestIsDir(t *testing.T) {
	a, root := newAccount(t)
	must(t, os.Symlink("cur", filepath.Join(root, "link")))
	for name, want := range map[string]bool{"cur": true, "link": false, "none": false, "cur/none": false, "link/x": false, strings.Repeat("x", 300): false} {
		if got, err := isDir(a.dir(), name); got != want || err != nil {
			t.Errorf("isDir(%.20s) = %v, %v; want %v", name, got, err, want)
		}
	}
	_, err := isDir(-1, "cur")
	there, xerr := exists(-1, "cur")
	if err == nil || xerr == nil || !there {
		t.Errorf("a folder that cannot be looked at: %v, %v", err, xerr)
	}
}
