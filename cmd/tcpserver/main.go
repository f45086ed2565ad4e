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
	"quill/internal/journal"
	"quill/internal/resolve"
	"quill/internal/sandbox"
)

// errDied ends a door that has given up being root.
var errDied = errors.New("the rest of the chain died, and only root could start it again: whoever started this has to start all of it")

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
	lines := journal.New(os.Stderr, "", o.gather())
	o.server.Log = lines
	err = run(o)
	lines.Flush()
	if err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// run binds, starts the chain, drops privileges, and serves until TERM.
func run(o *options) error {
	died := make(chan error, 1)
	if err := o.prepare(func() { died <- errDied }); err != nil {
		return err
	}
	listeners, err := o.listen()
	if err != nil {
		return err
	}
	if o.printPort {
		fmt.Println(listeners[0].Port())
	}
	s := o.server
	if s.Lookup, err = resolve.New(os.Getenv, nil); err != nil {
		return err
	}
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
	case err := <-died:
		s.Stop(listeners)
		return err
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
