// SPDX-License-Identifier: ISC

package main

import (
	"net/netip"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// room is the bytes of one received packet that are kept.
const room = 1500

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr syscall.Msghdr
	n   uint32
	_   [4]byte
}

// batch is packets that one system call moves. Its parts point into each other,
// so it is used by its address.
type batch struct {
	msgs  []mmsghdr
	iovs  []syscall.Iovec
	names []syscall.RawSockaddrInet4
	buf   []byte // room for each, in batches that receive
}

// newBatch makes one of n packets. One that receives has buffers, one with named
// has an address for each.
func newBatch(n int, receives, named bool) *batch {
	b := &batch{msgs: make([]mmsghdr, n), iovs: make([]syscall.Iovec, n)}
	if receives {
		b.buf = make([]byte, n*room)
	}
	if named {
		b.names = make([]syscall.RawSockaddrInet4, n)
	}
	for i := range b.msgs {
		m := &b.msgs[i].hdr
		m.Iov, m.Iovlen = &b.iovs[i], 1
		if receives {
			b.iovs[i].Base, b.iovs[i].Len = &b.buf[i*room], room
		}
		if named {
			m.Name, m.Namelen = (*byte)(unsafe.Pointer(&b.names[i])), syscall.SizeofSockaddrInet4
		}
	}
	return b
}

// set makes the packet the i-th to be sent.
func (b *batch) set(i int, packet []byte) {
	b.iovs[i].Base, b.iovs[i].Len = &packet[0], uint64(len(packet))
}

// got is the i-th received packet.
func (b *batch) got(i int) []byte { return b.buf[i*room:][:min(b.msgs[i].n, room)] }

// receive takes up to n packets without waiting; 0 where there are none.
func (b *batch) receive(fd, n int) (int, syscall.Errno) {
	r, _, e := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.msgs[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	return result(b, r, e)
}

// send sends the first n packets; how many went.
func (b *batch) send(fd, n int) (int, syscall.Errno) {
	r, _, e := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.msgs[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	return result(b, r, e)
}

func result(b *batch, r uintptr, e syscall.Errno) (int, syscall.Errno) {
	runtime.KeepAlive(b)
	if e == syscall.EAGAIN || e == syscall.EINTR {
		return 0, 0
	}
	if e != 0 {
		return 0, e
	}
	return int(r), 0
}

// socket opens a UDP socket with large buffers.
func socket() (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2<<20) // as much as the system gives
	return fd, nil
}

// connected opens a UDP socket that talks to one address only.
func connected(to netip.AddrPort) (int, error) {
	fd, err := socket()
	if err != nil {
		return -1, err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bound opens a UDP socket at an address.
func bound(at netip.AddrPort) (int, error) {
	fd, err := socket()
	if err != nil {
		return -1, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}
