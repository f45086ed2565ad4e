// SPDX-License-Identifier: ISC

package cmd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clear checks that a refusal is one a person can use: it names the object, and
// is no stack of a bug.
func clear(t *testing.T, what, out string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("%s: the message does not say %q:\n%s", what, w, out)
		}
	}
	if strings.Contains(out, "goroutine ") || strings.Contains(out, "panic") {
		t.Errorf("%s: a panic is shown:\n%s", what, out)
	}
}

// refused runs a quill command that must not exit 0.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(program("quill"), args...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("quill %s: exit 0; want a refusal\n%s", strings.Join(args, " "), out)
	}
	return string(out)
}

// TestForeignFiles: a folder with somebody's files is refused and untouched.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	mine := filepath.Join(dir, "thesis.tex")
	if err := os.WriteFile(mine, []byte("years of work"), 0o644); err != nil {
		t.Fatal(err)
	}
	clear(t, "foreign files", refused(t, "lab", dir), dir)
	clear(t, "foreign files, --reset", refused(t, "lab", "--reset", dir), dir)
	if b, err := os.ReadFile(mine); err != nil || string(b) != "years of work" {
		t.Errorf("the file afterwards: %q, %v", b, err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("the folder afterwards: %v", names)
	}
}

// TestUnwritableHome: a lab that cannot be made says where and why.
func TestUnwritableHome(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	clear(t, "home below a file", refused(t, "lab", filepath.Join(file, "lab")), file)
}

// TestPortInUse: a stopped lab whose port somebody took meanwhile comes back on
// another, or says which port is taken.
func TestPortInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	open(t, filepath.Dir(dir))
	var smtp string
	t.Run("first", func(t *testing.T) { smtp = resumeLab(t, dir).env["SMTP"] })
	taken, err := net.Listen("tcp", smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(smtp)
	clear(t, "port in use", refused(t, "lab", dir), port)
}

// TestMissingControl: without rcpthosts the door is closed; without users/cdb
// mail waits at the sender; the log and quill check say what is missing.
func TestMissingControl(t *testing.T) {
	l := startLab(t)
	rcpt := func(want string) {
		t.Helper()
		c := l.dial(t, "SMTP")
		c.hear()
		c.want("EHLO laptop.testingsmtp.org", "250")
		c.want("MAIL FROM:<"+netwatcher+">", "250")
		c.want("RCPT TO:<"+sendmemail+">", want)
		c.Close()
	}
	for file, want := range map[string]string{"control/rcpthosts": "550 5.7.1", "users/cdb": "451 4.3.0"} {
		path := filepath.Join(l.dir, file)
		rcpt("250 2.1.5")
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
		rcpt(want)
		cmd := exec.Command(program("quill"), "check")
		cmd.Env = append(os.Environ(), "QMAILHOME="+l.dir)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("quill check without %s: exit 0\n%s", file, out)
		}
		clear(t, "quill check without "+file, string(out), filepath.Base(file))
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
	}
	rcpt("250 2.1.5")
}

// TestOversize: a message over control/databytes is refused by its announced
// size and by its true one; the session goes on.
func TestOversize(t *testing.T) {
	l := startLab(t)
	if err := os.WriteFile(filepath.Join(l.dir, "control/databytes"), []byte("10000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	c := l.dial(t, "SMTP")
	c.hear()
	c.want("EHLO laptop.testingsmtp.org", "250")
	c.want("MAIL FROM:<"+netwatcher+"> SIZE=10001", "552 5.3.4")
	c.want("MAIL FROM:<"+netwatcher+"> SIZE=100", "250")
	c.want("RCPT TO:<"+sendmemail+">", "250")
	c.want("DATA", "354")
	c.want("Subject: big\r\n\r\n"+strings.Repeat(strings.Repeat("x", 70)+"\r\n", 200)+".", "552 5.3.4")
	c.want("RCPT TO:<"+sendmemail+">", "503")
	c.want("QUIT", "221")
}

// TestHalfWrittenUsers: a half-written users/assign is refused by its line; the
// old cdb stays and mail goes on.
func TestHalfWrittenUsers(t *testing.T) {
	l := startLab(t)
	path := filepath.Join(l.dir, "users/assign")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-len(b)/3], 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program("quill"), "user", "add", "--password-stdin", "new@testingsmtp.org")
	cmd.Env = append(os.Environ(), "QMAILHOME="+l.dir)
	cmd.Stdin = strings.NewReader("secret\n")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("quill user add over a half-written assign: exit 0\n%s", out)
	}
	clear(t, "half-written assign", string(out), "assign")
	l.send(t, netwatcher, "Subject: goes on\n\nx", sendmemail)
	l.await("sendmemail", 1)
}
