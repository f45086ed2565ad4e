// SPDX-License-Identifier: ISC

package cmd

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// TestMailboxExport: quill mailbox export gives a Maildir to Courier, to Dovecot
// and to Courier again with what it subscribes to, and says what is lost.
func TestMailboxExport(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	box := filepath.Join(dir, "Maildir")
	for _, sub := range []string{"tmp", "new", "cur", ".Work/tmp", ".Work/new", ".Work/cur"} {
		if err := os.MkdirAll(filepath.Join(box, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{"new/1.a": "Subject: a\n\n", ".Work/cur/2.b:2,S": "Subject: b\n\n", "dovecot-uidlist": "3 V17 N8\n5 :1.a\n",
		".Work/dovecot-uidlist": "3 V18 N8\n7 :2.b\n", "subscriptions": "INBOX\nWork\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(box, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	has := func(name, want string) {
		t.Helper()
		if b, err := os.ReadFile(filepath.Join(box, name)); string(b) != want || os.IsNotExist(err) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", name, b, err, want)
		}
	}
	export := func(status int, want string, options ...string) {
		t.Helper()
		cmd := exec.Command(program("quill"), append(append([]string{"mailbox", "export"}, options...), box)...)
		out, _ := cmd.CombinedOutput()
		if ok, err := regexp.Match("^(?s:"+want+")$", out); err != nil || !ok || cmd.ProcessState.ExitCode() != status {
			t.Errorf("export %s: exit %d, want %d\n%swant\n%s", options, cmd.ProcessState.ExitCode(), status, out, want)
		}
	}
	courier := func() {
		t.Helper()
		has("courierimapuiddb", "1 17 8\n5 1.a\n")
		has(".Work/courierimapuiddb", "1 18 8\n7 2.b\n")
		has("courierimapsubscribed", "INBOX\nINBOX.Work\n")
		for _, name := range []string{"dovecot-uidlist", ".Work/dovecot-uidlist", "subscriptions"} {
			has(name, "")
		}
	}
	export(0, "INBOX: 1 messages are Courier's\n.Work: 1 messages are Courier's\n", "--courier")
	courier()
	export(0, "INBOX: 1 messages are Dovecot's, HIGHESTMODSEQ \\d+\n.Work: 1 messages are Dovecot's, HIGHESTMODSEQ \\d+\n")
	has("courierimapuiddb", "")
	has("subscriptions", "INBOX\nWork\n")
	if err := os.WriteFile(filepath.Join(box, "cur/3.c\n:2,"), []byte("Subject: c\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	export(1, "quill: INBOX: lost: UID 8: .*newline\nINBOX: 2 messages are Courier's\n.Work: 1 messages are Courier's\n.*1 keywords or UIDs were lost.*", "--courier")
	has("courierimapuiddb", "1 17 9\n5 1.a\n")
}
