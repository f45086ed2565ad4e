// SPDX-License-Identifier: ISC

// Package sandbox takes from a process what it will not need: new privileges by
// exec, files outside a few folders, TCP ports. It uses no_new_privs and
// Landlock (landlock(7)), which bind this process and everything it starts, for
// good. Descriptors that are open already stay usable, which is what the
// programs of a chain live on.
//
// It promises what the kernel can do: a kernel without Landlock, or with an
// older one, confines less, and Apply says how much. It does not restrict
// UDP, stat, or sockets in the file system.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rules is what a process keeps. Folders that do not exist are passed over.
type Rules struct {
	Read  []string // files below may be read
	Write []string // files below may be read, written, made, renamed and removed
	Exec  []string // files below may be read and executed
	TCP   bool     // binding and connecting TCP sockets stays allowed
}

// accesses by what they let a process do.
const (
	readAccess  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	execAccess  = readAccess | unix.LANDLOCK_ACCESS_FS_EXECUTE
	writeAccess = readAccess | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	deviceAccess = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
	// fileAccess is what a rule on a file, not a folder, may grant.
	fileAccess = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// NoNewPrivs gives up gaining privileges by exec, for this process and its
// children: setuid bits do nothing any more.
func NoNewPrivs() error {
	return allThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)
}

// Apply sets no_new_privs and confines the process to r. It gives the version
// of the kernel's Landlock that it used, 0 where there is none.
func Apply(r Rules) (version int, err error) {
	if err := NoNewPrivs(); err != nil {
		return 0, fmt.Errorf("no_new_privs: %w", err)
	}
	version = abi()
	if version == 0 {
		return 0, nil
	}
	ruleset, handled, err := create(version, r.TCP)
	if err != nil {
		return 0, err
	}
	defer unix.Close(ruleset)
	for _, part := range []struct {
		paths  []string
		access uint64
	}{{r.Read, readAccess}, {r.Exec, execAccess}, {r.Write, writeAccess | newer(version)}} {
		for _, p := range part.paths {
			if err := allow(ruleset, p, part.access&handled); err != nil {
				return 0, err
			}
		}
	}
	if err := allThreads(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); err != nil {
		return 0, fmt.Errorf("landlock: restrict: %w", err)
	}
	return version, nil
}

// abi is the kernel's Landlock version, 0 for none.
func abi() int {
	v, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// newer is the writer's rights that came with later versions: renaming between
// folders (2), truncating (3).
func newer(version int) uint64 {
	var a uint64
	if version >= 2 {
		a |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		a |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	return a
}

// create makes a ruleset that handles, and so forbids, all that this version
// knows.
func create(version int, tcp bool) (fd int, handled uint64, err error) {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: execAccess | writeAccess | deviceAccess | newer(version)}
	if version >= 4 && !tcp {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	size := unsafe.Offsetof(attr.Quiet_access_fs) // later fields belong to later versions
	if version < 6 {
		size = unsafe.Offsetof(attr.Scoped)
	}
	if version < 4 {
		size = unsafe.Offsetof(attr.Handled_access_net)
	}
	n, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return -1, 0, fmt.Errorf("landlock: ruleset: %w", errno)
	}
	return int(n), attr.Handled_access_fs, nil
}

// allow adds a rule for path and what is below it.
func allow(ruleset int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "landlock: open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "landlock: stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= fileAccess
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := syscall.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return &os.PathError{Op: "landlock: rule", Path: path, Err: errno}
	}
	return nil
}

// allThreads makes a system call in every thread of the process. Go can do that
// only in programs without C; all of ours are.
func allThreads(trap, a, b, c uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall(trap, a, b, c); errno != 0 {
		return errno
	}
	return nil
}
