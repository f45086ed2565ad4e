// SPDX-License-Identifier: ISC

package sandbox

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Deny is what a process gives up by seccomp(2). What is forbidden gives EPERM.
// All that is not named here stays allowed, so a new Go, or a new library of
// some program that is started, finds the system calls it needs
// (docs/decisions/sandbox.md).
type Deny uint

// The profiles; sandbox(7) lists them.
const (
	// NoAdmin gives up what needs capabilities of root that no mail program has
	// a use for: modules, other kernels, clocks, swap, reboot. Users lose nothing.
	NoAdmin Deny = 1 << iota
	// NoBackdoor gives up NoAdmin's and what programs of ours never use and
	// attackers like: looking into other processes, namespaces, mounts, keys,
	// BPF, io_uring, rare kinds of sockets, MPTCP among them (which Landlock
	// does not see).
	NoBackdoor
	NoExec   // programs are not started
	NoNet    // sockets are of the file system's kind only
	NoSocket // no socket is made, bound, connected or listened on
	NoOpen   // no file is opened, made, renamed, removed or changed by its name
)

// lists is the calls that d refuses whatever their arguments.
func (d Deny) lists() (l [8][]uint32) {
	if d&(NoAdmin|NoBackdoor) != 0 {
		l[0], l[1] = admin[:], machineAdmin[:]
	}
	if d&NoBackdoor != 0 {
		l[2], l[3] = backdoor[:], machineBackdoor[:]
	}
	if d&NoExec != 0 {
		l[4] = execs[:]
	}
	if d&NoSocket != 0 {
		l[5] = sockets[:]
	}
	if d&NoOpen != 0 {
		l[6], l[7] = opens[:], machineOpens[:]
	}
	return l
}

// Where things lie in struct seccomp_data (seccomp(2)), on machines with the low
// half of an argument first, as ours are.
const (
	atNumber  = 0
	atMachine = 4
	atArg0    = 16
	atArg2    = 32
)

// otherABI begins the numbers of x32, whose calls would pass by a table of the
// usual ones.
const otherABI = 0x40000000

// namespaces is clone(2)'s flags that make one.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// program is a filter that is being written. Jumps are relative, so its pieces
// work wherever they stand.
type program []unix.SockFilter

func (p *program) add(code uint16, k uint32, yes, no int) {
	*p = append(*p, unix.SockFilter{Code: code, Jt: uint8(yes), Jf: uint8(no), K: k})
}

// load takes a word of the call's data to compare with.
func (p *program) load(at uint32) { p.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, at, 0, 0) }

// end decides.
func (p *program) end(verdict uint32) { p.add(unix.BPF_RET|unix.BPF_K, verdict, 0, 0) }

// jump passes over so many instructions where the word compares to k, and where
// it does not.
func (p *program) jump(how uint16, k uint32, yes, no int) {
	p.add(unix.BPF_JMP|how|unix.BPF_K, k, yes, no)
}

// Verdicts.
const (
	pass   = unix.SECCOMP_RET_ALLOW
	refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// highest is beyond all numbers of calls that are listed.
const highest = 512

// among refuses the listed calls and lets the others pass. Neighbours share
// their comparisons: the kernel checks and compiles a filter for every process,
// which a program that lives for one message pays for.
func (p *program) among(lists [8][]uint32) {
	var refused [highest + 1]bool
	for _, l := range lists {
		for _, call := range l {
			refused[call] = true
		}
	}
	at := len(*p)
	for n := uint32(0); n < highest; n++ {
		first := n
		for refused[n] && refused[n+1] {
			n++
		}
		switch {
		case first < n:
			p.jump(unix.BPF_JGE, first, 0, 1)
			p.jump(unix.BPF_JGT, n, 0, 0)
		case refused[n]:
			p.jump(unix.BPF_JEQ, n, 0, 0)
		}
	}
	end := len(*p)
	p.end(pass)
	p.end(refuse)
	for i := at; i < end; i++ {
		switch in := &(*p)[i]; in.Code &^ (unix.BPF_JMP | unix.BPF_K) {
		case unix.BPF_JEQ:
			in.Jt = uint8(end - i)
		case unix.BPF_JGT:
			in.Jf = uint8(end - i)
		}
	}
}

// filter writes the program for the kernel to p.
func (d Deny) filter(p program) program {
	p.load(atMachine)
	p.jump(unix.BPF_JEQ, machine, 1, 0)
	p.end(refuse)
	p.load(atNumber)
	p.jump(unix.BPF_JGE, otherABI, 0, 1)
	p.end(refuse)
	if d&NoBackdoor != 0 {
		// clone3's flags lie in memory, where no filter can look; C libraries
		// fall back to clone where the kernel has none, and Go uses clone.
		p.jump(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1)
		p.end(absent)
		p.jump(unix.BPF_JEQ, unix.SYS_CLONE, 0, 4)
		p.load(atArg0)
		p.jump(unix.BPF_JSET, namespaces, 0, 1)
		p.end(refuse)
		p.end(pass)
	}
	d.socket(&p)
	p.among(d.lists())
	return p
}

// socket decides on socket(2) by its family and protocol.
func (d Deny) socket(p *program) {
	switch {
	case d&NoSocket != 0: // listed
	case d&NoNet != 0:
		p.jump(unix.BPF_JEQ, unix.SYS_SOCKET, 0, 4)
		p.load(atArg0)
		p.jump(unix.BPF_JEQ, unix.AF_UNIX, 0, 1)
		p.end(pass)
		p.end(refuse)
	case d&NoBackdoor != 0:
		p.jump(unix.BPF_JEQ, unix.SYS_SOCKET, 0, 10)
		p.load(atArg0)
		p.jump(unix.BPF_JEQ, unix.AF_UNIX, 4, 0)
		p.jump(unix.BPF_JEQ, unix.AF_INET, 3, 0)
		p.jump(unix.BPF_JEQ, unix.AF_INET6, 2, 0)
		p.jump(unix.BPF_JEQ, unix.AF_NETLINK, 1, 0) // C libraries ask it for our addresses
		p.end(refuse)
		p.load(atArg2)
		p.jump(unix.BPF_JEQ, unix.IPPROTO_MPTCP, 0, 1)
		p.end(refuse)
		p.end(pass)
	}
}

// setFilter gives all threads of the process the filter for d.
func setFilter(d Deny) error {
	if machine == 0 {
		return fmt.Errorf("no table for %s: %w", runtime.GOARCH, unix.ENOSYS)
	}
	b := d.filter(make(program, 0, 128))
	prog := unix.SockFprog{Len: uint16(len(b)), Filter: &b[0]}
	thread, _, errno := syscall.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if thread != 0 {
		return fmt.Errorf("seccomp: thread %d has a filter of its own", thread)
	}
	return nil
}
