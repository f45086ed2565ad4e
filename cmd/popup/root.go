// SPDX-License-Identifier: ISC

package main

import (
	"errors"

	"quill/internal/chain"
	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/sandbox"
)

// options is how the rest of a resident chain is run.
func (d *door) options() chain.NextOptions {
	o := chain.NextOptions{Spawn: d.spawnForeign, Log: func(line string) { logf("%s", line) }}
	if privilege.Root() {
		o.Once = func() {
			exit.Die(prog, exit.Temporary, errors.New("the rest of the chain died, and only root could start it again"))
		}
	}
	return o
}

// lower gives up root when the rest of the chain runs.
func (d *door) lower() error {
	if d.next != nil && privilege.Root() && d.next.Foreign() {
		logf("warning: %s is no checkpassword of ours: it is run as UID and can become nobody; start popup by a tcpserver without -k", d.argv[0])
	}
	if err := privilege.FromRoot(); err != nil {
		return err
	}
	// What is confined here is confined for the rest of a spawned chain too, and
	// checkpassword reads accounts and becomes others: so no more than this.
	return sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoBackdoor, Hidden: true, BecomesUsers: true})
}
