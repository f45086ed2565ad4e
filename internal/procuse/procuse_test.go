// SPDX-License-Identifier: ISC

package procuse

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 7 42 42 0 -1 4194560 1 2 3 4 11 12 30 4 20 0 1 0 5 6 7\n"
	for _, c := range []struct {
		text   string
		pid    int
		parent int
		waited time.Duration
		ok     bool
	}{
		{"42 (imapd)" + rest, 42, 7, 340 * time.Millisecond, true},
		{"42 (a) S 9 (b)" + rest, 42, 7, 340 * time.Millisecond, true},
		{"42 (imapd) S 7", 0, 0, 0, false},
		{"", 0, 0, 0, false},
	} {
		pid, s, ok := parseStat(c.text)
		if ok != c.ok || ok && (pid != c.pid || s.parent != c.parent || s.waited != c.waited) {
			t.Errorf("parseStat(%q) = %d, %+v, %v; want %d, parent %d, waited %v, %v", c.text, pid, s, ok, c.pid, c.parent, c.waited, c.ok)
		}
	}
}

// TestChild: a child is in the tree while it lives, and its CPU time counts when
// it has ended.
func TestChild(t *testing.T) {
	before := CPU(os.Getpid())
	if own := Clock([]int{os.Getpid()}); own <= 0 || own > CPU(os.Getpid()) {
		t.Errorf("Clock = %v; want some, and no more than CPU", own)
	}
	cmd := exec.Command("sh", "-c", "read x; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if all := Tree(os.Getpid()); !slices.Contains(all, cmd.Process.Pid) || !slices.Contains(all, os.Getpid()) {
		t.Errorf("Tree = %v; want %d and its child %d", all, os.Getpid(), cmd.Process.Pid)
	}
	both, err := Memory(os.Getpid())
	if err != nil || both <= 0 {
		t.Errorf("Memory = %d, %v; want some", both, err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	child := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if used := CPU(os.Getpid()) - before; used < child-2*tick {
		t.Errorf("CPU rose by %v; want at least the child's %v", used, child)
	}
	if all := Tree(os.Getpid()); slices.Contains(all, cmd.Process.Pid) {
		t.Errorf("Tree = %v; the child %d has ended", all, cmd.Process.Pid)
	}
}

func TestPss(t *testing.T) {
	if n, err := pss("55-7f ---p 00 00:00 0 [rollup]\nRss:   900 kB\nPss:   512 kB\nPss_Dirty:  1 kB\n"); n != 512 || err != nil {
		t.Errorf("pss = %d, %v; want 512", n, err)
	}
	if _, err := pss("Rss: 1 kB\n"); err == nil {
		t.Error("pss of a text without one = nil error; want one")
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []int
	}{{"1", []int{1}}, {"7,4194304", []int{7, 4194304}}, {"", nil}, {"0", nil}, {"1,", nil}, {"4194305", nil}, {"x", nil}} {
		if got, err := Parse(c.in); !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("Parse(%q) = %v, %v; want %v", c.in, got, err, c.want)
		}
	}
}
