// SPDX-License-Identifier: ISC

// Program tinydns answers DNS questions from data.cdb over UDP and TCP; see
// tinydns(8).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"quill/internal/exit"
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
	socks, err := sockets()
	if err != nil {
		return err
	}
	if err := confine(os.Getenv("ROOT")); err != nil {
		return err
	}
	s := &server{store: &store{}, log: os.Getenv("LOG") != "off"}
	os.Stderr.WriteString("starting tinydns\n")
	if _, err := s.store.data(); err != nil {
		os.Stderr.WriteString(prog + ": warning: " + err.Error() + "; queries fail until tinydns-data has made it\n")
	}
	for _, c := range socks.udp {
		go s.udp(c)
	}
	for _, l := range socks.tcp {
		go s.tcp(l)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	return nil
}

// confine goes to ROOT, as root locks itself in there and becomes UID and GID,
// and gives up all files but those of the folder.
func confine(root string) error {
	if root == "" {
		return errors.New("$ROOT not set: it names the folder with data.cdb")
	}
	if err := os.Chdir(root); err != nil {
		return fmt.Errorf("unable to chdir to %s: %w", root, errors.Unwrap(err))
	}
	if os.Getuid() == 0 {
		uid, err1 := strconv.Atoi(os.Getenv("UID"))
		gid, err2 := strconv.Atoi(os.Getenv("GID"))
		if err1 != nil || err2 != nil {
			return errors.New("started by root, and $UID and $GID do not say whom to become")
		}
		if err := errors.Join(syscall.Chroot("."), syscall.Setgroups([]int{gid}), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
			return err
		}
	}
	_, err := sandbox.Apply(sandbox.Rules{Read: []string{"."}})
	return err
}
