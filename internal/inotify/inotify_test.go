// SPDX-License-Identifier: ISC

package inotify

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, dir string) int {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

func wait(t *testing.T, c <-chan bool, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("nobody told that %s", what)
	}
}

// TestWatch: two look at one folder, one of them at another too; each hears of
// its own, and who stopped hears nothing.
func TestWatch(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	w := New()
	defer w.Close()
	first, second := make(chan bool, 100), make(chan bool, 100)
	stop, err := w.Add([]int{open(t, a), open(t, b)}, func() { first <- true })
	if err != nil {
		t.Fatal(err)
	}
	stop2, err := w.Add([]int{open(t, a)}, func() { second <- true })
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(a, "x")
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	wait(t, first, "a file was made")
	wait(t, second, "a file was made")
	stop2()
	for len(second) > 0 {
		<-second
	}
	if err := os.Rename(name, filepath.Join(b, "y")); err != nil {
		t.Fatal(err)
	}
	wait(t, first, "a file was moved")
	for len(first) > 0 {
		<-first
	}
	if err := os.Remove(filepath.Join(b, "y")); err != nil {
		t.Fatal(err)
	}
	wait(t, first, "a file was deleted")
	stop()
	if len(w.byWD) != 0 || len(w.taken) != 0 {
		t.Errorf("after all stopped %d folders are watched for %d", len(w.byWD), len(w.taken))
	}
	if n := len(second); n > 1 { // one may have been on its way
		t.Errorf("who stopped was told %d times", n)
	}
}

func TestNoFolder(t *testing.T) {
	w := New()
	defer w.Close()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Add([]int{open(t, t.TempDir()), open(t, name)}, func() {}); err == nil {
		t.Error("a file was watched as a folder")
	}
	if len(w.byWD) != 0 {
		t.Error("what was watched before the error is watched still")
	}
}
