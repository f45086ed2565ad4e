// SPDX-License-Identifier: ISC

// Package djbwords says why the system refused something in the words of djb's
// programs, where those are others than the system's own.
package djbwords

import (
	"errors"
	"syscall"
)

// Trouble is what could not be done and why; nil where err is nil.
func Trouble(what string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(what + ": " + Why(err))
}

// Why is the reason alone, without the path and the call that Go names.
func Why(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	if w := words(errno); w != "" {
		return w
	}
	return errno.Error()
}

// words are djb's for an error; "" where they are the system's.
func words(errno syscall.Errno) string {
	switch errno {
	case syscall.ENOENT:
		return "file does not exist"
	case syscall.EEXIST:
		return "file already exists"
	case syscall.ENOMEM:
		return "out of memory"
	case syscall.ENOSPC:
		return "out of disk space"
	case syscall.EPERM:
		return "permission denied"
	case syscall.EACCES:
		return "access denied"
	case syscall.EBUSY:
		return "device busy"
	case syscall.EXDEV:
		return "cross-device link"
	case syscall.ENFILE:
		return "system cannot open more files"
	case syscall.EMFILE:
		return "process cannot open more files"
	case syscall.EFBIG:
		return "file too big"
	case syscall.ELOOP:
		return "symbolic link loop"
	}
	return ""
}
