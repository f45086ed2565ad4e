// SPDX-License-Identifier: ISC

package main

import (
	"os"

	"quill/internal/chain"
	"quill/internal/exit"
	"quill/internal/pop3"
)

// verdictOf is what became of a login, by the exit code of who was asked.
func verdictOf(code int) pop3.Verdict {
	switch {
	case code == 0:
		return pop3.Taken
	case code == 1:
		return pop3.Refused
	case code < 0:
		return pop3.Crashed
	}
	return pop3.Temporary
}

// ask asks the rest of the chain about a login; status is how a session ended.
func (d *door) ask(s *chain.Session, c pop3.Credentials, ahead []byte) (pop3.Verdict, uint32) {
	switch {
	case d.guard != nil:
		return verdictOf(askGuard(d.guard, c)), 0
	case d.next == nil:
		return verdictOf(d.askSpawned(c)), 0
	}
	p := s.Packet()
	p.Ahead = ahead
	p.Env = append(append([]string{}, p.Env...), "CHECKUSER="+c.User, "CHECKPASS="+c.Secret, "TIMESTAMP="+c.Timestamp)
	reports := make(chan chain.Report, 4)
	d.next.Pass(p, func(r chain.Report) { reports <- r })
	r := <-reports
	if r.Status == chain.StatusAccepted {
		s.Stream.Close() // the session has it now
		for !r.Final() {
			r = <-reports
		}
		return pop3.Taken, r.Status
	}
	// A foreign program that exits 0 had the session and ended it.
	return verdictOf(r.ExitCode()), r.Status
}

// askSpawned runs the rest of the chain for this login, with the credentials on
// descriptor 3 (checkpassword(8)), and gives its exit code, -1 for a crash.
func (d *door) askSpawned(c pop3.Credentials) int {
	r, err := credentials(c)
	if err != nil {
		return exit.Temporary
	}
	defer r.Close()
	path, err := chain.Find(d.argv)
	if err != nil {
		logf("%v", err)
		return exit.Temporary
	}
	proc, err := os.StartProcess(path, d.argv, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, r}})
	if err != nil {
		logf("%v", err)
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
func credentials(c pop3.Credentials) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, err = w.WriteString(c.User + "\x00" + c.Secret + "\x00" + c.Timestamp + "\x00")
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// spawnForeign runs a checkpassword of others for one login in the resident
// shape: the packet's credentials go to descriptor 3 and not into its
// environment.
func (d *door) spawnForeign(p *chain.Packet) uint32 {
	var c pop3.Credentials
	p.Env = takeSecrets(p.Env, &c)
	r, err := credentials(c)
	if err != nil {
		return chain.Exited(111)
	}
	defer r.Close()
	child, err := chain.Spawn(d.argv, chain.SpawnOptions{Env: os.Environ(), Files: []*os.File{r}}, p)
	if err != nil {
		logf("%v", err)
		return chain.Exited(111)
	}
	return child.Wait()
}

// takeSecrets takes the credentials out of a packet's variables.
func takeSecrets(env []string, c *pop3.Credentials) []string {
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
