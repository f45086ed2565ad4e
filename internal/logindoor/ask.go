// SPDX-License-Identifier: ISC

package logindoor

import (
	"os"
	"slices"

	"quill/internal/chain"
	"quill/internal/exit"
	"quill/internal/login"
	"quill/internal/ucspi"
)

// verdictOf is what became of a login, by the exit code of who was asked.
func verdictOf(code int) login.Verdict {
	switch {
	case code == 0:
		return login.Taken
	case code == 1:
		return login.Refused
	case code < 0:
		return login.Crashed
	}
	return login.Temporary
}

// ask asks the rest of the chain about a login; code is that of a session that
// has ended.
func (d *Door) ask(s *chain.Session, c login.Credentials, ahead []byte, vars []string) (verdict login.Verdict, code int) {
	switch {
	case d.guard != nil:
		return verdictOf(askGuard(d.guard, c, vars)), exit.OK
	case d.next == nil:
		return verdictOf(d.askSpawned(c, vars)), exit.OK
	}
	p := s.Packet()
	p.Ahead = ahead
	p.Env = slices.Concat(p.Env, vars, []string{"CHECKUSER=" + c.User, "CHECKPASS=" + c.Secret, "TIMESTAMP=" + c.Timestamp})
	first := make(chan chain.Report, 1)
	var end func(int) // once another program has the session
	d.next.Pass(p, func(r chain.Report) {
		switch {
		case end != nil && r.Final():
			end(max(r.ExitCode(), exit.OK))
		case end != nil:
		case r.Status == chain.StatusAccepted:
			end = s.Leave()
			first <- r
		case r.Final():
			first <- r
		}
	})
	r := <-first
	if r.Status == chain.StatusAccepted {
		s.Stream.Close() // the other has it now
		return login.Taken, exit.OK
	}
	// A foreign program that exits 0 had the session and ended it.
	return verdictOf(r.ExitCode()), max(r.ExitCode(), exit.OK)
}

// askSpawned runs the rest of the chain for this login, with the credentials on
// descriptor 3 (checkpassword(8)), and gives its exit code, -1 for a crash.
func (d *Door) askSpawned(c login.Credentials, vars []string) int {
	r, err := credentials(c)
	if err != nil {
		return exit.Temporary
	}
	defer r.Close()
	path, err := chain.Find(d.Argv)
	if err != nil {
		d.logf("%v", err)
		return exit.Temporary
	}
	proc, err := os.StartProcess(path, d.Argv, &os.ProcAttr{
		Env:   ucspi.Process().With(vars).List(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, r},
	})
	if err != nil {
		d.logf("%v", err)
		return exit.Temporary
	}
	st, err := proc.Wait()
	if err != nil {
		return -1
	}
	return st.ExitCode() // -1 where a signal ended it
}

// credentials is a pipe that holds them: they are fewer bytes than a pipe takes
// at once.
func credentials(c login.Credentials) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, err = w.Write(c.Bytes())
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// spawnForeign starts a checkpassword of others for one login in the resident
// shape: the packet's credentials go to descriptor 3 and not into its
// environment.
func (d *Door) spawnForeign(p *chain.Packet) (*chain.Process, error) {
	var c login.Credentials
	p.Env = takeSecrets(p.Env, &c)
	r, err := credentials(c)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	child, err := chain.Spawn(d.Argv, chain.SpawnOptions{Env: os.Environ(), Files: []*os.File{r}}, p)
	if err != nil {
		d.logf("%v", err)
	}
	return child, err
}

// takeSecrets takes the credentials out of a packet's variables.
func takeSecrets(env []string, c *login.Credentials) []string {
	var rest []string
	for _, kv := range env {
		switch {
		case cut(kv, "CHECKUSER=", &c.User), cut(kv, "CHECKPASS=", &c.Secret), cut(kv, "TIMESTAMP=", &c.Timestamp):
		default:
			rest = append(rest, kv)
		}
	}
	return rest
}

func cut(kv, prefix string, into *string) bool {
	if len(kv) < len(prefix) || kv[:len(prefix)] != prefix {
		return false
	}
	*into = kv[len(prefix):]
	return true
}
