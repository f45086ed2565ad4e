// SPDX-License-Identifier: ISC

package cmd

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestMailboxOwner: quill mailbox, run by root, leaves no file in a mailbox that
// its owner cannot use.
func TestMailboxOwner(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	box, uid, gid := filepath.Join(dir, "Maildir"), uidOf("netwatcher"), os.Getgid()
	if os.Getuid() == 0 {
		gid = uid
	}
	for _, sub := range []string{"tmp", "new", "cur", ".Work/tmp", ".Work/new", ".Work/cur"} {
		if err := os.MkdirAll(filepath.Join(box, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(box, "new/1.a"), []byte("Subject: a\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	each := func(f func(path string, d fs.DirEntry) error) {
		t.Helper()
		err := filepath.WalkDir(box, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return f(path, d)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	each(func(path string, _ fs.DirEntry) error { return os.Lchown(path, uid, gid) })
	for _, words := range [][]string{{"rebuild", "--yes"}, {"stat"}, {"check"}, {"export"}, {"export", "--courier"}} {
		cmd := exec.Command(program("quill"), append(append([]string{"mailbox"}, words...), box)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("quill mailbox %s: %v\n%s", words, err, out)
		}
		files := 0
		each(func(path string, d fs.DirEntry) error {
			info, err := d.Info()
			if err != nil {
				return err
			}
			if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != uid {
				t.Errorf("after quill mailbox %s: %s is uid %d's; want %d", words, path, owner, uid)
			}
			files++
			return nil
		})
		if files < 12 {
			t.Errorf("after quill mailbox %s: %d files; there is no index", words, files)
		}
	}
}
