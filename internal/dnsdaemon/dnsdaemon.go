// SPDX-License-Identifier: ISC

// Package dnsdaemon is the ground of the small DNS servers, rbldns and walldns:
// sockets, root given up, the sandbox, djb's log. It reads IP, PORT, ROOT, UID,
// GID and LOG of the environment, and ends at TERM or INT.
package dnsdaemon

import (
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"quill/internal/dnsreply"
	"quill/internal/dnsserve"
	"quill/internal/dnswire"
	"quill/internal/privilege"
	"quill/internal/sandbox"
)

// Engine answers questions; it may be used by many goroutines.
type Engine interface {
	// Answer appends the answer to packet to out, fills q for the log, and says
	// what became of it in djb's letters.
	Answer(out, packet []byte, tcp bool, q *dnswire.Query) ([]byte, byte)
}

// Program is a server.
type Program struct {
	Name   string
	Files  []string               // what it goes on reading, below ROOT
	Engine func() (Engine, error) // reads the environment, and no file yet
	Begin  func()                 // where it is not nil: called in ROOT, before the first question
}

// Run answers questions until it is told to end.
func (p *Program) Run() error {
	signal.Ignore(syscall.SIGPIPE) // answers matter more than a log that nobody reads
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	e, err := p.Engine()
	if err != nil {
		return err
	}
	socks, err := dnsserve.Open()
	if err != nil {
		return err
	}
	if err := p.confine(); err != nil {
		return err
	}
	if p.Begin != nil {
		p.Begin()
	}
	if !socks.One() {
		os.Stderr.WriteString("starting " + p.Name + "\n")
	}
	a := &answerer{e: e}
	if os.Getenv("LOG") != "off" {
		a.log = newLogger(p.Name, os.Stderr)
		go a.log.run()
		defer a.log.end()
	}
	door := &dnsserve.Server{New: func() dnsserve.Answerer { return a }, Warn: p.Warn}
	select {
	case <-stop:
	case <-door.Serve(socks):
	}
	return nil
}

// Warn says on descriptor 2 what went wrong without ending anything.
func (p *Program) Warn(err error) {
	os.Stderr.WriteString(p.Name + ": warning: " + err.Error() + "\n")
}

// Classic says whether ANSWERS asks for djb's answers.
func Classic() (bool, error) {
	switch v := os.Getenv("ANSWERS"); v {
	case "":
		return false, nil
	case "djb":
		return true, nil
	default:
		return false, fmt.Errorf("$ANSWERS is %q: want djb, or leave it unset", v)
	}
}

// Servers are the name servers that NS names; there may be none.
func Servers() ([][]byte, error) {
	all, err := dnsreply.Names(os.Getenv("NS"))
	if err == nil && len(all) > dnsreply.MaxServers {
		err = fmt.Errorf("%d names; at most %d", len(all), dnsreply.MaxServers)
	}
	if err != nil {
		return nil, fmt.Errorf("unable to parse $NS: %w", err)
	}
	return all, nil
}

// confine goes to ROOT, as root locks itself in there and becomes UID and GID,
// and gives up programs, new sockets and all files but its own.
func (p *Program) confine() error {
	if err := privilege.Enter(os.Getenv("ROOT")); err != nil {
		return err
	}
	return sandbox.Confine(p.Name, sandbox.Rules{
		Deny:  sandbox.NoBackdoor | sandbox.NoExec | sandbox.NoSocket,
		Files: &sandbox.Files{Read: p.Files},
	})
}

// answerer joins an engine to the sockets and the log; many goroutines use it.
type answerer struct {
	e   Engine
	log *logger // nil: none
}

// Answer implements dnsserve.Answerer.
func (a *answerer) Answer(out, packet []byte, from netip.AddrPort, tcp bool) []byte {
	var q dnswire.Query
	said, status := a.e.Answer(out, packet, tcp, &q)
	if a.log != nil {
		a.log.put(logLine(from, &q, status))
	}
	return said
}
