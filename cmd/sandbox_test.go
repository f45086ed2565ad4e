// SPDX-License-Identifier: ISC

package cmd

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
)

// promise is a line of sandbox(7)'s table.
type promise struct{ gains, refuses string }

// promises reads the table: by program and shape.
func promises(t *testing.T) map[[2]string]promise {
	t.Helper()
	b, err := os.ReadFile("../docs/man/sandbox.7")
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[[2]string]promise)
	for line := range strings.Lines(string(b)) {
		row, ok := strings.CutPrefix(strings.TrimSpace(line), ".It ")
		col := strings.Split(row, " Ta ")
		if ok && len(col) == 5 && col[0] != "program" {
			table[[2]string{col[0], col[1]}] = promise{col[2], col[3]}
		}
	}
	if len(table) < 15 {
		t.Fatalf("sandbox(7)'s table has %d lines", len(table))
	}
	return table
}

// status is a field of /proc/PID/status.
func status(pid int, field string) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// confinedAs waits until a process is as promised: some start their chains
// before they confine themselves.
func confinedAs(t *testing.T, p process, want promise) {
	t.Helper()
	root := strings.HasPrefix(status(p.pid, "Uid"), "0\t")
	gains := map[string]string{"no": "0", "yes": "1", "not as root": "1"}[want.gains]
	if root && want.gains == "not as root" {
		gains = "0"
	}
	seccomp := "2"
	if want.refuses == "nothing" {
		seccomp = "0"
	}
	var got [2]string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		got = [2]string{status(p.pid, "NoNewPrivs"), status(p.pid, "Seccomp")}
		if got == [2]string{gains, seccomp} {
			return
		}
	}
	t.Errorf("%s (%q): NoNewPrivs %s, Seccomp %s; want %s, %s", p.name, argv(p.pid), got[0], got[1], gains, seccomp)
}

// ours is the program that a process runs, by its first word: the process
// table cuts names.
func ours(p process) string { return filepath.Base(argv(p.pid)[0]) }

// TestSandboxTable: every process of a lab that has received, delivered and
// shown a mail is confined as sandbox(7) says, in both shapes. While sessions
// stay open, the programs of a spawned chain can be seen too.
func TestSandboxTable(t *testing.T) {
	table := promises(t)
	shapes(t, func(t *testing.T, l *lab) {
		shape := filepath.Base(t.Name())
		l.send(t, netwatcher, "Subject: starts the worker\n\nx", sendmemail)
		l.await("sendmemail", 1)
		smtp := l.dial(t, "SMTP")
		smtp.hear()
		pop := l.dial(t, "POP3")
		pop.hear()
		pop.want("USER "+sendmemail, "+OK")
		pop.want("PASS lab", "+OK")
		pop.want("STAT", "+OK 1 ")
		im := l.dial(t, "IMAP")
		im.hear()
		im.want("a LOGIN "+sendmemail+" lab", "a OK")
		seen := make(map[string]bool)
		for _, p := range descendants(l.cmd.Process.Pid) {
			name := ours(p)
			want, ok := table[[2]string{name, shape}]
			if !ok {
				want, ok = table[[2]string{name, "any"}]
			}
			if ok {
				seen[name] = true
				confinedAs(t, p, want)
			}
		}
		missing := []string{"tcpserver", "smtpd", "popup", "pop3d", "imapd", "queued", "qmail-send", "qmail-lspawn", "local-delivery", "tinydns"}
		if shape == "resident" {
			missing = append(missing, "imapup", "checkpassword") // spawned, they have become imapd and pop3d
		}
		for _, name := range missing {
			if !seen[name] {
				t.Errorf("%s was not seen among %v", name, slices.Sorted(maps.Keys(seen)))
			}
		}
	})
}

// TestSandboxAlone: the programs that no lab keeps running, on their own:
// qmail-queue before it reads, recordio in both shapes, a spawned smtpd whose
// QMAILQUEUE names a program; and any of them with QUILLNOSANDBOX.
func TestSandboxAlone(t *testing.T) {
	table := promises(t)
	l := startLab(t)
	none := promise{"no", "nothing"}
	for _, c := range []struct {
		name string
		env  string
		argv []string
		want promise
	}{
		{"qmail-queue", "", []string{"qmail-queue"}, table[[2]string{"qmail-queue", "any"}]},
		{"recordio", "", []string{"recordio", "cat"}, table[[2]string{"recordio", "spawned"}]},
		{"axfrdns", "ROOT=/tmp", []string{"axfrdns"}, table[[2]string{"axfrdns", "any"}]},
		{"smtpd", "QMAILQUEUE=/bin/false", []string{"smtpd"}, none},
		{"smtpd", "QUILLNOSANDBOX=1", []string{"smtpd"}, none},
		{"qmail-queue", "QUILLNOSANDBOX=1", []string{"qmail-queue"}, none},
	} {
		cmd := exec.Command(c.argv[0], c.argv[1:]...)
		cmd.Env = append(os.Environ(), "QMAILHOME="+l.dir, "TCPREMOTEIP=127.0.0.1", "UID=65534", "GID=65534", c.env)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe() // also qmail-queue's envelope, which is read from descriptor 1
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = w
		if c.name == "qmail-queue" {
			cmd.Stdout = r
		}
		var said safeBuffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		confinedAs(t, process{pid: cmd.Process.Pid, name: c.name + " " + c.env}, c.want)
		in.Close()
		w.Close()
		cmd.Wait()
		r.Close()
		if off := strings.Contains(said.String(), "QUILLNOSANDBOX is set"); off != strings.HasPrefix(c.env, "QUILLNOSANDBOX") {
			t.Errorf("%s %s says:\n%s", c.name, c.env, &said)
		}
	}
}

