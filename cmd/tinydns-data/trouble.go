// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"syscall"

	"quill/internal/cdb"
	"quill/internal/djbwords"
)

// trouble is what could not be done and why; nil where err is nil.
func trouble(what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, cdb.ErrTooBig) {
		err = syscall.ENOMEM // as djb's program says it
	}
	return errors.New(what + ": " + djbwords.Of(err))
}
