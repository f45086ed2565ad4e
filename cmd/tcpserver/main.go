// SPDX-License-Identifier: ISC

// Program tcpserver accepts TCP connections and runs a chain for each; see
// tcpserver(8).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"quill/internal/exit"
	"quill/internal/resolve"
	"quill/internal/sandbox"
)

const prog = "tcpserver"

const usage = "tcpserver [ -1UXpPhHrRoOdDqQvkF46 ] [ -c limit ] [ -x rules.cdb ] [ -B banner ] [ -g gid ] [ -u uid ]" +
	" [ -b backlog ] [ -l localname ] [ -t timeout ] host port program [ arg ... ]"

func main() {
	// A connection whose client is gone must not end the door (pipes of the log
	// included).
	signal.Ignore(syscall.SIGPIPE)
	o, err := parse(os.Args[1:])
	if err != nil {
		os.Stderr.WriteString("tcpserver: fatal: " + err.Error() + "\n")
		exit.Usage(usage)
	}
	if err := run(o); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// run binds, starts the chain, drops privileges, and serves until TERM.
func run(o *options) error {
	listeners, err := o.listen()
	if err != nil {
		return err
	}
	if o.printPort {
		fmt.Println(listeners[0].Port())
	}
	s := o.server
	s.Lookup = resolve.New(os.Getenv, nil)
	s.Start()
	if err := o.drop(); err != nil {
		return err
	}
	go o.confine()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- s.Serve(l) }()
	}
	select {
	case <-stop:
		s.Stop(listeners)
		return nil
	case err := <-failed:
		s.Stop(listeners)
		return err
	}
}

// confine closes the kernel's back doors once the chain has said that it is
// ours and resident. A door that starts programs of others leaves them all
// rights: they may be setuid, as the family's qmail-queue is, and no_new_privs
// would disarm them.
func (o *options) confine() {
	if !o.server.Keep || os.Getenv("QMAILQUEUE") != "" || o.server.Foreign() {
		return
	}
	if err := sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoBackdoor, BecomesUsers: true}); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// drop gives up root for the uid and gid of the options.
func (o *options) drop() error {
	if o.gid >= 0 {
		if err := errors.Join(syscall.Setgroups([]int{o.gid}), syscall.Setgid(o.gid)); err != nil {
			return fmt.Errorf("unable to set gid %d: %w", o.gid, err)
		}
	}
	if o.uid >= 0 {
		if err := syscall.Setuid(o.uid); err != nil {
			return fmt.Errorf("unable to set uid %d: %w", o.uid, err)
		}
	}
	return nil
}
