// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"os"

	"quill/internal/chain"
	"quill/internal/exit"
	"quill/internal/privilege"
)

// options is how the rest of a resident chain is run.
func options() chain.NextOptions {
	o := chain.NextOptions{Log: func(line string) { fmt.Fprintln(os.Stderr, "recordio: "+line) }}
	if privilege.Root() {
		o.Once = func() {
			exit.Die("recordio", exit.Temporary, errors.New("the rest of the chain died, and only root could start it again"))
		}
	}
	return o
}

// lower gives up root when the rest of the chain runs; in the spawned shape it
// does not run before the session.
func (r *recorder) lower() error {
	if !privilege.Root() {
		return nil
	}
	if r.next == nil {
		_, err := privilege.FromEnv()
		return err
	}
	r.next.Foreign()
	return privilege.FromRoot()
}