// landlock says whether this kernel has it; without it no program promises
// anything about files.
func landlock() bool {
	_, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	return errno == 0
}

// TestSandboxFiles: what a confined program is led to outside its folders it
// does not read, though its user may: control files that are links, for a
// resident smtpd; data.cdb, for tinydns.
func TestSandboxFiles(t *testing.T) {
	if !landlock() {
		return
	}
	l := startLab(t)
	outside := t.TempDir()
	open(t, outside)
	move := func(name string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(l.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(outside, filepath.Base(name))
		if err := os.WriteFile(to, text, 0o644); err != nil {
			t.Fatal(err)
		}
		tmp := filepath.Join(l.dir, name+".tmp")
		if err := os.Symlink(to, tmp); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(l.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	move("dns/data.cdb")
	l.logged(t, "dns", "data.cdb: permission denied", func() {
		c := l.dial(t, "DNS")
		c.Write([]byte{0, 17, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1})
		io.ReadFull(c.r, make([]byte, 2))
	})
	move("control/rcpthosts")
	l.logged(t, "smtpd", "rcpthosts: permission denied", func() {
		c, err := bufio.NewReader(l.dial(t, "SMTP")).ReadString('\n')
		if err == nil && strings.HasPrefix(c, "220") {
			time.Sleep(time.Second) // it was read less than a second ago
		}
	})
}

// logged does something until a service's log has a text.
func (l *lab) logged(t *testing.T, service, text string, do func()) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		do()
		b, _ := os.ReadFile(filepath.Join(l.dir, "log", service, "current"))
		if strings.Contains(string(b), text) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the log of %s lacks %q:\n%s", service, text, b)
		}
	}
}

// TestSandboxRoot: a resident pop3d or imapd serves the mailboxes below $QUILLROOT
// and reads none outside, though its user may.
func TestSandboxRoot(t *testing.T) {
	if !landlock() {
		return
	}
	dir := t.TempDir()
	open(t, dir)
	var cred *syscall.Credential
	if os.Getuid() == 0 {
		cred = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	for _, home := range []string{"in/user", "out/user"} {
		if err := os.MkdirAll(filepath.Join(dir, home), 0o755); err != nil {
			t.Fatal(err)
		}
		box := filepath.Join(dir, home, "Maildir")
		run(t, "", program("maildirmake"), box)
		if cred != nil {
			for _, d := range []string{"", "tmp", "new", "cur"} {
				if err := os.Chown(filepath.Join(box, d), int(cred.Uid), int(cred.Gid)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	rootOf(t, "pop3d", dir, cred, map[string]string{"in/user": "+OK", "out/user": "-ERR [SYS/TEMP]"})
	rootOf(t, "imapd", dir, cred, map[string]string{"in/user": "* PREAUTH", "out/user": "* BYE this user has no"})
}

// rootOf gives a resident program connections of users, and wants these greetings.
func rootOf(t *testing.T, name, dir string, cred *syscall.Credential, homes map[string]string) {
	t.Helper()
	n := chain.NewNext([]string{program(name), "Maildir"}, chain.NextOptions{Env: append(os.Environ(), "QUILLROOT="+dir+"/in"), Cred: cred})
	defer n.Close()
	for home, want := range homes {
		pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan bool, 1)
		n.Pass(&chain.Packet{Env: []string{"HOME=" + filepath.Join(dir, home)}, Conn: pair[1], Control: -1, Data: -1}, func(r chain.Report) {
			if r.Final() {
				ended <- true
			}
		})
		syscall.Close(pair[1])
		client := os.NewFile(uintptr(pair[0]), "client")
		line, _ := bufio.NewReader(client).ReadString('\n')
		if !strings.HasPrefix(line, want) {
			t.Errorf("%s for %s says %q; want %s", name, home, line, want)
		}
		client.Close()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Errorf("%s for %s does not end with its client", name, home)
		}
	}
}

// TestSandboxElsewhere: an account whose home is not below mail/, or is a link
// out of it, gets a resident pop3d of its own.
func TestSandboxElsewhere(t *testing.T) {
	l := startLab(t)
	home := filepath.Join(l.dir, "elsewhere")
	st, err := os.Stat(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	own := st.Sys().(*syscall.Stat_t)
	for _, d := range []string{"", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"} {
		if err := os.MkdirAll(filepath.Join(home, d), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(home, d), int(own.Uid), int(own.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(l.dir, "users/passwd"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(f, "far@testingsmtp.org:{PLAIN}lab:%d:%d::%s:\n", own.Uid, own.Gid, home)
	fmt.Fprintf(f, "link@testingsmtp.org:{PLAIN}lab:%d:%d::%s:\n", own.Uid, own.Gid, filepath.Join(l.dir, "mail/testingsmtp.org/link"))
	f.Close()
	if err := os.Symlink(home, filepath.Join(l.dir, "mail/testingsmtp.org/link")); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"far", "link", "sendmemail"} {
		c := l.dial(t, "POP3")
		c.hear()
		c.want("USER "+user+"@testingsmtp.org", "+OK")
		c.want("PASS lab", "+OK")
		c.want("STAT", "+OK 0 0")
		c.want("QUIT", "+OK")
	}
	n := 0
	for _, p := range descendants(l.cmd.Process.Pid) {
		if ours(p) == "pop3d" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d resident pop3d for two roots; want 2", n)
	}
}
