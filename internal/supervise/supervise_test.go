// SPDX-License-Identifier: ISC

package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"quill/internal/tai64n"
)

// service makes a service of a run script, in a folder of its own.
func service(t *testing.T, script string) Service {
	t.Helper()
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	if err := os.WriteFile(run, []byte("#!/bin/sh\n"+script+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return Service{Name: "test", Script: run, Dir: dir, Env: []string{"PATH=/usr/bin:/bin", "SEEN=it"}, Log: filepath.Join(dir, "log")}
}

// logged is a service's log without the labels, which must be TAI64N and
// ascend.
func logged(t *testing.T, s Service) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Log, "current"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	last := ""
	for line := range strings.Lines(string(text)) {
		if _, ok := tai64n.Parse(line); !ok || line[:tai64n.Len] < last {
			t.Errorf("line %q after label %q", line, last)
		}
		last = line[:tai64n.Len]
		b.WriteString(line[tai64n.Len+1:])
	}
	return b.String()
}

// await waits until the log of a service has so many lines that begin so.
func await(t *testing.T, s Service, n int, prefix string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(s.Log, "current"))
		if strings.Count(string(text), " "+prefix) >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not %d lines %q within 20 s:\n%s", n, prefix, text)
		}
	}
}

// alive says whether a process exists that is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// pids is the numbers after a word in the log.
func pids(t *testing.T, s Service, word string) (out []int) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^`+word+` (\d+)$`).FindAllStringSubmatch(logged(t, s), -1) {
		n, _ := strconv.Atoi(m[1])
		out = append(out, n)
	}
	return out
}

// TestRun: a service runs in its folder with its environment alone; both its
// outputs are its log.
func TestRun(t *testing.T) {
	t.Parallel()
	s := service(t, `pwd; echo "$SEEN ${HOME-unset}" >&2; exec sleep 1000`)
	var g Group
	if err := g.Start(s); err != nil {
		t.Fatal(err)
	}
	await(t, s, 1, "it unset")
	g.Stop()
	if got, want := logged(t, s), s.Dir+"\nit unset\n"; got != want {
		t.Errorf("log %q; want %q", got, want)
	}
}

// TestRestart: what dies is started again at once, and then at most once a
// second. Of several the quickest counts: a machine may be busy.
func TestRestart(t *testing.T) {
	t.Parallel()
	var g Group
	var all []Service
	start := time.Now()
	for range 5 {
		s := service(t, "echo up; exit 3")
		if err := g.Start(s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	quickest := time.Hour
	for _, s := range all {
		await(t, s, 3, "up")
		if took := time.Since(start); took < restartPause {
			t.Errorf("the second restart came after %v; want at least %v", took, restartPause)
		}
		text, _ := os.ReadFile(filepath.Join(s.Log, "current"))
		lines := strings.SplitN(string(text), "\n", 4)
		died, _ := tai64n.Parse(lines[1])
		again, _ := tai64n.Parse(lines[2])
		quickest = min(quickest, again.Sub(died))
	}
	if quickest >= restartPause {
		t.Errorf("the first restart came after %v; want at once", quickest)
	}
	g.Stop()
	if got := logged(t, all[0]); !strings.HasPrefix(got, "up\nsupervise: warning: test ended (exit status 3), starting it again\nup\n") {
		t.Errorf("log %q", got)
	}
}

// TestStop: TERM lets a service finish; its children that finish by themselves
// may, what does not is killed, and nothing is left.
func TestStop(t *testing.T) {
	t.Parallel()
	s := service(t, `trap 'echo bye; exit 0' TERM
(trap '' TERM; echo stubborn $(exec sh -c 'echo $PPID'); while :; do sleep 0.05; done) &
echo service $$
while :; do sleep 0.05; done`)
	var g Group
	if err := g.Start(s); err != nil {
		t.Fatal(err)
	}
	await(t, s, 1, "stubborn")
	await(t, s, 1, "service")
	g.Stop()
	if got := logged(t, s); !strings.HasSuffix(got, "bye\n") || strings.Contains(got, "starting it again") {
		t.Errorf("log %q; want it to end with bye", got)
	}
	for _, pid := range append(pids(t, s, "service"), pids(t, s, "stubborn")...) {
		for end := time.Now().Add(5 * time.Second); alive(pid) && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		}
		if alive(pid) {
			t.Errorf("process %d is left", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// TestStopOrder: the last one that was started ends first.
func TestStopOrder(t *testing.T) {
	t.Parallel()
	var g Group
	note := filepath.Join(t.TempDir(), "note")
	for _, name := range []string{"one", "two", "three"} {
		s := service(t, "trap 'echo "+name+" >>"+note+"; exit 0' TERM; echo up; while :; do sleep 0.01; done")
		if err := g.Start(s); err != nil {
			t.Fatal(err)
		}
		await(t, s, 1, "up")
	}
	g.Stop()
	if got, _ := os.ReadFile(note); string(got) != "three\ntwo\none\n" {
		t.Errorf("ended in the order %q", got)
	}
	g.Stop() // once more does nothing
}

// TestStopWhileDown: a service that is just between two starts does not come
// up again.
func TestStopWhileDown(t *testing.T) {
	t.Parallel()
	s := service(t, "echo up >>ups; exit 1")
	var g Group
	if err := g.Start(s); err != nil {
		t.Fatal(err)
	}
	await(t, s, 2, "supervise: warning")
	g.Stop()
	before, _ := os.ReadFile(filepath.Join(s.Dir, "ups"))
	time.Sleep(restartPause + 100*time.Millisecond)
	if after, _ := os.ReadFile(filepath.Join(s.Dir, "ups")); len(before) == 0 || string(after) != string(before) {
		t.Errorf("starts until the stop %q, and later %q", before, after)
	}
}

// TestLog: long lines are cut, the last one is ended, files are turned by size
// and the oldest forgotten.
func TestLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := openLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.copy(strings.NewReader("one\n" + strings.Repeat("x", logBuffer+10) + "\nno end"))
	s := Service{Log: dir}
	if got, want := logged(t, s), "one\n"+strings.Repeat("x", logBuffer)+"\n"+strings.Repeat("x", 10)+"\nno end\n"; got != want {
		t.Errorf("log has %d bytes; want %d", len(got), len(want))
	}
	if l, err = openLog(dir); err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("y", 1000) + "\n"
	l.copy(strings.NewReader(strings.Repeat(line, (logKeep+3)*(logSize/1000))))
	old, _ := filepath.Glob(filepath.Join(dir, "@*.s"))
	if len(old) != logKeep {
		t.Errorf("%d old logs; want %d", len(old), logKeep)
	}
	for _, f := range append(old, filepath.Join(dir, "current")) {
		if st, err := os.Stat(f); err != nil || st.Size() > logSize+2*logBuffer {
			t.Errorf("%s: %v, %v", f, st, err)
		}
	}
}

// TestUnable: a log folder that cannot be made is an error, not a service
// without a log.
func TestUnable(t *testing.T) {
	s := service(t, "echo up")
	os.WriteFile(s.Log, nil, 0o644)
	var g Group
	if err := g.Start(s); err == nil {
		t.Error("Start with a file in place of the log's folder: no error")
	}
	g.Stop()
}
