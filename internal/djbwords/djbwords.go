// SPDX-License-Identifier: ISC

// Package djbwords says the system's errors in the words of djb's programs, for
// programs that owe their users the same messages.
package djbwords

import (
	"errors"
	"syscall"
)

// words are djb's words for the system's errors; what he has none for is
// "unknown error".
var words = map[syscall.Errno]string{
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

// Of is why err happened: the words for the system's error in it, or err's own
// where there is none.
func Of(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	if w, ok := words[errno]; ok {
		return w
	}
	return "unknown error"
}
