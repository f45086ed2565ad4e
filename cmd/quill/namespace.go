// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"quill/internal/exit"
	"quill/internal/lab"
	"quill/internal/netns"
)

// inNamespace tells the program that was started again how far it is on its way
// into a network namespace: see the stages.
const inNamespace = "QUILLLABNET"

// The stages. Root goes from none to fromRoot, and then becomes somebody else;
// others go from none to bare in a child, and from there to fromUser.
const (
	bare     = "bare"
	fromRoot = "root"
	fromUser = "user"
)

// enterNamespace brings the lab into a network namespace of its own. Where it
// returns without an error this process is there, or, as root, this thread,
// for the exec that is to follow; how is the stage. Otherwise the lab has run
// and ended in a child, and the error says how.
func enterNamespace() (how string, err error) {
	how = os.Getenv(inNamespace)
	os.Unsetenv(inNamespace)
	switch {
	case how == fromRoot, how == fromUser:
		return how, nil
	case how == bare:
		return "", leaveBare() // does not return without an error
	case os.Getuid() == 0:
		return fromRoot, refused(ownNamespace())
	}
	return "", runInside()
}

// refused says what to do where there is no namespace.
func refused(err error) error {
	if errors.Is(err, netns.ErrRefused) {
		return usage("lab --namespace: %w; run the lab without --namespace, on %s", err, lab.Loopback.Server)
	}
	return err
}

// furnish readies this thread's network for the lab.
func furnish() error {
	server, client := netip.MustParseAddr(lab.Namespace.Server), netip.MustParseAddr(lab.Namespace.Laptop)
	return netns.Furnish(server, client)
}

// ownNamespace takes root's thread into a namespace, for good.
func ownNamespace() error {
	runtime.LockOSThread()
	if err := netns.Own(); err != nil {
		return err
	}
	os.Setenv(inNamespace, fromRoot)
	return furnish()
}

// leaveBare readies the namespace that this process was started in and starts
// again without the right to do so. It returns only with an error.
func leaveBare() error {
	runtime.LockOSThread() // rights are a thread's
	if err := furnish(); err != nil {
		return refused(err)
	}
	if err := netns.Forsake(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	os.Setenv(inNamespace, fromUser)
	return fmt.Errorf("run %s: %w", self, syscall.Exec(self, os.Args, os.Environ()))
}

// runInside runs this command again, inside, and waits for it. INT and TERM are
// the child's; if this process is killed, the child is told to end.
func runInside() error {
	runtime.LockOSThread() // the kernel tells the child when this thread ends
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Args, cmd.Env = os.Args, append(os.Environ(), inNamespace+"="+bare)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if err := netns.Start(cmd); err != nil {
		return refused(err)
	}
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code > 0 {
		return &failure{code, errSaid}
	}
	if err != nil {
		return &failure{exit.Temporary, fmt.Errorf("the lab in its namespace ended: %w", err)}
	}
	return nil
}

// enterLine is the command by which a person enters the namespace of this
// process.
func enterLine(how string) string {
	words := []string{"nsenter", "--target", fmt.Sprint(os.Getpid()), "--net"}
	if how == fromUser {
		words = append(words, "--user", "--preserve-credentials")
	}
	return strings.Join(words, " ")
}
