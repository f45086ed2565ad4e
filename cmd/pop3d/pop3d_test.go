// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quill/maildir"
)

// TestWhichMailbox: MAILBOX before the argument, both below HOME and never
// outside of it; without HOME, where we are.
func TestWhichMailbox(t *testing.T) {
	dir, home := folder(t)
	for _, sub := range []string{"new", "cur", "tmp"} {
		os.MkdirAll(filepath.Join(dir, "user/Mail", sub), 0o700)
		os.MkdirAll(filepath.Join(dir, "other/Mail", sub), 0o700)
	}
	os.Symlink("../other/Mail", filepath.Join(dir, "user/Link"))
	write(t, filepath.Join(dir, "user/Mail/new/1.x.h"), "S: x\n\n", 9)
	give(t, dir)
	user := "HOME=" + filepath.Join(dir, "user")
	const none = "-ERR [SYS/TEMP] this user has no $HOME/Maildir\n"
	for _, c := range []struct {
		env  []string
		arg  string
		want string
	}{
		{[]string{user}, "Mail", "+OK \n+OK 1 8\n+OK \n"},
		{[]string{user}, "./Mail/", "+OK \n+OK 1 8\n+OK \n"},
		{[]string{user, "MAILBOX=Mail"}, "Maildir", "+OK \n+OK 1 8\n+OK \n"},
		{nil, "M", "+OK \n+OK 4 80\n+OK \n"},
		{[]string{user}, "M", none},
		{[]string{user}, "../other/Mail", none},
		{[]string{user, "MAILBOX=../other/Mail"}, "Mail", none},
		{[]string{user}, "Link", none},
	} {
		if got, code := talk(t, dir, append(c.env, "QMAILHOME="+home), "STAT\nQUIT\n", c.arg); got != c.want || code != 0 {
			t.Errorf("%q pop3d %s: exit %d, said %q; want %q", c.env, c.arg, code, got, c.want)
		}
	}
}

// TestOneSession: who comes second is told, and nothing of the first one is
// lost.
func TestOneSession(t *testing.T) {
	dir, home := folder(t)
	m, err := maildir.Open(filepath.Join(dir, "M"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	lock, err := m.Lock()
	if err != nil {
		t.Fatal(err)
	}
	give(t, dir)
	if got, code := talk(t, dir, []string{"QMAILHOME=" + home}, "DELE 1\nQUIT\n", "M"); got != "-ERR [IN-USE] this maildrop is open in another session\n" || code != 0 {
		t.Errorf("second session: exit %d, said %q; want [IN-USE]", code, got)
	}
	lock.Close()
	if got, _ := talk(t, dir, []string{"QMAILHOME=" + home}, "STAT\nQUIT\n", "M"); !strings.HasPrefix(got, "+OK \n+OK 4 ") {
		t.Errorf("after the first session: %q", got)
	}
}

// TestRoot: nobody's mail is read as root; who is not root is served.
func TestRoot(t *testing.T) {
	dir, home := folder(t)
	want := map[bool]string{true: "-ERR will not run as root\n", false: "+OK \n+OK \n"}[os.Getuid() == 0]
	if got, code := talk(t, dir, []string{"TEST_AS_POP3D=self", "QMAILHOME=" + home}, "QUIT\n", "M"); got != want || code != 0 {
		t.Errorf("as uid %d: exit %d, said %q; want %q", os.Getuid(), code, got, want)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"M", "N"}} {
		if got, code := talk(t, ".", nil, "QUIT\n", args...); got != "" || code != 100 {
			t.Errorf("pop3d %q: exit %d, said %q; want 100", args, code, got)
		}
	}
}

// opened is the Maildir M in dir as a maildrop.
func opened(t *testing.T, dir string) *box {
	t.Helper()
	m, err := maildir.Open(filepath.Join(dir, "M"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	b, err := newBox(m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// TestCommit: what is deleted goes, what was seen moves to cur/, what came
// meanwhile stays where it is, and a message that is gone already is no
// trouble.
func TestCommit(t *testing.T) {
	dir, _ := folder(t)
	b := opened(t, dir)
	if b.Count() != 4 || b.ID(0) != "0.z.h" || b.Size(0) != 24 {
		t.Fatalf("box has %d messages, the first %s of %d octets", b.Count(), b.ID(0), b.Size(0))
	}
	write(t, filepath.Join(dir, "M/new/9.late.h"), "S: late\n\n", 0)
	os.Remove(filepath.Join(dir, "M/new/1.a.h"))
	if failed, err := b.Commit([]int{1, 2}); failed != 0 || err != nil {
		t.Errorf("Commit = %d, %v; want 0", failed, err)
	}
	if got, want := left(dir), "cur/0.z.h:2, cur/3.c.h:2, new/.hidden new/9.late.h"; got != want {
		t.Errorf("left %s; want %s", got, want)
	}
}
