// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// call is one system call of a trace: the lines of the trace at which it began
// and ended.
type call struct {
	begin, end int
	name, args string
}

// trace is the system calls of a process and its threads, in order.
type trace []call

var (
	whole      = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (.*)$`)
	unfinished = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
)

// parseTrace reads what strace -f wrote.
func parseTrace(text string) trace {
	var all trace
	waiting := make(map[string]int) // thread: index of its unfinished call
	for n, line := range strings.Split(text, "\n") {
		if m := unfinished.FindStringSubmatch(line); m != nil {
			waiting[m[1]] = len(all)
			all = append(all, call{n, 1 << 30, m[2], m[3]})
		} else if m := resumed.FindStringSubmatch(line); m != nil {
			if i, ok := waiting[m[1]]; ok {
				all[i].end = n
				all[i].args += m[3]
				delete(waiting, m[1])
			}
		} else if m := whole.FindStringSubmatch(line); m != nil {
			all = append(all, call{n, n, m[2], m[3]})
		}
	}
	return all
}

// after finds the first call that began after line `from` and whose name and
// arguments match; the test fails without one.
func (tr trace) after(t *testing.T, from int, what, name, args string) call {
	t.Helper()
	names, pattern := regexp.MustCompile("^(?:"+name+")$"), regexp.MustCompile(args)
	for _, c := range tr {
		if c.begin > from && names.MatchString(c.name) && pattern.MatchString(c.args) {
			return c
		}
	}
	var list strings.Builder
	for _, c := range tr {
		fmt.Fprintf(&list, "%d-%d %s(%.160s)\n", c.begin, c.end, c.name, c.args)
	}
	t.Fatalf("no %s (%s with %s) after line %d of the trace:\n%s", what, name, args, from, &list)
	return call{}
}

// watch traces a lab's program while f runs.
func (l *lab) watch(t *testing.T, name string, f func()) trace {
	t.Helper()
	pid := 0
	for _, p := range descendants(l.cmd.Process.Pid) {
		if p.name == name || strings.HasPrefix(name, p.name) && len(p.name) == 15 {
			pid = p.pid
		}
	}
	if pid == 0 {
		t.Fatalf("no process %s in the lab", name)
	}
	out := filepath.Join(t.TempDir(), "trace")
	s := exec.Command("strace", "-f", "-yy", "-s", "64", "-o", out, "-p", fmt.Sprint(pid),
		"-e", "trace=write,pwrite64,writev,pwritev,pwritev2,sendmsg,sendto,fsync,fdatasync,sync_file_range,link,linkat,rename,renameat,renameat2,unlink,unlinkat,openat,openat2")
	pipe, err := s.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	if n, _ := pipe.Read(buf); !strings.Contains(string(buf[:n]), "attached") {
		t.Fatalf("strace: %s", buf[:n])
	}
	time.Sleep(200 * time.Millisecond)
	f()
	time.Sleep(200 * time.Millisecond)
	s.Process.Signal(syscall.SIGINT)
	s.Wait()
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return parseTrace(string(text))
}

const writes = "write|pwrite64|writev|pwritev|pwritev2"

// answered is queued's answer to a message: K and an id of 19 digits.
const answered = `"K\\0\\0\\0\\0?23`

// TestOrderQueued: the record is written, then fdatasync'ed, and only then does
// queued answer K.
func TestOrderQueued(t *testing.T) {
	l := startLab(t)
	tr := l.watch(t, "queued", func() { l.send(t, netwatcher, "Subject: order\n\nx", sendmemail) })
	w := tr.after(t, -1, "write to the log", writes, `/queue/log/`)
	s := tr.after(t, w.end, "fdatasync of the log", "fdatasync", `/queue/log/`)
	k := tr.after(t, -1, "answer K", writes+"|sendmsg|sendto", answered)
	if k.begin < s.end {
		t.Errorf("the answer (line %d) was sent before the fdatasync ended (line %d)", k.begin, s.end)
	}
}

// TestOrderBigMessage: a message with a file of its own: the file is written
// and synced, its directory synced, then the record, then the answer.
func TestOrderBigMessage(t *testing.T) {
	l := startLab(t)
	body := "Subject: big\n\n" + strings.Repeat(strings.Repeat("x", 70)+"\n", 6000)
	tr := l.watch(t, "queued", func() { l.send(t, netwatcher, body, sendmemail) })
	f := tr.after(t, -1, "fsync of the message's file", "fsync|fdatasync", `/queue/mess/[^>]`)
	d := tr.after(t, f.end, "fsync of its directory", "fsync", `/queue/mess>`)
	w := tr.after(t, d.end, "write of the record", writes, `/queue/log/`)
	s := tr.after(t, w.end, "fdatasync of the log", "fdatasync", `/queue/log/`)
	k := tr.after(t, -1, "answer K", writes+"|sendmsg|sendto", answered)
	if k.begin < s.end {
		t.Errorf("the answer (line %d) was sent before the fdatasync ended (line %d)", k.begin, s.end)
	}
}

// TestOrderDelivery: the Maildir file is written, synced, published, and the
// directory synced, before the worker answers.
func TestOrderDelivery(t *testing.T) {
	l := startLab(t)
	l.send(t, netwatcher, "Subject: starts the worker\n\nx", sendmemail)
	l.await("sendmemail", 1)
	tr := l.watch(t, "local-delivery", func() {
		l.send(t, netwatcher, "Subject: order\n\nx", sendmemail)
		l.await("sendmemail", 2)
	})
	w := tr.after(t, -1, "write to tmp/", writes, `/Maildir/tmp/`)
	s := tr.after(t, w.end, "fsync of the file", "fsync|fdatasync", `/Maildir/tmp/[^>]`)
	p := tr.after(t, s.end, "publication in new/", "link|linkat|rename|renameat|renameat2", `Q\d+R\d+`)
	d := tr.after(t, p.end, "fsync of new/", "fsync", `/Maildir/new>`)
	tr.after(t, d.end, "answer", writes+"|sendmsg|sendto", `K`)
}

// TestOrderPOP3: pop3d unlinks at QUIT, syncs the directory, and then says +OK.
func TestOrderPOP3(t *testing.T) {
	t.Setenv("QUILLNOSANDBOX", "1") // or only root could trace a session
	l := startLab(t)
	l.send(t, netwatcher, "Subject: order\n\n.dot\nline", sendmemail)
	l.await("sendmemail", 1)
	l.fetch(t, "sendmemail", false) // starts the session program
	var greeted *talk
	tr := l.watch(t, "pop3d", func() {
		greeted = l.dial(t, "POP3")
		greeted.hear()
		greeted.want("USER "+sendmemail, "+OK")
		greeted.want("PASS lab", "+OK")
		greeted.want("DELE 1", "+OK")
		greeted.want("QUIT", "+OK")
	})
	u := tr.after(t, -1, "unlink of the message", "unlink|unlinkat", `Q\d+R\d+`)
	d := tr.after(t, u.end, "fsync of its directory", "fsync", `/Maildir/(new|cur)>`)
	tr.after(t, d.end, "+OK to QUIT", writes+"|sendmsg|sendto", `\+OK`)
	for _, c := range tr {
		if c.begin > u.end && c.begin < d.end && strings.Contains(c.args, "+OK") {
			t.Errorf("+OK was said before the directory was synced: %s(%s)", c.name, c.args)
		}
	}
}

// TestOrderSegment: a new segment is written and synced before it gets its
// name, and its directory is synced before queued is ready.
func TestOrderSegment(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "control"), 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // who owns the queue is who queued becomes
		open(t, home)
		queue := filepath.Join(home, "queue")
		if err := errors.Join(os.Mkdir(queue, 0o751), os.Chown(queue, uidOf("quillq"), uidOf("quillq"))); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "trace")
	s := exec.Command("strace", "-f", "-yy", "-s", "64", "-o", out, "-e", "trace=write,pwrite64,fsync,fdatasync,rename,renameat,renameat2", program("queued"))
	s.Env = append(os.Environ(), "QMAILHOME="+home)
	pipe, err := s.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	if n, _ := pipe.Read(buf); !strings.Contains(string(buf[:n]), "ready") {
		t.Fatalf("queued: %s", buf[:n])
	}
	for _, p := range descendants(s.Process.Pid) {
		syscall.Kill(p.pid, syscall.SIGTERM)
	}
	s.Wait()
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	tr := parseTrace(string(text))
	w := tr.after(t, -1, "write of the segment", writes, `/queue/log/next.tmp>`)
	f := tr.after(t, w.end, "fsync of the segment", "fsync", `/queue/log/next.tmp>`)
	r := tr.after(t, f.end, "its name", "rename|renameat|renameat2", `log/0000000001"`)
	d := tr.after(t, r.end, "fsync of its directory", "fsync", `/queue/log>`)
	tr.after(t, d.end, "ready", "write", `status: ready`)
}
