// SPDX-License-Identifier: ISC

// Program recordio runs the rest of a chain and records on descriptor 2 what
// passes in both directions; see recordio(1).
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/sandbox"
)

const prog = "recordio"

func main() {
	signal.Ignore(syscall.SIGPIPE)
	if len(os.Args) < 2 {
		exit.Usage("recordio program [ arg ... ]")
	}
	r := &recorder{argv: os.Args[1:]}
	if chain.Resident() {
		r.next = chain.NewNext(r.argv, options())
	}
	go r.confine()
	code := chain.Hooks{Ready: r.lower, Ending: r.next.End}.Serve(os.Args, r.session)
	if r.next != nil {
		r.next.Close()
	}
	os.Exit(code)
}

// confine closes the kernel's back doors once the program behind a resident
// recordio has said that it is ours. What is spawned keeps all rights: it may be
// setuid, or start what is.
func (r *recorder) confine() {
	if r.next == nil || os.Getenv("QMAILQUEUE") != "" || r.next.Foreign() {
		return
	}
	if err := sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoBackdoor, Hidden: true, BecomesUsers: true}); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// recorder stands between clients and the rest of the chain.
type recorder struct {
	argv    []string
	next    *chain.Next // resident only
	numbers atomic.Int64
}

// session puts a socketpair between a client and the program, and records what
// passes. The program's end comes when it has closed its side.
func (r *recorder) session(s *chain.Session) int {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		fmt.Fprintf(os.Stderr, "recordio: %v\n", err)
		return exit.Temporary
	}
	inner := os.NewFile(uintptr(pair[0]), "program")
	defer inner.Close()
	number := strconv.Itoa(os.Getpid())
	if r.next != nil {
		number = strconv.FormatInt(r.numbers.Add(1), 10)
	}
	p := s.Packet()
	p.Conn = pair[1]
	code := make(chan int, 1)
	err = r.start(p, code)
	unix.Close(pair[1])
	if err == nil {
		err = privilege.FromRoot()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "recordio: %v\n", err)
		return exit.Temporary
	}
	go func() {
		pump(inner, s.Stream, newRecord(number, '<'))
		unix.Shutdown(pair[0], unix.SHUT_WR)
	}()
	pump(s.Stream, inner, newRecord(number, '>'))
	return <-code
}

// start runs the rest of the chain for this packet; its exit code comes on the
// channel.
func (r *recorder) start(p *chain.Packet, code chan int) error {
	if r.next != nil {
		r.next.Pass(p, func(rep chain.Report) {
			if rep.Final() {
				code <- max(rep.ExitCode(), 0)
			}
		})
		return nil
	}
	child, err := chain.Spawn(r.argv, chain.SpawnOptions{Env: os.Environ()}, p)
	if err != nil {
		return err
	}
	go func() { code <- max(chain.Report{Status: child.Wait()}.ExitCode(), 0) }()
	return nil
}
