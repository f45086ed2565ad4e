// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/privilege"
	"quill/internal/spawn"
	"quill/internal/users"
)

// worker is a resident local-delivery of one uid.
type worker struct {
	child *chain.Child
	id    privilege.ID
	users int       // deliveries that have it; the spawner's lock holds for this
	since time.Time // there are none

	mu      sync.Mutex
	dead    bool
	waiting map[uint64]chan string
}

// startTries is how often a worker that does not come up is started before its
// deliveries are put off.
const startTries = 3

// crashed is the report of deliveries whose worker died.
const crashed = spawn.Crashed + ". (#4.3.0)\n"

// idleLimit is how long a worker stays that has nothing to do, where there may be
// one for each user.
const idleLimit = 5 * time.Minute

// worker is the user's worker, started if there is none, for a delivery that
// will leave it. It runs with the uid
// and gid of the user's entry, and no other groups.
func (s *spawner) worker(e users.Entry) (*worker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := privilege.ID{UID: e.UID, GID: e.GID}
	if !privilege.Root() {
		id.GID = os.Getgid() // we can be nobody else
	}
	if w := s.workers[id]; w != nil && !w.gone() {
		w.users++
		return w, nil
	}
	child, err := chain.StartChild([]string{"local-delivery"}, os.Environ(), credential(e))
	for tries := 1; err != nil && tries < startTries; tries++ {
		logf("warning: starting local-delivery for uid %d: %v, trying again", e.UID, err)
		child, err = chain.StartChild([]string{"local-delivery"}, os.Environ(), credential(e))
	}
	if err != nil {
		return nil, err
	}
	w := &worker{child: child, id: id, users: 1, waiting: make(map[uint64]chan string)}
	s.workers[id] = w
	go w.hear()
	return w, nil
}

// leave ends a delivery's use of a worker, and the worker where nobody uses it
// for a while.
func (s *spawner) leave(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.users--; w.users > 0 || s.idle == 0 {
		return
	}
	w.since = time.Now()
	time.AfterFunc(s.idle, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if w.users == 0 && time.Since(w.since) >= s.idle && s.workers[w.id] == w {
			delete(s.workers, w.id)
			w.close()
		}
	})
}

// credential is whom to run as: nobody else where we are not root.
func credential(e users.Entry) *syscall.Credential {
	if !privilege.Root() {
		return nil
	}
	return privilege.ID{UID: e.UID, GID: e.GID}.Credential()
}

func (w *worker) gone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// ask sends a job; the answer comes on the channel.
func (w *worker) ask(j *spawn.Job, message *os.File) chan string {
	answer := make(chan string, 1)
	w.mu.Lock()
	if w.dead {
		w.mu.Unlock()
		answer <- crashed
		return answer
	}
	w.waiting[j.Serial] = answer
	w.mu.Unlock()
	if err := w.child.Link.Send(j.Packet(), int(message.Fd())); err != nil {
		w.answer(j.Serial, crashed)
	}
	return answer
}

func (w *worker) answer(serial uint64, report string) {
	w.mu.Lock()
	answer := w.waiting[serial]
	delete(w.waiting, serial)
	w.mu.Unlock()
	if answer != nil {
		answer <- report
	}
}

func (w *worker) forget(serial uint64) {
	w.mu.Lock()
	delete(w.waiting, serial)
	w.mu.Unlock()
}

// hear reads answers until the worker ends; what it left is reported as
// crashed.
func (w *worker) hear() {
	for {
		b, fds, err := w.child.Link.Recv()
		for _, fd := range fds {
			unix.Close(fd)
		}
		if err != nil {
			break
		}
		serial, report, err := spawn.ParseAnswer(b)
		if err != nil {
			logf("alert: answer of local-delivery mangled")
			w.child.Kill()
			break
		}
		w.answer(serial, report)
	}
	w.mu.Lock()
	w.dead = true
	left := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	for _, answer := range left {
		answer <- crashed
	}
	w.child.Wait()
	w.child.Link.Close()
}

func (w *worker) close() { w.child.Link.CloseWrite() }
