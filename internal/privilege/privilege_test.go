// SPDX-License-Identifier: ISC

package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain re-runs this test binary as the program that gives up root.
func TestMain(m *testing.M) {
	if os.Getenv("PART") == "drop" {
		os.Exit(drop())
	}
	os.Exit(m.Run())
}

// drop has many threads, gives up root, and prints what each of them is.
func drop() int {
	for range 8 {
		go func() {
			runtime.LockOSThread()
			time.Sleep(time.Minute)
		}()
	}
	time.Sleep(50 * time.Millisecond)
	if err := FromRoot(); err != nil {
		fmt.Println(err)
		return 111
	}
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		fmt.Print(string(b))
	}
	for _, back := range []error{syscall.Setuid(0), syscall.Setresuid(-1, 0, -1), syscall.Setgid(0), syscall.Setgroups([]int{0})} {
		if back == nil {
			fmt.Println("root came back")
		}
	}
	return 0
}

// TestFromRoot: root becomes UID and GID in every thread, for good; who is not
// root stays the same whatever they say.
func TestFromRoot(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"PART=drop", "UID=61201", "GID=61202"}
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil || strings.Contains(text, "came back") {
		t.Fatalf("%v\n%s", err, text)
	}
	uid, gid := 61201, 61202
	if !Root() {
		uid, gid = os.Getuid(), os.Getgid()
	}
	threads := strings.Count(text, "\nUid:")
	for _, line := range []string{fmt.Sprintf("\nUid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", uid), fmt.Sprintf("\nGid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", gid), "\nCapEff:\t0000000000000000\n", "\nCapPrm:\t0000000000000000\n"} {
		if n := strings.Count(text, line); n != threads || threads < 8 {
			t.Errorf("%d of %d threads have %q\n%s", n, threads, line, text)
		}
	}
	if n := strings.Count(text, "\nGroups:\t \n") + strings.Count(text, "\nGroups:\t\n"); Root() && n != threads {
		t.Errorf("%d of %d threads have no groups", n, threads)
	}
}

// TestFromEnv: two numbers, and not root's.
func TestFromEnv(t *testing.T) {
	for _, c := range []struct {
		uid, gid string
		want     ID
	}{
		{"12", "34", ID{12, 34}}, {"12", "0", ID{12, 0}},
		{"", "", ID{}}, {"12", "", ID{}}, {"", "34", ID{}}, {"0", "34", ID{}}, {"00", "34", ID{}}, {"-1", "34", ID{}}, {"12", "-1", ID{}},
		{"quilld", "34", ID{}}, {"4294967296", "34", ID{}}, {"4294967295", "34", ID{}}, {"12", "4294967295", ID{}}, {" 12", "34", ID{}},
	} {
		t.Setenv("UID", c.uid)
		t.Setenv("GID", c.gid)
		if got, err := FromEnv(); got != c.want || (err == nil) != (c.want != ID{}) || err != nil && !errors.Is(err, ErrNobody) {
			t.Errorf("FromEnv() with UID=%q GID=%q = %v, %v; want %v", c.uid, c.gid, got, err, c.want)
		}
	}
}

// TestDropRefuses: nobody becomes root, and only root becomes somebody.
func TestDropRefuses(t *testing.T) {
	for _, id := range []ID{{0, 0}, {0, 5}, {-1, 5}, {5, -1}} {
		if err := id.Drop(); err == nil {
			t.Fatalf("%v.Drop() = nil; want a refusal", id)
		}
	}
	if !Root() {
		if err := (ID{os.Getuid() + 1, os.Getgid()}).Drop(); err == nil {
			t.Error("Drop() to another uid without being root = nil; want a refusal")
		}
	}
}

// TestOwnerOf: the owner of a folder, who is not root.
func TestOwnerOf(t *testing.T) {
	dir := t.TempDir()
	want := ID{os.Getuid(), os.Getgid()}
	if Root() {
		if _, err := OwnerOf(dir); err == nil {
			t.Error("OwnerOf a folder of root's = nil error; want one")
		}
		want = ID{61201, 61202}
		if err := os.Chown(dir, want.UID, want.GID); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := OwnerOf(dir); err != nil || got != want {
		t.Errorf("OwnerOf(dir) = %v, %v; want %v", got, err, want)
	}
	if _, err := OwnerOf(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("OwnerOf a folder that is not there: %v", err)
	}
}
