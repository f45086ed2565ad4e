// SPDX-License-Identifier: ISC

// Program checkpassword reads a name and a password from descriptor 3, checks
// them against users/passwd, and becomes that user to run the next program; see
// checkpassword(8).
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"quill/internal/chain"
	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/sandbox"
)

const prog = "checkpassword"

// Exit codes of the family besides exit.Temporary.
const (
	refused = 1
	misused = 2
)

func main() {
	signal.Ignore(syscall.SIGPIPE)
	if len(os.Args) < 2 {
		os.Stderr.WriteString("usage: checkpassword program [ arg ... ]\n")
		os.Exit(misused)
	}
	// Whatever program comes next inherits this, as whatever user: so no more.
	if err := sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoBackdoor, Hidden: true, BecomesUsers: true}); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	c := newChecker(control.Home())
	if !chain.Resident() {
		os.Exit(c.spawned(os.Args[1:]))
	}
	r := &resident{checker: c, argv: os.Args[1:], workers: make(map[place]*worker)}
	// A program behind us that belongs to our own uid can start now. As root we
	// stay root, and say so to nobody behind: UID and GID are for those before.
	if privilege.Root() {
		r.idle = idleLimit
		os.Unsetenv("UID")
		os.Unsetenv("GID")
	} else if mail, err := c.mail(); err == nil {
		r.worker(place{ourselves(), mail})
	}
	code := chain.Hooks{Ending: r.end}.Serve(os.Args, r.session)
	r.close()
	os.Exit(code)
}

// logf writes one line to descriptor 2.
func logf(format string, args ...any) {
	os.Stderr.WriteString(prog + ": " + fmt.Sprintf(format, args...) + "\n")
}

// spawned is the family's contract: credentials from descriptor 3, then exec.
func (c *checker) spawned(argv []string) int {
	login, err := readCredentials(3)
	if err != nil {
		logf("fatal: descriptor 3: %v", err)
		return misused
	}
	a, code := c.check(login)
	if code != exit.OK {
		return code
	}
	if err := become(a); err != nil {
		logf("fatal: %v", err)
		return exit.Temporary
	}
	if err := os.Chdir(a.Home); err != nil {
		logf("fatal: home of %s: %v", a.Address, err)
		return exit.Temporary
	}
	env := append(without(os.Environ(), "USER", "HOME", "SHELL"), variables(a)...)
	logf("fatal: %v", chain.Exec(argv, env))
	return exit.Temporary
}
