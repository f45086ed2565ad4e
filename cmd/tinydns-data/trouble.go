// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"syscall"
)

// djbWords are the system's errors where djb's words for them are others.
var djbWords = map[syscall.Errno]string{
	syscall.ENOENT: "file does not exist",
	syscall.ENOSPC: "out of disk space",
}

// trouble is what could not be done and why; nil where err is nil.
func trouble(what string, err error) error {
	if err == nil {
		return nil
	}
	why := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		why = errno.Error()
		if w, ok := djbWords[errno]; ok {
			why = w
		}
	}
	return errors.New(what + ": " + why)
}
