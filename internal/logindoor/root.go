// SPDX-License-Identifier: ISC

package logindoor

import (
	"errors"

	"quill/internal/chain"
	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/sandbox"
)

// options is how the rest of a resident chain is run.
func (d *Door) options() chain.NextOptions {
	o := chain.NextOptions{Spawn: d.spawnForeign, Log: func(line string) { d.logf("%s", line) }}
	if privilege.Root() {
		o.Once = func() {
			exit.Die(d.Prog, exit.Temporary, errors.New("the rest of the chain died, and only root could start it again"))
		}
	}
	return o
}

// lower gives up root when the rest of the chain runs.
func (d *Door) lower() error {
	if d.next != nil && privilege.Root() && d.next.Foreign() {
		d.logf("warning: %s is no checkpassword of ours: it is run as UID and can become nobody; start %s by a tcpserver without -k", d.Argv[0], d.Prog)
	}
	if err := privilege.FromRoot(); err != nil {
		return err
	}
	// What is confined here is confined for the rest of a spawned chain too, and
	// checkpassword reads accounts and becomes others: so no more than this.
	return sandbox.Confine(d.Prog, sandbox.Rules{Deny: sandbox.NoBackdoor, Hidden: true, BecomesUsers: true})
}
