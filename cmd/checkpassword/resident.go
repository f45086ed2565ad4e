// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"sync"
	"syscall"

	"quill/internal/chain"
	"quill/internal/exit"
	"quill/internal/privilege"
)

// resident checks logins that come as packets, and passes them on to the
// workers of their uids.
type resident struct {
	*checker
	argv []string

	mu      sync.Mutex
	workers map[privilege.ID]*chain.Next // the rest of the chain, by user
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

// worker is the rest of the chain as this user.
func (r *resident) worker(id privilege.ID) *chain.Next {
	r.mu.Lock()
	defer r.mu.Unlock()
	var cred *syscall.Credential
	if privilege.Root() {
		cred = id.Credential()
	} else {
		id = privilege.ID{UID: os.Getuid(), GID: os.Getgid()} // we can be nobody else
	}
	if n := r.workers[id]; n != nil {
		return n
	}
	n := chain.NewNext(r.argv, chain.NextOptions{Cred: cred, Log: func(line string) { logf("%s", line) }, Spawn: func(p *chain.Packet) uint32 { return r.spawn(p, cred) }})
	r.workers[id] = n
	return n
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
