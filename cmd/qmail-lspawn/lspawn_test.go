// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/mailid"
	"quill/internal/spawn"
	"quill/internal/users"
	"quill/queue"
)

// TestMain also plays the program itself, and local-delivery, so that tests run
// them as processes.
func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "local-delivery":
		os.Exit(fakeWorker())
	case os.Getenv("TEST_AS_LSPAWN") != "":
		os.Unsetenv("TEST_AS_LSPAWN")
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakeWorker answers by the recipient's local part: die ends the worker, odd
// makes it say what is no answer; else it tells what it was given.
func fakeWorker() int {
	if os.Getenv("FAKE_WORKER") == "absent" {
		return 1
	}
	l, ok := chain.FromEnv()
	if !ok || l.Hello(os.Args) != nil {
		return 1
	}
	for {
		b, fds, err := l.Recv()
		if err != nil {
			return 0
		}
		f := strings.Split(string(b), "\x00")
		message := make([]byte, 100)
		n, _ := unix.Read(fds[0], message)
		flags, _ := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0)
		unix.Close(fds[0])
		switch local := f[4]; {
		case strings.HasPrefix(local, "die"):
			return 1
		case strings.HasPrefix(local, "odd"):
			l.Send([]byte("no answer"))
		case strings.HasPrefix(local, "slow"):
			time.Sleep(200 * time.Millisecond)
			fallthrough
		default:
			l.Send(fmt.Appendf(nil, "%s\x00Kuid %d, %q, message %q, read-only %v\n", f[0], os.Getuid(), f[1:], message[:n], flags&unix.O_ACCMODE == unix.O_RDONLY))
		}
	}
}

// uid is whose deliveries are tried: not root's.
func uid() int {
	if os.Getuid() == 0 {
		return 65534
	}
	return os.Getuid()
}

const id mailid.ID = 1795479833123456789

