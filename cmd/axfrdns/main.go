// SPDX-License-Identifier: ISC

// Program axfrdns answers zone transfers and other DNS questions of one client
// on descriptors 0 and 1; see axfrdns(8).
package main

import (
	"os"
	"os/signal"
	"syscall"

	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/sandbox"
)

const prog = "axfrdns"

func main() {
	if len(os.Args) != 1 {
		exit.Usage("axfrdns (its options are in the environment: ROOT, UID, GID, AXFR, ANSWERS)")
	}
	if err := run(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func run() error {
	signal.Ignore(syscall.SIGPIPE)
	s, err := newSession()
	if err != nil {
		return err
	}
	if err := confine(); err != nil {
		return err
	}
	return s.serve()
}

// confine goes to ROOT, as root locks itself in there and becomes UID and GID,
// and gives up programs, new sockets and all files but those of the folder.
func confine() error {
	if err := privilege.Enter(os.Getenv("ROOT")); err != nil {
		return err
	}
	return sandbox.Confine(prog, sandbox.Rules{
		Deny:  sandbox.NoBackdoor | sandbox.NoExec | sandbox.NoSocket,
		Files: &sandbox.Files{Read: []string{"."}},
	})
}
