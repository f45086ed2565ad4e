// SPDX-License-Identifier: ISC

package main

import (
	"os"

	"quill/internal/chain"
	"quill/internal/sandbox"
	"quill/queue/inject"
)

// confine takes from a resident smtpd what it does not need: it reads control
// and users, and connects to the queue. A spawned one starts qmail-queue, which
// may need more. Another's queue program is often setuid, and would be disarmed.
func confine(home, program string, resident bool) error {
	r := sandbox.Rules{Deny: sandbox.NoBackdoor, Hidden: true}
	switch {
	case program != "", !resident && setuid(inject.DefaultProgram):
		return nil
	case resident:
		r.Deny |= sandbox.NoExec | sandbox.NoNet
		r.Files = &sandbox.Files{Read: []string{home + "/control", home + "/users", "/proc/self"}, Write: []string{home + "/queue/lock"}}
	}
	return sandbox.Confine(prog, r)
}

// setuid says whether the program of this name gains rights by exec.
func setuid(name string) bool {
	path, err := chain.Find([]string{name})
	if err != nil {
		return false
	}
	st, err := os.Stat(path)
	return err == nil && st.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0
}
