// SPDX-License-Identifier: ISC

// Package logindoor is what programs that take logins (popup, imapup) have in
// common: they stand before a checkpassword, in either shape of chain(7), ask
// it about each login, and read as root nothing of what clients send. The
// dialogue with the client is theirs.
package logindoor

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"quill/internal/chain"
	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/login"
	"quill/internal/privilege"
	"quill/internal/ucspi"
)

// Door is what all sessions of a program share.
type Door struct {
	Prog string   // the program's name, for log lines
	Argv []string // who is asked: checkpassword and the rest of the chain
	Dir  control.Dir
	// Vars names the variables that may come with a login, besides its
	// credentials.
	Vars []string
	// Talk is the dialogue before the login: whether one was taken, else why it
	// ended, nil where the client said so.
	Talk func(*Visit) (taken bool, err error)

	next    *chain.Next // resident only
	waiting waiting
	guard   *os.File // the process that has stayed root, where one started this one in the spawned shape
}

// Visit is one client's session before its login.
type Visit struct {
	*chain.Session
	Door *Door
	code int // of who had the session
}

// Run serves all sessions and gives the exit code: in the spawned shape that of
// the session.
func (d *Door) Run() int {
	d.guard = guardFromEnv()
	if !chain.Resident() && privilege.Root() {
		return d.watch()
	}
	if chain.Resident() {
		d.next = chain.NewNext(d.Argv, d.options())
	}
	code := chain.Hooks{Ready: d.lower, Ending: d.end}.Serve(os.Args, d.session)
	if d.next != nil {
		d.next.Close()
	}
	return code
}

func (d *Door) session(s *chain.Session) int {
	v := &Visit{Session: s, Door: d}
	defer d.waiting.add(s.Stream)()
	taken, err := d.Talk(v)
	switch {
	case taken:
		return v.code
	case err != nil:
		return exit.Temporary
	}
	return exit.OK
}

// Single says that no byte beyond the login may be read: who comes next reads
// from the same descriptor.
func (v *Visit) Single() bool { return v.Door.next == nil }

// Insecure says why a password may not be sent on this connection: it would
// pass a network in the clear.
func (v *Visit) Insecure() string { return insecure(v.Env, v.Door.Dir) }

func insecure(e ucspi.Env, dir control.Dir) string {
	ip := e.Value("TCPREMOTEIP")
	if ip == "" || ucspi.Loopback(ip) || e.Value("TLS_PROTOCOL") != "" {
		return ""
	}
	if ok, err := dir.Exists("plaintextlogin"); err == nil && ok {
		return ""
	}
	return "login without TLS is not allowed from here"
}

// Note logs what a client did.
func (v *Visit) Note(event string) {
	v.Door.logf("client %s: %s", safe(v.Env.Value("TCPREMOTEIP")), safe(event))
}

// Try asks about a login; ahead is what the client has sent already, vars is
// further variables, VAR=value, for who has the session.
func (v *Visit) Try(c login.Credentials, ahead []byte, vars ...string) (verdict login.Verdict) {
	verdict, v.code = v.Door.ask(v.Session, c, ahead, vars)
	return verdict
}

// named says whether a variable is one that may come with a login.
func (d *Door) named(kv string) bool {
	name, _, ok := strings.Cut(kv, "=")
	return ok && slices.Contains(d.Vars, name)
}

// safe is text for a log line.
func safe(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 33 || c > 126 || c == '%' {
			return '_'
		}
		return c
	}, s)
}

// logf writes one line to descriptor 2.
func (d *Door) logf(format string, args ...any) {
	os.Stderr.WriteString(d.Prog + ": " + fmt.Sprintf(format, args...) + "\n")
}
