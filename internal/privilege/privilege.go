// SPDX-License-Identifier: ISC

// Package privilege gives up being root. Who is to be becomes known from UID and
// GID in the environment, as envuidgid sets them, or from the owner of a folder.
//
// It promises that after Drop every thread has the new ids, no supplementary
// group and no capability, and that uid 0 cannot come back; where that cannot be
// had, the caller gets an error and must end. It never becomes uid 0.
package privilege

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ID is whom to become.
type ID struct{ UID, GID int }

// ErrNobody says that root was not told whom to become.
var ErrNobody = errors.New("started by root, and UID and GID do not say whom to become: set both to numbers (envuidgid), or where tcpserver -k starts the chain, give it -u and -g")

// Root says whether this process is root.
func Root() bool { return os.Getuid() == 0 || os.Geteuid() == 0 }

// FromEnv is whom UID and GID name.
func FromEnv() (ID, error) {
	uid, err1 := strconv.ParseUint(os.Getenv("UID"), 10, 31)
	gid, err2 := strconv.ParseUint(os.Getenv("GID"), 10, 31)
	if err1 != nil || err2 != nil || uid == 0 {
		return ID{}, ErrNobody
	}
	return ID{int(uid), int(gid)}, nil
}

// OwnerOf is who owns a folder, who must not be root.
func OwnerOf(dir string) (ID, error) {
	st, err := os.Stat(dir)
	if err != nil {
		return ID{}, fmt.Errorf("started by root: %w; make it and give it to the user to run as", err)
	}
	own := st.Sys().(*syscall.Stat_t)
	if own.Uid == 0 {
		return ID{}, fmt.Errorf("started by root, and %s belongs to root: give it to the user to run as (chown)", dir)
	}
	return ID{int(own.Uid), int(own.Gid)}, nil
}

// Credential is the ID for a process to be started, without other groups.
func (id ID) Credential() *syscall.Credential {
	return &syscall.Credential{Uid: uint32(id.UID), Gid: uint32(id.GID)}
}

// Drop becomes id for good. Only root can.
func (id ID) Drop() error {
	if id.UID <= 0 || id.GID < 0 {
		return fmt.Errorf("unable to become uid %d, gid %d: not somebody else", id.UID, id.GID)
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(id.GID, id.GID, id.GID), syscall.Setresuid(id.UID, id.UID, id.UID)); err != nil {
		return fmt.Errorf("unable to become uid %d, gid %d: %w", id.UID, id.GID, err)
	}
	return id.check()
}

// check makes sure that we are id and nothing else, and cannot be root again.
func (id ID) check() error {
	r, e, s := unix.Getresuid()
	rg, eg, sg := unix.Getresgid()
	groups, err := syscall.Getgroups()
	if err != nil || len(groups) != 0 || [6]int{r, e, s, rg, eg, sg} != [6]int{id.UID, id.UID, id.UID, id.GID, id.GID, id.GID} {
		return fmt.Errorf("became uid %d %d %d, gid %d %d %d, groups %v instead of uid %d, gid %d: %w", r, e, s, rg, eg, sg, groups, id.UID, id.GID, errors.Join(err, syscall.EPERM))
	}
	if syscall.Setuid(0) == nil {
		return errors.New("uid 0 came back after it was given up")
	}
	return nil
}

// FromRoot gives up root for UID and GID, where this process is root; others
// stay who they are. A program calls it before it reads a byte that strangers
// sent.
func FromRoot() error {
	if !Root() {
		return nil
	}
	id, err := FromEnv()
	if err != nil {
		return err
	}
	return id.Drop()
}

// Enter goes to the folder root, for good where this process is root: it is
// locked in there and becomes UID and GID.
func Enter(root string) error {
	if root == "" {
		return errors.New("$ROOT not set")
	}
	if err := os.Chdir(root); err != nil {
		return fmt.Errorf("unable to chdir to %s: %w", root, errors.Unwrap(err))
	}
	if !Root() {
		return nil
	}
	id, err := FromEnv()
	if err != nil {
		return err
	}
	if err := syscall.Chroot("."); err != nil {
		return fmt.Errorf("unable to chroot to %s: %w", root, err)
	}
	return id.Drop()
}
