// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"sync"
	"syscall"
	"time"

	"quill/internal/chain"
	"quill/internal/exit"
	"quill/internal/privilege"
)

// resident checks logins that come as packets, and passes them on to the
// workers of their uids.
type resident struct {
	*checker
	argv []string
	idle time.Duration // how long a worker stays that has no session; 0 is for ever

	mu      sync.Mutex
	workers map[privilege.ID]*worker
}

// worker is the rest of the chain as a user.
type worker struct {
	*chain.Next
	id       privilege.ID
	sessions int
	since    time.Time // it has none
}

// session is one login: a question alone, or a connection to be passed on.
func (r *resident) session(s *chain.Session) int {
	a, code := r.check(credentials{s.Env.Value("CHECKUSER"), s.Env.Value("CHECKPASS"), s.Env.Value("TIMESTAMP")})
	if code != exit.OK || s.Stream == nil {
		return code
	}
	p := s.Packet()
	p.Env = append(without(p.Env, "CHECKUSER", "CHECKPASS", "TIMESTAMP", "RESPONSE", "MECHANISM"), variables(a)...)
	end := make(chan chain.Report, 1)
	next := r.worker(privilege.ID{UID: a.UID, GID: a.GID})
	defer r.leave(next)
	s.Report(chain.StatusAccepted, "")
	next.Pass(p, func(rep chain.Report) {
		if rep.Final() {
			end <- rep
		}
	})
	s.Stream.Close() // the worker has it now
	rep := <-end
	if rep.Text != "" {
		s.Note(rep.Text)
	}
	if rep.ExitCode() < 0 {
		return exit.Temporary
	}
	return rep.ExitCode()
}

// worker is the user's worker, started if there is none, for a session that will
// leave it.
func (r *resident) worker(id privilege.ID) *worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	var cred *syscall.Credential
	if privilege.Root() {
		cred = id.Credential()
	} else {
		id = privilege.ID{UID: os.Getuid(), GID: os.Getgid()} // we can be nobody else
	}
	if w := r.workers[id]; w != nil {
		w.sessions++
		return w
	}
	n := chain.NewNext(r.argv, chain.NextOptions{Cred: cred, Log: func(line string) { logf("%s", line) }, Spawn: func(p *chain.Packet) uint32 { return r.spawn(p, cred) }})
	w := &worker{Next: n, id: id, sessions: 1}
	r.workers[id] = w
	return w
}

// leave ends a session's use of a worker. One that nobody uses for a while is
// ended: there may be as many as there are users.
func (r *resident) leave(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.sessions--; w.sessions > 0 || r.idle == 0 {
		return
	}
	w.since = time.Now()
	time.AfterFunc(r.idle, func() {
		r.mu.Lock()
		old := w.sessions == 0 && time.Since(w.since) >= r.idle && r.workers[w.id] == w
		if old {
			delete(r.workers, w.id)
		}
		r.mu.Unlock()
		if old {
			w.Close()
		}
	})
}

// spawn runs a foreign rest of the chain for one session, in its user's home.
func (r *resident) spawn(p *chain.Packet, cred *syscall.Credential) uint32 {
	child, err := chain.Spawn(r.argv, chain.SpawnOptions{Env: os.Environ(), Cred: cred, Dir: homeOf(p.Env)}, p)
	if err != nil {
		logf("alert: %v", err)
		return chain.Exited(exit.Temporary)
	}
	return child.Wait()
}

func homeOf(env []string) string {
	home := "/"
	for _, kv := range env {
		if len(kv) > 5 && kv[:5] == "HOME=" {
			home = kv[5:]
		}
	}
	return home
}

func (r *resident) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.workers {
		n.Close()
	}
}
