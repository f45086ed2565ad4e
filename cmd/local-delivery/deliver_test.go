// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOddFiles: what is no .qmail file is passed over, never waited for; what
// cannot be read defers the mail.
func TestOddFiles(t *testing.T) {
	dir := home(t, map[string]string{".qmail-default": "# default\n", ".qmail-dir/x": "", "target": "&linked@x\n", "big": strings.Repeat("#\n", 200_000)})
	unix.Mkfifo(dir+"/.qmail-fifo", 0o644)
	os.Symlink("target", dir+"/.qmail-link")
	os.Symlink("big", dir+"/.qmail-big")
	os.Symlink(".qmail-loop", dir+"/.qmail-loop")
	os.Symlink("gone", dir+"/.qmail-gone")
	for ext, want := range map[string]string{
		"fifo": "did 0+0+0\n", "dir": "did 0+0+0\n", "gone": "did 0+0+0\n", strings.Repeat("x", 4096): "did 0+0+0\n",
		"link":  "forward linked@x\ndid 0+1+0\n",
		"loop":  "Unable to open .qmail-loop: too many levels of symbolic links. (#4.3.0)\n",
		"big":   "Uh-oh: .qmail file has more than 262144 bytes or 5000 instructions. (#4.2.1)\n",
		"a\nb":  "Sorry, no mailbox here by that name. (#5.1.1)\n",
		"a\x7f": "Sorry, no mailbox here by that name. (#5.1.1)\n",
	} {
		if got, _ := run(t, nil, letterX, "-n", "joe", dir, "joe-"+ext, "-", ext, "h", "s@x", "./M"); got != want {
			t.Errorf("ext %.20q = %q; want %q", ext, got, want)
		}
	}
}

// TestOutside: a relative name leads nowhere outside the home; a full path does.
func TestOutside(t *testing.T) {
	other := home(t, map[string]string{"Maildir/": ""})
	dir := home(t, nil)
	os.Symlink(other+"/Maildir", dir+"/Maildir")
	os.Symlink(other+"/mbox", dir+"/mbox")
	for line, part := range map[string]string{"./Maildir/": "name its target by a full path", "./mbox": "Unable to open ./mbox", "../x/": "Unable to chdir to maildir", "./../mbox": "Unable to open"} {
		if out, code := run(t, nil, letterX, "joe", dir, "joe", "", "", "h", "s@x", line); code != 111 || !strings.Contains(out, part) {
			t.Errorf("%s = %d, %q; want 111, %q", line, code, out, part)
		}
	}
	for _, line := range []string{other + "/Maildir/", other + "/mbox"} {
		if out, code := run(t, nil, letterX, "joe", dir, "joe", "", "", "h", "s@x", line); code != 0 {
			t.Errorf("%s = %d, %q; want 0", line, code, out)
		}
	}
	os.Mkdir(dir+"/Odd", 0o700)
	for _, d := range []string{"tmp", "new", "cur"} {
		os.Symlink(other+"/Maildir/"+d, dir+"/Odd/"+d)
	}
	if out, code := run(t, nil, letterX, "joe", dir, "joe", "", "", "h", "s@x", "./Odd/"); code != 111 {
		t.Errorf("a Maildir of links = %d, %q; want 111", code, out)
	}
}

