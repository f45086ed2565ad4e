// SPDX-License-Identifier: ISC

package main

import (
	"io"
	"os"

	"quill/internal/sandbox"
	"quill/queue"
)

// connected hands the message over; from here on no file is opened any more.
func connected(conn *os.File, facts queue.Params, message func(io.Writer) (*queue.Envelope, error)) error {
	if err := confine(sandbox.NoSocket|sandbox.NoOpen, nil); err != nil {
		return err
	}
	return overSocket(conn, facts, message)
}

// confine comes before the first byte of a message is read.
func confine(more sandbox.Deny, f *sandbox.Files) error {
	if err := sandbox.Confine("qmail-queue", sandbox.Rules{Deny: sandbox.NoBackdoor | sandbox.NoExec | more, Files: f, Hidden: true}); err != nil {
		return &failure{exitTold, "Zqmail-queue was unable to confine itself (#4.3.0)"}
	}
	return nil
}
