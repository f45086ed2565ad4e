// SPDX-License-Identifier: ISC

package djbwords

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestTrouble(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, "unable: file does not exist"},
		{&os.SyscallError{Syscall: "mkdirat", Err: syscall.EEXIST}, "unable: file already exists"},
		{syscall.EPERM, "unable: permission denied"}, {syscall.EACCES, "unable: access denied"},
		{syscall.ENOTDIR, "unable: not a directory"}, {syscall.EISDIR, "unable: is a directory"}, {syscall.EROFS, "unable: read-only file system"},
		{errors.New("something else"), "unable: something else"},
	} {
		if got := Trouble("unable", c.err); got.Error() != c.want {
			t.Errorf("Trouble(%v) = %q; want %q", c.err, got, c.want)
		}
	}
	if err := Trouble("unable", nil); err != nil {
		t.Errorf("Trouble(nil) = %v; want nil", err)
	}
}
