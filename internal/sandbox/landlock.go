// SPDX-License-Identifier: ISC

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Files is what a process keeps of the file system and of TCP, by landlock(7).
// Folders that do not exist are passed over. A rule holds for the folder that
// is there now: one that takes its name later is outside.
type Files struct {
	Read  []string // files below may be read
	Write []string // files below may be read, written, made, renamed and removed
	At    []int    // descriptors of folders, as Write
	Exec  []string // files below may be read and executed
	TCP   bool     // binding and connecting TCP sockets stays allowed
}

var errNoLandlock = errors.New("this kernel has no Landlock, or it is not switched on")

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

// signalErratum is the bit of the kernel's list of corrections that says that
// threads of one process may signal each other in spite of a scope. Without it
// the runtime could not stop its own threads.
const signalErratum = 1 << 1

// restrictFiles confines all threads to f. It wants no_new_privs, or root.
func restrictFiles(f *Files) error {
	version := ask(unix.LANDLOCK_CREATE_RULESET_VERSION)
	if version == 0 {
		return errNoLandlock
	}
	ruleset, handled, err := create(version, f.TCP)
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	write := (writeAccess | newer(version)) & handled
	for _, part := range []struct {
		paths  []string
		access uint64
	}{{f.Read, readAccess}, {f.Exec, execAccess}, {f.Write, write}} {
		for _, p := range part.paths {
			if err := allow(ruleset, p, part.access); err != nil {
				return err
			}
		}
	}
	for _, fd := range f.At {
		if err := allowAt(ruleset, fd, write); err != nil {
			return err
		}
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return fmt.Errorf("landlock: restrict: %w", errno)
	}
	return nil
}

// ask is the kernel's Landlock version, or what the flag asks for; 0 for none.
func ask(flag uintptr) int {
	v, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, flag)
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
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
		if ask(unix.LANDLOCK_CREATE_RULESET_ERRATA)&signalErratum != 0 {
			attr.Scoped |= unix.LANDLOCK_SCOPE_SIGNAL
		}
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
	if err := allowAt(ruleset, fd, access); err != nil {
		return &os.PathError{Op: "landlock: rule", Path: path, Err: err}
	}
	return nil
}

// allowAt adds a rule for what is open as fd.
func allowAt(ruleset, fd int, access uint64) error {
	attr := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := syscall.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
