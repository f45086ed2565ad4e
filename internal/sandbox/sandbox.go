// SPDX-License-Identifier: ISC

// Package sandbox takes from a process what it will not need: new privileges by
// exec, back doors of the kernel, programs, the network, files outside a few
// folders. It uses no_new_privs, seccomp(2) and landlock(7), which bind this
// process and everything it starts, for good. Descriptors that are open already
// stay usable, which is what the programs of a chain live on.
//
// It promises what the kernel can do: where that has no Landlock or no seccomp,
// the program runs all the same and says so once on descriptor 2. It does not
// restrict stat, or sockets in the file system.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Off is the variable that leaves a program unconfined, for debugging: strace
// and gdb see nothing of a Hidden process.
const Off = "QUILLNOSANDBOX"

// Rules is what a process gives up, and what it keeps.
type Rules struct {
	Deny   Deny
	Files  *Files // what is left of the file system; nil: all
	Hidden bool   // no core dump, and no other process of this uid reads our memory
	// BecomesUsers is for who starts programs as other users: as root it does
	// not set no_new_privs, for what those users run may be setuid.
	BecomesUsers bool
}

// Confine applies r to the program prog. An error is trouble that the kernel
// should not have made; the program had better not go on.
func Confine(prog string, r Rules) error {
	tell := func(what string) { os.Stderr.WriteString(prog + ": warning: " + what + "\n") }
	if os.Getenv(Off) != "" {
		tell(Off + " is set: not confined")
		return nil
	}
	if r.Hidden {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return fmt.Errorf("prctl dumpable: %w", err)
		}
	}
	keepGains := r.BecomesUsers && os.Geteuid() == 0
	err := filterCalls(r.Deny, keepGains)
	if unavailable(err) {
		tell(fmt.Sprintf("system calls are not filtered: %v", err))
		if err = nil; !keepGains {
			err = noNewPrivs()
		}
	}
	if err != nil {
		return err
	}
	if r.Files == nil {
		return nil
	}
	err = restrictFiles(r.Files)
	switch {
	case errors.Is(err, syscall.ENOTSUP): // AllThreadsSyscall
		tell("files are not confined: built with cgo; make build does without")
		return nil
	case errors.Is(err, errNoLandlock):
		tell("files are not confined: " + err.Error())
		return nil
	}
	return err
}

// filterCalls sets no_new_privs, unless gains are kept, and the filter: in this
// thread, from where the kernel copies both to all others at once.
func filterCalls(d Deny, keepGains bool) (err error) {
	if keepGains {
		return setFilter(d)
	}
	// The runtime may move us to another thread between the two. Then the kernel
	// refuses the filter and both are done again; but from root it takes it, so
	// root holds on to its thread, which costs another one.
	if os.Geteuid() == 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	for range 10 {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("no_new_privs: %w", err)
		}
		if err = setFilter(d); !errors.Is(err, unix.EACCES) {
			break
		}
	}
	return err
}

// unavailable says whether an error of setFilter means that this kernel, or
// whoever contains us, has no filters to give.
func unavailable(err error) bool {
	for _, e := range []error{unix.ENOSYS, unix.EINVAL, unix.EPERM, unix.EACCES} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// noNewPrivs is for kernels where no filter carries it to all threads.
func noNewPrivs() error {
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)
	if errno != 0 && errno != syscall.ENOTSUP {
		return fmt.Errorf("no_new_privs: %w", errno)
	}
	return nil
}
