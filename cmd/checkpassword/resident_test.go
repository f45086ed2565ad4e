// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"testing"
	"time"

	"quill/internal/privilege"
)

// TestIdleWorkers: a worker that has no session for a while is ended, and not
// before.
func TestIdleWorkers(t *testing.T) {
	r := &resident{checker: newChecker(t.TempDir()), argv: []string{"true"}, idle: 100 * time.Millisecond, workers: make(map[place]*worker)}
	at := place{privilege.ID{UID: os.Getuid(), GID: os.Getgid()}, "/"}
	w := r.worker(at)
	if again := r.worker(at); again != w || w.sessions != 2 {
		t.Fatalf("a second session has worker %p with %d sessions; want the first's, %p, with 2", again, w.sessions, w)
	}
	r.leave(w)
	time.Sleep(200 * time.Millisecond)
	if r.count() != 1 {
		t.Fatal("a worker with a session was ended")
	}
	r.leave(w)
	for end := time.Now().Add(20 * time.Second); r.count() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a worker without a session is there after 20 s")
		}
	}
	if next := r.worker(at); next == w {
		t.Error("an ended worker is used again")
	}
}

func (r *resident) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.workers)
}