// newHome is a home with users joe and alias, one message, and local-delivery
// in bin.
func newHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	for d := home; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		os.Chmod(d, 0o755) // who local-delivery runs as has to reach it
	}
	if err := queue.Make(filepath.Join(home, "queue")); err != nil {
		t.Fatal(err)
	}
	assign := fmt.Sprintf("=joe:joe:%[1]d:%[1]d:/home/joe:::\n+joe-:joe:%[1]d:%[1]d:/home/joe:-::\n=die:joe:%[1]d:%[1]d:/home/joe:::\n=odd:joe:%[1]d:%[1]d:/home/joe:::\n"+
		"=slow:joe:%[1]d:%[1]d:/home/joe:::\n=root:root:0:0:/root:::\n=other:other:%[2]d:%[2]d:/home/other:::\n.\n", uid(), uid()+1)
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"queue/mess/" + id.String(): []byte("Subject: x\n"), "users/assign": []byte(assign), "bin/local-delivery": self} {
		path := filepath.Join(home, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := users.NewStore(home).Compile(); err != nil {
		t.Fatal(err)
	}
	return home
}

// spawnerProcess is the program as a process.
func spawnerProcess(home string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append([]string{"TEST_AS_LSPAWN=1", "QMAILHOME=" + home, "PATH=" + home + "/bin:/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}, env...)
	return cmd
}

// deliver hands deliveries over, numbered from 0, and gives the reports by
// number.
func deliver(t *testing.T, home string, env []string, all ...spawn.Delivery) []string {
	t.Helper()
	var in []byte
	for i := range all {
		d := &all[i]
		d.Num = i
		if d.At == "" && d.File == "" {
			d.File = id.String()
		}
		if d.ID == 0 {
			d.ID = id
		}
		in = d.Append(in)
	}
	cmd := spawnerProcess(home, env, "./Maildir/")
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(bytes.NewReader(out))
	if most, err := spawn.ReadNetstring(r); most != "120" {
		t.Fatalf("first netstring %q, %v; want 120", most, err)
	}
	reports := make([]string, len(all))
	for {
		s, err := spawn.ReadNetstring(r)
		if errors.Is(err, io.EOF) {
			return reports
		}
		num, report, perr := spawn.ParseReport(s)
		if err = errors.Join(err, perr); err != nil || num >= len(reports) || reports[num] != "" {
			t.Fatalf("report %q: %v", s, err)
		}
		reports[num] = report
	}
}

// TestWorker: a worker of the user's uid gets local-delivery's eight arguments
// and the message, read-only; the flag again goes along.
func TestWorker(t *testing.T) {
	home := newHome(t)
	got := deliver(t, home, nil, spawn.Delivery{Sender: "s@x", Recipient: "joe@h.example"}, spawn.Delivery{Recipient: "Joe-A-b@h.example", Rcpt: 7, Again: true}, spawn.Delivery{Recipient: "slow@h.example"})
	told := func(flags, local, dash, ext, sender string, rcpt int) string {
		return fmt.Sprintf("Kuid %d, %q, message \"Subject: x\\n\", read-only true\n", uid(), []string{flags, "joe", "/home/joe", local, dash, ext, "h.example", sender, "./Maildir/", "id=" + id.String(), fmt.Sprintf("rcpt=%d", rcpt), ""})
	}
	for i, want := range []string{told("", "joe", "", "", "s@x", 0), told("again", "Joe-A-b", "-", "a-b", "", 7), told("", "slow", "", "", "", 0)} {
		if got[i] != want {
			t.Errorf("report %d: %q; want %q", i, got[i], want)
		}
	}
}

// TestRefusals: who is not ours is refused for good; what we cannot know is put
// off.
func TestRefusals(t *testing.T) {
	home := newHome(t)
	none, broken := newHome(t), newHome(t)
	os.Remove(filepath.Join(none, "users/cdb"))
	os.WriteFile(filepath.Join(broken, "users/cdb"), []byte("cut short"), 0o644)
	const unreadable, moved = "ZTrouble reading users/cdb. (#4.3.0)\n", spawn.Moved + " (#4.3.0)\n"
	for _, c := range []struct {
		home string
		d    spawn.Delivery
		want string
	}{
		{home, spawn.Delivery{Recipient: "nobody@h.example"}, "DSorry, no mailbox here by that name. (#5.1.1)\n"},
		{home, spawn.Delivery{Recipient: "joey@h.example"}, "DSorry, no mailbox here by that name. (#5.1.1)\n"},
		{home, spawn.Delivery{Recipient: "@h.example"}, "K"},
		{home, spawn.Delivery{Recipient: "root@h.example"}, "ZNot allowed to perform deliveries as root. (#4.7.0)\n"},
		{none, spawn.Delivery{Recipient: "joe@h.example"}, unreadable},
		{broken, spawn.Delivery{Recipient: "joe@h.example"}, unreadable},
		{none, spawn.Delivery{Recipient: "nobody@h.example"}, unreadable},
		{home, spawn.Delivery{Recipient: "joe@h.example", File: "17"}, moved},
		{home, spawn.Delivery{Recipient: "joe@h.example", File: "17", ID: 17}, moved},
		{home, spawn.Delivery{Recipient: "joe@h.example", At: "1:4096:4096"}, moved},
		{home, spawn.Delivery{Recipient: "joe@h.example", At: "../x:1"}, "Zplace \"../x:1\": malformed envelope (#4.3.0)\n"},
	} {
		if got := deliver(t, c.home, nil, c.d)[0]; got != c.want {
			t.Errorf("delivery %+v: %q; want %q", c.d, got, c.want)
		}
	}
	other := "Kuid" // root may become anybody
	if os.Getuid() != 0 {
		other = fmt.Sprintf("ZUser other has uid %d, but qmail-lspawn runs as uid %d", uid()+1, uid())
	}
	if got := deliver(t, home, nil, spawn.Delivery{Recipient: "other@h.example"})[0]; !strings.HasPrefix(got, other) {
		t.Errorf("another's delivery: %q; want %q…", got, other)
	}
}

// TestWorkerDies: what a dead worker had is reported as crashed, and the next
// delivery has a new worker; one that cannot be started puts mail off.
func TestWorkerDies(t *testing.T) {
	home := newHome(t)
	for _, who := range []string{"die", "odd"} {
		if got := deliver(t, home, nil, spawn.Delivery{Recipient: who + "@h.example"})[0]; got != crashed {
			t.Errorf("worker that does %s: %q; want %q", who, got, crashed)
		}
	}
	cmd := spawnerProcess(home, nil, "./Maildir/")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	spawn.ReadNetstring(r)
	for i, c := range []struct{ to, want string }{{"joe", "Kuid"}, {"die", crashed}, {"joe", "Kuid"}, {"die", crashed}, {"joe", "Kuid"}} {
		d := spawn.Delivery{Num: i, ID: id, File: id.String(), Recipient: c.to + "@h.example"}
		in.Write(d.Append(nil))
		s, _ := spawn.ReadNetstring(r)
		if num, report, err := spawn.ParseReport(s); num != i || !strings.HasPrefix(report, c.want) {
			t.Errorf("delivery %d to %s: %q, %v; want %q", i, c.to, s, err, c.want)
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("after the end of its input: %v", err)
	}
	if got := deliver(t, home, []string{"FAKE_WORKER=absent"}, spawn.Delivery{Recipient: "joe@h.example"})[0]; got != "ZUnable to run local-delivery. (#4.3.0)\n" {
		t.Errorf("no worker comes up: %q", got)
	}
}

// TestForeign: $QMAILLOCAL by qmail-local's contract: arguments, message, and
// the letter of its exit code.
func TestForeign(t *testing.T) {
	home := newHome(t)
	local := filepath.Join(home, "bin/qmail-local")
	foreign := func(script string, to string) string {
		t.Helper()
		if err := os.WriteFile(local, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return deliver(t, home, []string{"QMAILLOCAL=" + local}, spawn.Delivery{Sender: "s@x", Recipient: to})[0]
	}
	if got, want := foreign(`for a; do printf '[%s]' "$a"; done; cat; echo and >&2`, "joe-a@h.example"), "K[--][joe][/home/joe][joe-a][-][a][h.example][s@x][./Maildir/]Subject: x\nand\n"; got != want {
		t.Errorf("foreign delivery: %q; want %q", got, want)
	}
	for code, letter := range map[int]string{0: "K", 1: "D", 64: "D", 71: "Z", 74: "Z", 75: "Z", 99: "D", 100: "D", 111: "Z", 112: "Z", 120: "Z", 121: "Z", 122: "D"} {
		if got := foreign(fmt.Sprintf("echo text; exit %d", code), "joe@h.example"); got != letter+"text\n" {
			t.Errorf("foreign exit %d: %q; want %s", code, got, letter)
		}
	}
	for script, want := range map[string]string{
		"kill -9 $$": "Z" + local + " crashed. (#4.3.0)\n",
		"head -c 100000 /dev/zero | tr '\\000' x": "K" + strings.Repeat("x", maxOutput) + "\nError report too long, sorry.\n",
	} {
		if got := foreign(script, "joe@h.example"); got != want {
			t.Errorf("foreign %q: %.100q; want %.100q", script, got, want)
		}
	}
	if got := deliver(t, home, []string{"QMAILLOCAL=/nonexistent"}, spawn.Delivery{Recipient: "joe@h.example"})[0]; got != "ZUnable to run /nonexistent. (#4.3.0)\n" {
		t.Errorf("no such program: %q", got)
	}
}

// TestInput: what is no delivery ends the spawner with 111; usage is 100.
func TestInput(t *testing.T) {
	home := newHome(t)
	for in, want := range map[string]int{"": 0, "5:hello,": 111, "x": 111, "10:short": 111, "99999999:": 111} {
		cmd := spawnerProcess(home, nil, "./Maildir/")
		cmd.Stdin = strings.NewReader(in)
		out, _ := cmd.Output()
		if code := cmd.ProcessState.ExitCode(); code != want || string(out) != "3:120," {
			t.Errorf("input %q: exit %d, said %q; want %d", in, code, out, want)
		}
	}
	for _, args := range [][]string{nil, {"a", "b"}} {
		cmd := spawnerProcess(home, nil, args...)
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 100 {
			t.Errorf("qmail-lspawn %q: exit %d; want 100", args, code)
		}
	}
}
