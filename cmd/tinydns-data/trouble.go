// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"syscall"

	"quill/internal/cdb"
)

// djbWords are djb's words for the system's errors; what he has none for is
// "unknown error".
var djbWords = map[syscall.Errno]string{
	syscall.EINTR: "interrupted system call", syscall.ENOMEM: "out of memory", syscall.ENOENT: "file does not exist",
	syscall.ETXTBSY: "text busy", syscall.EIO: "input/output error", syscall.EEXIST: "file already exists",
	syscall.ETIMEDOUT: "timed out", syscall.EAGAIN: "temporary failure", syscall.EPIPE: "broken pipe",
	syscall.EPERM: "permission denied", syscall.EACCES: "access denied", syscall.ENXIO: "device not configured",
	syscall.EPROTO: "protocol error", syscall.EISDIR: "is a directory", syscall.EBADF: "file descriptor not open",
	syscall.EBUSY: "device busy", syscall.EXDEV: "cross-device link", syscall.ENODEV: "device does not support operation",
	syscall.ENOTDIR: "not a directory", syscall.EINVAL: "invalid argument", syscall.ENFILE: "system cannot open more files",
	syscall.EMFILE: "process cannot open more files", syscall.EFBIG: "file too big", syscall.ENOSPC: "out of disk space",
	syscall.ESPIPE: "unseekable descriptor", syscall.EROFS: "read-only file system", syscall.EMLINK: "too many links",
	syscall.ELOOP: "symbolic link loop", syscall.ENAMETOOLONG: "file name too long", syscall.EDQUOT: "disk quota exceeded",
	syscall.ESTALE: "stale NFS file handle",
}

// trouble is what could not be done and why; nil where err is nil.
func trouble(what string, err error) error {
	if err == nil {
		return nil
	}
	why := err.Error()
	var errno syscall.Errno
	switch {
	case errors.Is(err, cdb.ErrTooBig):
		why = djbWords[syscall.ENOMEM] // as djb's program says it
	case errors.As(err, &errno):
		var known bool
		if why, known = djbWords[errno]; !known {
			why = "unknown error"
		}
	}
	return errors.New(what + ": " + why)
}