// TestMboxUndone: an mbox that could not be written has its old size again; one
// that others hold, or that is no file, defers the mail.
func TestMboxUndone(t *testing.T) {
	dir := home(t, map[string]string{"mbox": "From old\n\n"})
	cmd := exec.Command("/bin/sh", "-c", `ulimit -f 8; exec "$@"`, "sh", os.Args[0], "joe", dir, "joe", "", "", "h", "s@x", "./mbox")
	cmd.Env = []string{"TEST_AS_LOCAL_DELIVERY=1"}
	message := filepath.Join(t.TempDir(), "m")
	os.WriteFile(message, []byte(strings.Repeat("x\n", 100_000)), 0o600)
	f, err := os.Open(message)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd.Stdin = f
	if out, code := finish(t, cmd); code != 111 || !strings.Contains(out, "Unable to write ./mbox: file too large. (#4.3.0)") {
		t.Errorf("mbox with too small a limit = %d, %q", code, out)
	}
	if b, _ := os.ReadFile(dir + "/mbox"); string(b) != "From old\n\n" {
		t.Errorf("mbox after a failure has %d bytes; want the old 10", len(b))
	}
	unix.Mkfifo(dir+"/fifo", 0o600)
	os.Mkdir(dir+"/folder", 0o700)
	for _, name := range []string{"./fifo", "./folder", "/dev/null"} {
		if out, code := run(t, nil, letterX, "joe", dir, "joe", "", "", "h", "s@x", name); code != 111 || !strings.HasPrefix(out, "Unable to open") {
			t.Errorf("mbox %s = %d, %q; want 111", name, code, out)
		}
	}
	held, err := os.Open(dir + "/mbox")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	syscall.Flock(int(held.Fd()), syscall.LOCK_EX)
	box, err := os.OpenFile(dir+"/mbox", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	if err := lockFile(box, 30*time.Millisecond); err == nil || !strings.Contains(err.Error(), "locked for 30 seconds") {
		t.Errorf("lockFile of a locked file = %v", err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		time.Sleep(50 * time.Millisecond)
		syscall.Flock(int(held.Fd()), syscall.LOCK_UN)
	})
	if err := lockFile(box, 10*time.Second); err != nil {
		t.Errorf("lockFile of a file that is freed = %v", err)
	}
}

// TestProgramsProcess: where a program runs and what it inherits.
func TestProgramsProcess(t *testing.T) {
	dir := home(t, map[string]string{".qmail": `|pwd; umask; echo "$$ $(ps -o pgid= -p $$)" | awk '{print ($1==$2)}'; for f in /proc/self/fd/*; do case $f in */[012]|*/fd/255) ;; *) test -e $f && echo leaked $f;; esac; done; sh -c 'kill -PIPE $$; echo immortal'; echo $?` + "\n|true\n"})
	leak, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	message := filepath.Join(t.TempDir(), "m")
	os.WriteFile(message, []byte(strings.Repeat("0123456789\n", 1<<20)), 0o600) // |true reads none of it
	f, err := os.Open(message)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := deliverer(nil, "joe", dir, "joe", "", "", "h", "s@x", "./M")
	cmd.Stdin, cmd.ExtraFiles = f, []*os.File{leak, leak, leak}
	out, code := finish(t, cmd)
	if want := dir + "\n0077\n1\n141\ndid 0+0+2\n"; out != want || code != 0 {
		t.Errorf("a program sees %d, %q; want 0, %q", code, out, want)
	}
}

// inProcess is a job of a worker's kind that needs no other process.
func inProcess(t *testing.T, files map[string]string, l limits, args ...string) (*job, *report) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "m"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	f.WriteString(letterX)
	r := &report{limit: 3000}
	j := &job{office: testOffice(nil), limits: l, msg: f, out: r, err: r}
	j.progIn = j.ownCopy
	dir := home(t, files)
	if !j.arguments(append([]string{"joe", dir}, args...)) {
		t.Fatal("arguments")
	}
	return j, r
}

// TestProgramLimits: a program that runs or writes without end is stopped, with
// all it started; one that leaves something behind is not waited for.
func TestProgramLimits(t *testing.T) {
	defer adopt(t)()
	l := defaultLimits
	l.program, l.output = 300*time.Millisecond, 1<<20
	for command, want := range map[string]string{
		"sleep 100 & sleep 100":                   "Program ran for too long and was stopped. (#4.3.0)\n111",
		"echo before; exec cat /dev/zero":         "before\n",
		"sleep 100 & echo $! > pid; echo now":     "now\ndid 0+0+1\n0",
		"trap '' TERM; while :; do sleep 1; done": "Program ran for too long and was stopped. (#4.3.0)\n111",
	} {
		begin := time.Now()
		j, r := inProcess(t, map[string]string{".qmail": "|" + command + "\n"}, l, "joe", "", "", "h", "s@x", "./M")
		code := j.run()
		got := r.String() + fmt.Sprint(code)
		if want == "before\n" { // the flood
			if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, tooLong+"111") || len(got) > 3100 {
				t.Errorf("a flood = %.50q… (%d bytes)", got, len(got))
			}
		} else if got != want {
			t.Errorf("program %q = %q; want %q", command, got, want)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("program %q took %v", command, d)
		}
		if pid, err := os.ReadFile(j.to.Home + "/pid"); err == nil {
			n, _ := strconv.Atoi(strings.TrimSpace(string(pid)))
			syscall.Kill(n, syscall.SIGKILL)
		}
	}
}

// adopt makes this process the parent of orphans below it; the function it gives
// waits for all of them, so that a test leaves none behind.
func adopt(t *testing.T) (reap func()) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	return func() {
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			switch pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); {
			case err == unix.ECHILD:
				return
			case pid == 0:
				time.Sleep(time.Millisecond)
			}
		}
		t.Error("a program's children are still there")
	}
}

// TestReport: what does not fit is dropped, and that is said.
func TestReport(t *testing.T) {
	for n, want := range map[int]string{2999: "", 3000: "", 3001: tooLong} {
		r := &report{limit: 3000}
		io.WriteString(r, strings.Repeat("x", n-10))
		io.WriteString(r, strings.Repeat("x", 10))
		if got := r.String(); got != strings.Repeat("x", min(n, 3000))+want {
			t.Errorf("report of %d bytes has %d", n, len(got))
		}
	}
}
