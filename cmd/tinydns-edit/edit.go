// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"quill/internal/djbwords"
	"quill/internal/dnsdata"
	"quill/internal/exit"
	"quill/internal/safefile"
)

// failure is an error and its exit code, which djb's program gives it.
type failure struct {
	code int
	text string
}

// edit copies fn to fnnew with the line added, syncs it and moves it to fn.
func edit(fn, fnnew string, add dnsdata.Addition) *failure {
	in, err := os.OpenFile(fn, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return unable("read", fn, err)
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return unable("read", fn, err)
	}
	out, err := os.OpenFile(fnnew, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return unable("write", fnnew, err)
	}
	if f := fill(out, in, st.Mode().Perm()&0o644, add, fn); f != nil {
		out.Close()
		return f
	}
	if err := out.Close(); err != nil {
		return unable("write", fnnew, err)
	}
	if err = syscall.Rename(fnnew, fn); err == nil {
		err = safefile.SyncDir(filepath.Dir(fn))
	}
	if err != nil {
		return &failure{exit.Temporary, "unable to move " + fnnew + " to " + fn + ": " + djbwords.Of(err)}
	}
	return nil
}

// fill writes the new file and syncs it.
func fill(out, in *os.File, mode os.FileMode, add dnsdata.Addition, fn string) *failure {
	if err := out.Chmod(mode); err != nil {
		return unable("write", out.Name(), err)
	}
	b := &blocks{f: out}
	err := add.Copy(in, b)
	if err != nil {
		if err := b.abandon(); err != nil {
			return unable("write", out.Name(), err)
		}
	}
	switch {
	case errors.Is(err, dnsdata.ErrRead):
		return unable("read", fn, err)
	case errors.Is(err, dnsdata.ErrWrite):
		return unable("write", out.Name(), err)
	case errors.Is(err, dnsdata.ErrProtocol):
		return &failure{exit.Temporary, "out of memory"} // djb's program knows no other reason
	case err != nil:
		return &failure{exit.Permanent, err.Error()}
	}
	if err := errors.Join(b.flush(), out.Sync()); err != nil {
		return unable("write", out.Name(), err)
	}
	return nil
}

// unable is what cannot be read or written, with djb's double beginning.
func unable(what, name string, err error) *failure {
	return &failure{exit.Permanent, prog + ": fatal: unable to " + what + " " + name + ": " + djbwords.Of(err)}
}
