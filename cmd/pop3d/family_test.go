// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nobody is who the program runs as where the tests run as root.
const nobody = 65534

// TestMain also plays the program itself, so that tests run it as a process.
func TestMain(m *testing.M) {
	if as := os.Getenv("TEST_AS_POP3D"); as != "" {
		os.Unsetenv("TEST_AS_POP3D")
		if as == "nobody" && os.Getuid() == 0 {
			if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(99)
			}
		}
		main()
	}
	os.Exit(m.Run())
}

// files of the mailbox that the recorded sessions read, with seconds of age.
var files = []struct {
	name, text string
	age        int
}{
	{"new/1.a.h", "S: 1\n\nb1\n", 100},
	{"cur/2.b.h:2,S", "S: 2\n\n.dot\nnonl", 99},
	{"new/3.c.h", "S: 3\nH: x\n\nl1\nl2\nl3\n", 98},
	{"new/.hidden", "S: h\n\n", 97},
	{"cur/0.z.h:2,", "S: 0\n\nolder by mtime\n", 150},
}

// folder is where a session runs: the mailbox M in it, and a home.
func folder(t *testing.T, control ...string) (dir, home string) {
	t.Helper()
	dir = t.TempDir()
	home = filepath.Join(dir, "home")
	for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	for _, d := range []string{"M/new", "M/cur", "M/tmp", "home/control"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range control {
		write(t, filepath.Join(home, "control", c), "", 0)
	}
	for _, f := range files {
		write(t, filepath.Join(dir, "M", f.name), f.text, f.age)
	}
	give(t, dir)
	return dir, home
}

func write(t *testing.T, path, text string, age int) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Duration(age) * time.Second)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// give gives a folder to nobody, where the tests run as root.
func give(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	}); err != nil {
		t.Fatal(err)
	}
}

// talk runs pop3d over pipes and gives what it said, with LF, and its exit
// code.
func talk(t *testing.T, dir string, env []string, in string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"TEST_AS_POP3D=nobody", "GORACE=atexit_sleep_ms=0"}, env...)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(in, "\n", "\r\n"))
	var said bytes.Buffer
	cmd.Stdout = &said
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return strings.ReplaceAll(said.String(), "\r\n", "\n"), cmd.ProcessState.ExitCode()
}

// left is the names in new/ and cur/.
func left(dir string) string {
	var all []string
	for _, sub := range []string{"new", "cur"} {
		names, _ := os.ReadDir(filepath.Join(dir, "M", sub))
		for _, n := range names {
			all = append(all, sub+"/"+n.Name())
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// What the sessions leave.
const (
	untouched = "cur/0.z.h:2, cur/2.b.h:2,S new/.hidden new/1.a.h new/3.c.h"
	moved     = "cur/0.z.h:2, cur/1.a.h:2, cur/2.b.h:2,S cur/3.c.h:2, new/.hidden"
)

// TestFamily is recorded sessions of qmail-pop3d, in its words
// (control/popclassic). Where ours differ docs/compat.md says so: sizes are
// octets as they are sent.
func TestFamily(t *testing.T) {
	for _, c := range []struct{ name, in, want, left string }{
		{"stat list uidl: by mtime, hidden ones skipped", "STAT\nLIST\nUIDL\nLIST 2\nUIDL 2\nQUIT\n",
			"+OK \n+OK 4 80\n+OK \n1 24\n2 12\n3 18\n4 26\n.\n+OK \n1 0.z.h\n2 1.a.h\n3 2.b.h\n4 3.c.h\n.\n+OK 2 12\n+OK 2 1.a.h\n+OK \n", moved},
		{"retr: an empty line more, the last line ended, dots doubled", "RETR 3\nQUIT\n", "+OK \n+OK \nS: 2\n\n..dot\nnonl\n\n.\n+OK \n", moved},
		{"top; RETR with two words is TOP", "TOP 4 0\nTOP 4 1\nTOP 4 2\nRETR 4 1\nQUIT\n",
			"+OK \n+OK \nS: 3\nH: x\n\n\n.\n+OK \nS: 3\nH: x\n\nl1\n\n.\n+OK \nS: 3\nH: x\n\nl1\nl2\n\n.\n+OK \nS: 3\nH: x\n\nl1\n\n.\n+OK \n", moved},
		{"dele: stat counts it still, list hides it", "DELE 1\nSTAT\nLIST\nLIST 1\nDELE 1\nLAST\nRSET\nLAST\nSTAT\nQUIT\n",
			"+OK \n+OK \n+OK 4 56\n+OK \n2 12\n3 18\n4 26\n.\n-ERR already deleted\n-ERR already deleted\n+OK 1\n+OK \n+OK 0\n+OK 4 80\n+OK \n", moved},
		{"dele and QUIT: gone, the rest of new/ is in cur/", "DELE 2\nQUIT\n", "+OK \n+OK \n+OK \n", "cur/0.z.h:2, cur/2.b.h:2,S cur/3.c.h:2, new/.hidden"},
		{"dele without QUIT: nothing is", "DELE 2\n", "+OK \n+OK \n", untouched},
		{"errors", "LIST 0\nLIST 9\nLIST x\nRETR\nCAPA\nUSER x\nSTLS\nNOOP\nXTND\n\nQUIT\n",
			"+OK \n-ERR messages are counted from 1\n-ERR not that many messages\n-ERR syntax error\n-ERR syntax error\n-ERR unimplemented\n-ERR unimplemented\n-ERR unimplemented\n+OK \n-ERR unimplemented\n-ERR unimplemented\n+OK \n", moved},
	} {
		dir, home := folder(t, "popclassic")
		got, code := talk(t, dir, []string{"QMAILHOME=" + home}, c.in, "M")
		if got != c.want || code != 0 {
			t.Errorf("%s: exit %d, said %q; want %q", c.name, code, got, c.want)
		}
		if got := left(dir); got != c.left {
			t.Errorf("%s: left %s; want %s", c.name, got, c.left)
		}
	}
}

// TestNoMailbox: what is told where there is no mailbox to read, in the modern
// words and in the family's.
func TestNoMailbox(t *testing.T) {
	const want = "this user has no $HOME/Maildir"
	for _, gone := range []string{"M", "M/new", "M/cur", "M/tmp"} {
		for code, control := range map[string][]string{"[SYS/TEMP] ": nil, "": {"popclassic"}} {
			dir, home := folder(t, control...)
			if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
				t.Fatal(err)
			}
			if got, exit := talk(t, dir, []string{"QMAILHOME=" + home}, "STAT\n", "M"); got != "-ERR "+code+want+"\n" || exit != 0 {
				t.Errorf("without %s: exit %d, said %q; want -ERR %s%s", gone, exit, got, code, want)
			}
		}
	}
}
