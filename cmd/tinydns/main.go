// SPDX-License-Identifier: ISC

// Program tinydns answers DNS questions from data.cdb over UDP and TCP; see
// tinydns(8).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"quill/internal/dnsanswer"
	"quill/internal/dnsserve"
	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/sandbox"
)

const prog = "tinydns"

func main() {
	if len(os.Args) != 1 {
		exit.Usage("tinydns (its options are in the environment: IP, PORT, ROOT, UID, GID, LOG)")
	}
	if err := run(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func run() error {
	signal.Ignore(syscall.SIGPIPE) // answers matter more than a log that nobody reads
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	socks, err := dnsserve.Open()
	if err != nil {
		return err
	}
	if err := confine(); err != nil {
		return err
	}
	store, log := newStore(warn), os.Getenv("LOG") != "off"
	os.Stderr.WriteString("starting " + prog + "\n")
	door := &dnsserve.Server{New: func() dnsserve.Answerer { return &server{store, log, dnsanswer.New(dnsanswer.Config{})} }, Warn: warn}
	door.Serve(socks)
	<-stop
	return nil
}

// confine goes to ROOT, as root locks itself in there and becomes UID and GID,
// and gives up programs, new sockets and all files but those of the folder.
func confine() error {
	root := os.Getenv("ROOT")
	if root == "" {
		return errors.New("$ROOT not set: it names the folder with data.cdb")
	}
	if err := os.Chdir(root); err != nil {
		return fmt.Errorf("unable to chdir to %s: %w", root, errors.Unwrap(err))
	}
	if privilege.Root() {
		if err := lower(); err != nil {
			return err
		}
	}
	return sandbox.Confine(prog, sandbox.Rules{
		Deny:  sandbox.NoBackdoor | sandbox.NoExec | sandbox.NoSocket,
		Files: &sandbox.Files{Read: []string{"."}},
	})
}

// lower gives up being root for UID and GID, in a root of its own.
func lower() error {
	id, err := privilege.FromEnv()
	if err != nil {
		return err
	}
	if err := syscall.Chroot("."); err != nil {
		return fmt.Errorf("unable to chroot to %s: %w", os.Getenv("ROOT"), err)
	}
	return id.Drop()
}
