// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFullDisk: a lab whose queue lies on a small tmpfs that somebody fills:
// new mail is refused with 451, what is queued is delivered, and all goes on
// when there is room. It makes the mount in a namespace of its own (unshare(1)).
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	open(t, filepath.Dir(dir))
	t.Run("make", func(t *testing.T) { resumeLab(t, dir) })
	l := labOnTmpfs(t, dir)
	box := filepath.Join(dir, "mail/testingsmtp.org/sendmemail/.qmail")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(box, "|exit 111\n")
	const queued = 5
	for range queued {
		l.send(t, netwatcher, "Subject: waits\n\nx", sendmemail)
	}
	filler := filepath.Join("/proc", l.env["PID"], "root", dir, "queue/filler")
	fill(t, filler)
	refusedAt := 0
	for i := range 20000 {
		if got := l.try(t); strings.HasPrefix(got, "451") {
			refusedAt = i
			break
		}
	}
	got := l.try(t)
	if !strings.HasPrefix(got, "451 4.3.0") {
		t.Fatalf("on a full disk (after %d mails): %q; want 451 4.3.0", refusedAt, got)
	}
	os.Remove(box)
	for _, p := range descendants(l.cmd.Process.Pid) {
		if p.name == "qmail-send" {
			syscall.Kill(p.pid, syscall.SIGALRM)
		}
	}
	l.await("sendmemail", queued)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if got = l.try(t); strings.HasPrefix(got, "250 ") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("20 s after there was room again: %q; want 250", got)
		}
	}
}

// labOnTmpfs starts the lab in dir with a tmpfs on its queue folder.
func labOnTmpfs(t *testing.T, dir string) *lab {
	t.Helper()
	script := `mount -t tmpfs -o size=24m,mode=0755 tmpfs "$1/queue" && chown --reference="$1" "$1/queue" && exec "$2" lab "$1"`
	flags := []string{"-m"}
	if os.Getuid() != 0 {
		flags = []string{"-rm"}
	}
	l := &lab{t: t, dir: dir, out: new(safeBuffer)}
	l.cmd = exec.Command("unshare", append(flags, "sh", "-c", script, "sh", dir, program("quill"))...)
	l.begin(t)
	l.env["PID"] = strconv.Itoa(l.cmd.Process.Pid)
	return l
}

// fill writes until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4096} {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
}

// try sends one mail to netwatcher and gives the reply to its data, or to the
// first command that was refused.
func (l *lab) try(t *testing.T) string {
	t.Helper()
	c := l.dial(t, "SMTP")
	defer c.Close()
	c.hear()
	for _, line := range []string{"EHLO laptop.testingsmtp.org", "MAIL FROM:<" + netwatcher + ">", "RCPT TO:<" + netwatcher + ">", "DATA"} {
		if got := c.say(line); got[0] != '2' && got[0] != '3' {
			return got
		}
	}
	return c.say("Subject: fills\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 800) + ".")
}
