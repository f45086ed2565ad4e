// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"path/filepath"
	"strings"
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
	workers map[place]*worker
}

// worker is the rest of the chain for a place.
type worker struct {
	*chain.Next
	at       place
	sessions int
	since    time.Time // it has none
}

// place is what a worker serves: a user, and the folder below which all its
// mailboxes lie, which it may confine itself to ($QUILLROOT, sandbox(7)).
type place struct {
	id   privilege.ID
	root string
}

// maxRoots is how many folders of one uid get a worker each; the rest share one
// that is not confined to a folder.
const maxRoots = 8

// session is one login: a question alone, or a connection to be passed on.
func (r *resident) session(s *chain.Session) int {
	a, code := r.check(credentials{s.Env.Value("CHECKUSER"), s.Env.Value("CHECKPASS"), s.Env.Value("TIMESTAMP")})
	if code != exit.OK || s.Stream == nil {
		return code
	}
	p := s.Packet()
	p.Env = append(without(p.Env, "CHECKUSER", "CHECKPASS", "TIMESTAMP", "RESPONSE", "MECHANISM"), variables(a)...)
	next := r.worker(place{privilege.ID{UID: a.UID, GID: a.GID}, r.root(a.Home)})
	s.Report(chain.StatusAccepted, "")
	end := s.Leave() // the worker has it now
	next.Pass(p, func(rep chain.Report) {
		if !rep.Final() {
			return
		}
		r.leave(next)
		s.Note(rep.Text)
		if code := rep.ExitCode(); code >= 0 {
			end(code)
		} else {
			end(exit.Temporary)
		}
	})
	return exit.OK
}

// mail is mail/ of our home, by its own path.
func (c *checker) mail() (string, error) { return filepath.EvalSymlinks(filepath.Join(c.home, "mail")) }

// root is the folder of an account's worker: mail/ of our home, where the
// account lives there, else its own home, and the whole tree where that cannot
// be found out.
func (c *checker) root(home string) string {
	real, err := filepath.EvalSymlinks(home)
	if err != nil || !filepath.IsAbs(real) {
		return "/"
	}
	if mail, err := c.mail(); err == nil && strings.HasPrefix(real, mail+"/") {
		return mail
	}
	return real
}

// ourselves is who a checkpassword can become that is not root.
func ourselves() privilege.ID { return privilege.ID{UID: os.Getuid(), GID: os.Getgid()} }

// worker is the worker of a place, started if there is none, for a session that
// will leave it.
func (r *resident) worker(at place) *worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	var cred *syscall.Credential
	if privilege.Root() {
		cred = at.id.Credential()
	} else {
		at.id = ourselves()
	}
	if r.workers[at] == nil && r.roots(at.id) >= maxRoots {
		at.root = "/"
	}
	if w := r.workers[at]; w != nil {
		w.sessions++
		return w
	}
	n := chain.NewNext(r.argv, chain.NextOptions{
		Env:   append(without(os.Environ(), rootVariable), rootVariable+"="+at.root),
		Cred:  cred,
		Log:   func(line string) { logf("%s", line) },
		Spawn: func(p *chain.Packet) (*chain.Process, error) { return r.spawn(p, cred) },
	})
	w := &worker{Next: n, at: at, sessions: 1}
	r.workers[at] = w
	return w
}

// rootVariable tells a worker its root.
const rootVariable = "QUILLROOT"

// roots is how many workers a user has.
func (r *resident) roots(id privilege.ID) (n int) {
	for at := range r.workers {
		if at.id == id {
			n++
		}
	}
	return n
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
		old := w.sessions == 0 && time.Since(w.since) >= r.idle && r.workers[w.at] == w
		if old {
			delete(r.workers, w.at)
		}
		r.mu.Unlock()
		if old {
			w.Close()
		}
	})
}

// spawn starts a foreign rest of the chain for one session, in its user's home.
func (r *resident) spawn(p *chain.Packet, cred *syscall.Credential) (*chain.Process, error) {
	child, err := chain.Spawn(r.argv, chain.SpawnOptions{Env: os.Environ(), Cred: cred, Dir: homeOf(p.Env)}, p)
	if err != nil {
		logf("alert: %v", err)
	}
	return child, err
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

// end tells the workers that no login will come, so that they bid their sessions
// end.
func (r *resident) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.workers {
		n.End()
	}
}

func (r *resident) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.workers {
		n.Close()
	}
}
