// SPDX-License-Identifier: ISC

package dnsserve

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inheritedCount is how many sockets were handed over to this process
// (sd_listen_fds(3)). Starters that set no LISTEN_PID are believed.
func inheritedCount() (n int, ours bool) {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	pid := os.Getenv("LISTEN_PID")
	return n, err == nil && n > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid()))
}

// inherited takes the sockets from descriptor 3 on: datagram ones for UDP,
// streams for TCP.
func inherited(n int) (*Sockets, error) {
	o := &Sockets{}
	for fd := 3; fd < 3+n; fd++ {
		syscall.CloseOnExec(fd)
		kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		if err == nil && kind == unix.SOCK_DGRAM {
			err = o.inheritUDP(fd)
		} else if err == nil {
			err = o.inheritTCP(fd)
		}
		if err != nil {
			return nil, fmt.Errorf("inherited descriptor %d: %w", fd, err)
		}
	}
	return o, nil
}

// inheritUDP has all workers use one socket: nobody may be able to bind another
// one beside it.
func (o *Sockets) inheritUDP(fd int) error {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	everywhere := false
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		everywhere = netip.AddrFrom4(a.Addr).IsUnspecified()
	case *unix.SockaddrInet6:
		everywhere = netip.AddrFrom16(a.Addr).IsUnspecified()
	default:
		return errors.New("no UDP socket")
	}
	prepare(fd, everywhere)
	for range runtime.GOMAXPROCS(0) {
		o.udp = append(o.udp, udpSocket{fd, everywhere})
	}
	return nil
}

// inheritTCP takes a listening socket, or one client's (Accept=yes).
func (o *Sockets) inheritTCP(fd int) error {
	f := os.NewFile(uintptr(fd), "inherited")
	defer f.Close()
	if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil {
		return err
	} else if listens == 0 {
		if o.one != nil {
			return errors.New("a second client; at most one can be handed over")
		}
		o.one, err = net.FileConn(f)
		return err
	}
	l, err := net.FileListener(f)
	if err != nil {
		return err
	}
	if _, ok := l.(*net.TCPListener); !ok {
		l.Close()
		return errors.New("no TCP socket")
	}
	o.tcp = append(o.tcp, l)
	return nil
}

// handedOver says whether descriptors 0 and 1 are a client that a super-server
// has accepted: one of UCSPI says so in PROTO and TCPREMOTEIP, inetd not at all.
// Terminals and files are nobody's client, whatever the environment says.
func handedOver() bool {
	var st unix.Stat_t
	if unix.Fstat(0, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK && st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return false
	}
	if os.Getenv("TCPREMOTEIP") != "" && os.Getenv("PROTO") != "" {
		return true
	}
	if os.Getenv("IP") != "" {
		return false
	}
	_, err := unix.Getpeername(0)
	kind, _ := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind == unix.SOCK_STREAM
}

// stdio is a client on descriptors 0 and 1.
type stdio struct {
	in, out *os.File
	from    net.Addr
}

// newStdio takes the client on 0 and 1. Its address is what the super-server
// says, else what the system does.
func newStdio() (*stdio, error) {
	for _, fd := range []int{0, 1} {
		if err := unix.SetNonblock(fd, true); err != nil { // for deadlines
			return nil, fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	c := &stdio{in: os.NewFile(0, "client"), out: os.NewFile(1, "client"), from: &net.TCPAddr{}}
	ip, err := netip.ParseAddr(os.Getenv("TCPREMOTEIP"))
	port, _ := strconv.ParseUint(os.Getenv("TCPREMOTEPORT"), 10, 16)
	if err == nil {
		c.from = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port)))
		return c, nil
	}
	peer, _ := unix.Getpeername(0)
	switch a := peer.(type) {
	case *unix.SockaddrInet4:
		c.from = &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrInet6:
		c.from = &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	}
	return c, nil
}

func (c *stdio) Read(b []byte) (int, error)         { return c.in.Read(b) }
func (c *stdio) Write(b []byte) (int, error)        { return c.out.Write(b) }
func (c *stdio) Close() error                       { return errors.Join(c.in.Close(), c.out.Close()) }
func (c *stdio) LocalAddr() net.Addr                { return &net.TCPAddr{} }
func (c *stdio) RemoteAddr() net.Addr               { return c.from }
func (c *stdio) SetReadDeadline(t time.Time) error  { return c.in.SetReadDeadline(t) }
func (c *stdio) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }
func (c *stdio) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
