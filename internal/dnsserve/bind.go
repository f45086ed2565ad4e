// SPDX-License-Identifier: ISC

package dnsserve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// udpBuffer is the receive buffer that is asked for, in bytes: what comes while
// a worker waits for its processor.
const udpBuffer = 4 << 20

// udpSocket is one to answer on. Where it is bound to no address of its own,
// answers leave from the one that the question came to.
type udpSocket struct {
	fd         int
	everywhere bool
}

// bind opens the sockets of an address, those for UDP alone if that is wanted.
func (o *Sockets) bind(at netip.AddrPort, tcp bool, workers int) error {
	if tcp {
		if err := o.listen(at); err != nil {
			return err
		}
	}
	// A second server must not share the port with us, as sockets of one user can.
	fd, err := bindUDP(at, false)
	if err != nil {
		return fmt.Errorf("UDP %s: %w", at, err)
	}
	unix.Close(fd)
	for range workers {
		fd, err := bindUDP(at, true)
		if err != nil {
			return fmt.Errorf("UDP %s: %w", at, err)
		}
		o.udp = append(o.udp, udpSocket{fd, at.Addr().IsUnspecified()})
	}
	return nil
}

// listen opens the socket for TCP.
func (o *Sockets) listen(at netip.AddrPort) error {
	family := "6"
	if at.Addr().Is4() {
		family = "4"
	}
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	c.KeepAlive = -1 // connections do not last that long
	l, err := c.Listen(context.Background(), "tcp"+family, at.String())
	if err != nil {
		return err
	}
	o.tcp = append(o.tcp, l)
	return nil
}

// bindUDP opens a socket; one that shares its address with others that do.
func bindUDP(at netip.AddrPort, shares bool) (fd int, err error) {
	family, name := unix.AF_INET6, unix.Sockaddr(nil)
	if at.Addr().Is4() {
		family, name = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	} else {
		zone, err := zoneID(at.Addr().Zone())
		if err != nil {
			return -1, err
		}
		name = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16(), ZoneId: zone}
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if family == unix.AF_INET6 {
		err = os.NewSyscallError("setsockopt IPV6_V6ONLY", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
	}
	if shares {
		err = errors.Join(err, os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)))
	}
	if err = errors.Join(err, os.NewSyscallError("bind", unix.Bind(fd, name))); err != nil {
		unix.Close(fd)
		return -1, err
	}
	prepare(fd, at.Addr().IsUnspecified())
	return fd, nil
}

// zoneID is the number of an interface that an address of a link belongs to.
func zoneID(name string) (uint32, error) {
	if name == "" {
		return 0, nil
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	return uint32(i.Index), nil
}

// prepare asks for what the system may give or not: a large receive buffer,
// answers that leave whole whatever was heard of the path (RFC 9715), and where
// it matters the address that each question came to. Options of the other
// family than the socket's fail.
func prepare(fd int, everywhere bool) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, udpBuffer) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, udpBuffer)
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
	unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_OMIT)
	// What cannot be sent now must not hold up other answers for long.
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Usec: 100_000})
	if everywhere {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
}
