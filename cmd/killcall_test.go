// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"encoding/binary"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// changing is the system calls that change something, or tell somebody.
var changing = []uint64{unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_SENDTO, unix.SYS_SENDMSG,
	unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINK, unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_UNLINK, unix.SYS_UNLINKAT,
	unix.SYS_MKDIR, unix.SYS_MKDIRAT, unix.SYS_RMDIR, unix.SYS_TRUNCATE, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE, unix.SYS_COPY_FILE_RANGE,
	unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_UTIMENSAT, unix.SYS_FCHMOD, unix.SYS_FCHMODAT}

// victim is an imapd that dies at the entry of a system call.
type victim struct {
	conn  net.Conn
	armed atomic.Bool
	at    int           // the call it dies at, from 1 when it is armed; 0: none
	calls int           // that it has made; good after ended
	ended chan struct{} // closed when it has
	err   error
}

// startVictim starts an imapd that is traced.
func startVictim(home string, at int) (*victim, error) {
	v := &victim{at: at, ended: make(chan struct{})}
	started := make(chan error)
	go v.trace(home, started)
	return v, <-started
}

// trace runs the imapd on a thread of its own, which is its tracer.
func (v *victim) trace(home string, started chan<- error) {
	runtime.LockOSThread()
	defer close(v.ended)
	conn, cmd, err := spawnIMAPD(home, func(cmd *exec.Cmd) error {
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = new(syscall.SysProcAttr)
		}
		cmd.SysProcAttr.Ptrace = true
		return cmd.Start()
	})
	if err != nil {
		started <- err
		return
	}
	v.conn = conn
	pid := cmd.Process.Pid
	defer cmd.Process.Release()
	var st unix.WaitStatus
	_, err = unix.Wait4(pid, &st, unix.WALL, nil) // the exec
	if err == nil {
		err = unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL)
	}
	if err == nil {
		err = unix.PtraceSyscall(pid, 0)
	}
	if started <- err; err == nil {
		v.err = v.follow(pid)
	}
}

// follow lets the threads run from call to call until the process has ended.
func (v *victim) follow(pid int) error {
	inside := make(map[int]bool) // threads in a system call
	for {
		var st unix.WaitStatus
		tid, err := unix.Wait4(-1, &st, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ECHILD:
			return nil
		case err != nil:
			return err
		case st.Exited() || st.Signaled():
			continue // a thread, or the last of them
		}
		sig := st.StopSignal()
		switch {
		case sig == unix.SIGTRAP|0x80:
			if inside[tid] = !inside[tid]; inside[tid] && v.armed.Load() && changes(tid) {
				if v.calls++; v.calls == v.at {
					unix.Kill(pid, unix.SIGKILL)
				}
			}
			sig = 0
		case sig == unix.SIGTRAP || sig == unix.SIGSTOP: // a new thread
			sig = 0
		}
		unix.PtraceSyscall(tid, int(sig)) // it may be dead by now
	}
}

// changes tells whether the call that a thread enters is one that counts.
func changes(tid int) bool {
	var r unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &r) != nil {
		return false
	}
	switch r.Orig_rax {
	case unix.SYS_OPENAT:
		return r.Rdx&(unix.O_CREAT|unix.O_TRUNC) != 0
	case unix.SYS_OPENAT2:
		var how [8]byte
		unix.PtracePeekData(tid, uintptr(r.Rdx), how[:])
		return binary.LittleEndian.Uint64(how[:])&(unix.O_CREAT|unix.O_TRUNC) != 0
	}
	return slices.Contains(changing, r.Orig_rax)
}
