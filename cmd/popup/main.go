// SPDX-License-Identifier: ISC

// Program popup greets a POP3 client, takes its name and password, and asks the
// rest of the chain who it is; see popup(8).
package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"quill/internal/chain"
	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/pop3"
	"quill/internal/sandbox"
	"quill/internal/ucspi"
)

const prog = "popup"

func main() {
	signal.Ignore(syscall.SIGPIPE)
	if len(os.Args) < 3 {
		exit.Usage("popup hostname subprogram [ arg ... ]")
	}
	d := &door{host: os.Args[1], argv: os.Args[2:], dir: control.Open(control.Home())}
	if chain.Resident() {
		d.next = chain.NewNext(d.argv, chain.NextOptions{Spawn: d.spawnForeign, Log: func(line string) { logf("%s", line) }})
	}
	// What is confined here is confined for the rest of the chain too, and
	// checkpassword reads accounts and becomes others: so no more than this.
	if err := sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoBackdoor, Hidden: true, BecomesUsers: true}); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	code := chain.Serve(os.Args, d.session)
	if d.next != nil {
		d.next.Close()
	}
	os.Exit(code)
}

// door is what all sessions share.
type door struct {
	host string
	argv []string
	dir  control.Dir
	next *chain.Next // resident only
}

// session is one client's.
func (d *door) session(s *chain.Session) int {
	l := &pop3.Login{Host: d.host, Pause: time.Sleep, Note: func(event string) { logf("client %s: %s", safe(s.Env.Value("TCPREMOTEIP")), safe(event)) }}
	l.Insecure = d.insecure(s.Env)
	apop, err := d.dir.Exists("apop")
	if err == nil && apop {
		l.Timestamp = timestamp(d.host)
	}
	l.Classic, _ = d.dir.Exists("popclassic")
	status := uint32(0)
	l.Try = func(c pop3.Credentials, ahead []byte) (v pop3.Verdict) {
		v, status = d.ask(s, c, ahead)
		return v
	}
	taken, err := l.Serve(s.Stream, s.Ahead, d.next == nil)
	switch {
	case taken && status&^0xff00 == 0:
		return int(status >> 8)
	case err != nil:
		return exit.Temporary
	}
	return exit.OK
}

// insecure says why a password may not be sent on this connection: it would
// pass a network in the clear.
func (d *door) insecure(e ucspi.Env) string {
	ip := e.Value("TCPREMOTEIP")
	if ip == "" || ucspi.Loopback(ip) || e.Value("TLS_PROTOCOL") != "" {
		return ""
	}
	if ok, err := d.dir.Exists("plaintextlogin"); err == nil && ok {
		return ""
	}
	return "login without TLS is not allowed from here"
}

// timestamp is a greeting's, as the family writes it; no two are the same.
func timestamp(host string) string {
	var b [4]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	return fmt.Sprintf("<%d.%d@%s>", n, time.Now().UnixNano(), host)
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
func logf(format string, args ...any) {
	os.Stderr.WriteString(prog + ": " + fmt.Sprintf(format, args...) + "\n")
}
