// SPDX-License-Identifier: ISC

package main

import (
	"errors"

	"quill/internal/djbwords"
)

// trouble is what could not be done and why, in djb's words; nil where err is nil.
func trouble(what string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(what + ": " + djbwords.Of(err))
}
