// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"quill/internal/lab"
)

// asUser gives dir and copies of the programs to an unprivileged user, becomes
// that user for good, and starts again. It returns only with an error.
func asUser(dir, name string) error {
	uid, gid, err := lookup(name)
	if err != nil {
		return err
	}
	from, err := programs()
	if err != nil {
		return err
	}
	if err := lab.Prepare(dir); err != nil {
		if errors.Is(err, lab.ErrForeign) || errors.Is(err, lab.ErrRunning) {
			return usage("%w", err)
		}
		return err
	}
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for _, p := range append([]string{"quill"}, lab.Programs...) {
		if err := install(filepath.Join(from, p), filepath.Join(bin, p)); err != nil {
			return err
		}
	}
	if err := give(dir, uid, gid); err != nil {
		return err
	}
	if err := errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("unable to become %s: %w", name, err)
	}
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("%w: user %s cannot reach the folder; choose one that it can, for example below /tmp, or another --user", err, name)
	}
	argv := append([]string{os.Args[0]}, withDir(os.Args[1:], dir)...)
	os.Setenv("HOME", dir)
	return fmt.Errorf("run %s/quill: %w", bin, syscall.Exec(filepath.Join(bin, "quill"), argv, os.Environ()))
}

// withDir is the words with the folder by its full name, named in any case.
func withDir(args []string, dir string) []string {
	if abs, err := filepath.Abs(args[len(args)-1]); err == nil && abs == dir {
		return append(args[:len(args)-1:len(args)-1], dir)
	}
	return append(args[:len(args):len(args)], dir)
}

// lookup finds a user by name or number.
func lookup(name string) (uid, gid int, err error) {
	if n, err := strconv.Atoi(name); err == nil && n > 0 {
		return n, n, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, usage("--user %s: %w", name, err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, err
	}
	if uid == 0 {
		return 0, 0, usage("--user %s is root: a lab runs as somebody else", name)
	}
	return uid, gid, nil
}

// install copies a program.
func install(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp := to + ".new"
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, to)
}

// give gives a lab's folder to a user, links themselves and not what they
// point to.
func give(dir string, uid, gid int) error {
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}
