// SPDX-License-Identifier: ISC

package main

import (
	"flag"
	"io"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"quill/internal/sandbox"
)

// mirror is a server that sends every packet back as an answer: what a server
// could do that computed nothing, and so the generator's own ceiling.
type mirror struct {
	fd      int
	b       *batch
	wait    string // how it waits: block, poll, spin
	gone    bool   // calls that may block are told to Go's scheduler
	stopped func() bool
}

func sink(args []string) error {
	f := flag.NewFlagSet("sink", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	size := f.Int("batch", 64, "")
	wait := f.String("wait", "block", "")
	told := f.Bool("told", false, "")
	confined := f.Bool("confined", false, "")
	if err := f.Parse(args); err != nil {
		return usageError(err.Error())
	}
	if f.NArg() != 1 || *size < 1 || *size > 1024 || *wait != "block" && *wait != "poll" && *wait != "spin" {
		return usage
	}
	at, err := loopback(f.Arg(0))
	if err != nil {
		return err
	}
	fd, err := bound(at)
	if err != nil {
		return err
	}
	if *confined {
		err := sandbox.Confine("dnsbench", sandbox.Rules{Deny: sandbox.NoBackdoor | sandbox.NoExec | sandbox.NoSocket, Files: &sandbox.Files{Read: []string{"."}}})
		if err != nil {
			return err
		}
	}
	return newMirror(fd, *size, *wait, *told).serve()
}

func newMirror(fd, size int, wait string, told bool) *mirror {
	return &mirror{fd: fd, b: newBatch(size, true, true), wait: wait, gone: told, stopped: func() bool { return false }}
}

// serve answers until it is stopped, or for ever.
func (m *mirror) serve() error {
	runtime.LockOSThread()
	for {
		n, errno := m.receive()
		if errno != 0 && errno != syscall.ECONNREFUSED {
			return errno
		}
		if m.stopped() {
			return nil
		}
		for i := range n {
			p := m.b.got(i)
			if len(p) > 2 {
				p[2] |= 0x80
			}
			m.b.iovs[i].Len = uint64(len(p))
		}
		for done := 0; done < n; {
			r, _, e := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(m.fd), uintptr(unsafe.Pointer(&m.b.msgs[done])), uintptr(n-done), 0, 0, 0)
			if e != 0 {
				r = 1 // that one cannot be sent
			}
			done += int(r)
		}
		for i := range n {
			m.b.iovs[i].Len = room
			m.b.msgs[i].hdr.Namelen = syscall.SizeofSockaddrInet4
		}
	}
}

// receive waits for packets.
func (m *mirror) receive() (int, syscall.Errno) {
	if m.wait != "block" {
		n, e := m.b.receive(m.fd, len(m.b.msgs))
		if n > 0 || e != 0 || m.wait == "spin" {
			return n, e
		}
		p := unix.PollFd{Fd: int32(m.fd), Events: unix.POLLIN}
		m.call(unix.SYS_POLL, uintptr(unsafe.Pointer(&p)), 1, ^uintptr(0), 0)
		return m.b.receive(m.fd, len(m.b.msgs))
	}
	r, e := m.call(unix.SYS_RECVMMSG, uintptr(m.fd), uintptr(unsafe.Pointer(&m.b.msgs[0])), uintptr(len(m.b.msgs)), unix.MSG_WAITFORONE)
	return result(m.b, r, e)
}

// call makes a system call that may block. What its arguments point to stays
// where it is meanwhile.
//
//go:uintptrescapes
func (m *mirror) call(trap, a, b, c, d uintptr) (uintptr, syscall.Errno) {
	var r uintptr
	var e syscall.Errno
	if m.gone {
		r, _, e = syscall.Syscall6(trap, a, b, c, d, 0, 0)
	} else {
		r, _, e = syscall.RawSyscall6(trap, a, b, c, d, 0, 0)
	}
	runtime.KeepAlive(m.b)
	return r, e
}
