// SPDX-License-Identifier: ISC

// Package tcpserver is the door: it accepts TCP connections, applies rules and
// limits, finds out about both ends, and hands each connection to the rest of a
// chain, spawned or resident (chain(7)). It speaks no protocol of its own and
// reads no byte of a session.
package tcpserver

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenFdsStart is the first inherited socket (sd_listen_fds(3)).
const listenFdsStart = 3

// Listener is a listening socket in the runtime's poller.
type Listener struct {
	file *os.File
	raw  syscall.RawConn
	v4   bool
}

// Listen binds addr and listens with this backlog.
func Listen(addr netip.AddrPort, backlog int) (*Listener, error) {
	family := unix.AF_INET
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: v4(addr.Addr())}
	if addr.Addr().Is6() {
		family = unix.AF_INET6
		sa = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 && addr.Addr() != netip.IPv6Unspecified() {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, sa))
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, backlog))
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return newListener(fd)
}

func v4(a netip.Addr) [4]byte {
	if a.Is4() {
		return a.As4()
	}
	return [4]byte{}
}

func newListener(fd int) (*Listener, error) {
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return nil, os.NewSyscallError("getsockopt", err)
	}
	f := os.NewFile(uintptr(fd), "listener")
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Listener{f, raw, family == unix.AF_INET}, nil
}

// Inherited is the sockets that systemd's socket activation handed over
// (LISTEN_FDS, LISTEN_PID); the variables are taken out of the environment.
func Inherited() ([]*Listener, error) {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	pid := os.Getenv("LISTEN_PID")
	for _, v := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		os.Unsetenv(v)
	}
	if err != nil || n < 1 || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return nil, errors.New("no inherited sockets: LISTEN_FDS and LISTEN_PID do not name any for this process")
	}
	var all []*Listener
	for fd := listenFdsStart; fd < listenFdsStart+n; fd++ {
		unix.CloseOnExec(fd)
		if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
			return nil, fmt.Errorf("inherited descriptor %d is not a listening socket", fd)
		}
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, os.NewSyscallError("fcntl", err)
		}
		l, err := newListener(fd)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// accept waits for the next connection, which is non-blocking and
// close-on-exec.
func (l *Listener) accept() (fd int, err error) {
	rerr := l.raw.Read(func(s uintptr) bool {
		for {
			fd, _, err = unix.Accept4(int(s), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if err != unix.EINTR && err != unix.ECONNABORTED {
				return err != unix.EAGAIN
			}
		}
	})
	if rerr != nil {
		return -1, rerr
	}
	return fd, err
}

// Port is the port that the listener is bound to.
func (l *Listener) Port() int {
	port := 0
	l.raw.Control(func(fd uintptr) {
		sa, _ := unix.Getsockname(int(fd))
		switch a := sa.(type) {
		case *unix.SockaddrInet4:
			port = a.Port
		case *unix.SockaddrInet6:
			port = a.Port
		}
	})
	return port
}

// Close stops listening; an accept that waits ends.
func (l *Listener) Close() error { return l.file.Close() }
