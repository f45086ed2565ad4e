// SPDX-License-Identifier: ISC

package dnsserve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Sockets are those to answer on.
type Sockets struct {
	udp []udpSocket
	tcp []net.Listener
}

// udpBuffer is the receive buffer that is asked for, in bytes.
const udpBuffer = 1 << 20

// Open binds each address of the environment's IP at PORT (53 where it is not
// set), or takes the sockets that were inherited (sd_listen_fds(3)).
func Open() (*Sockets, error) {
	if n, ours := inheritedCount(); ours {
		return inherited(n)
	}
	ips := strings.FieldsFunc(os.Getenv("IP"), func(c rune) bool { return c == ',' || c == '/' || c == ' ' })
	if len(ips) == 0 {
		return nil, errors.New("$IP not set: it names the addresses to bind")
	}
	port := uint64(53)
	if p := os.Getenv("PORT"); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("$PORT is %q: want a number from 1 to 65535", p)
		}
		port = n
	}
	o := &Sockets{}
	for _, s := range ips {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("$IP: %q is no address", s)
		}
		if err := o.bind(netip.AddrPortFrom(ip, uint16(port))); err != nil {
			return nil, fmt.Errorf("unable to bind: %w", err)
		}
	}
	return o, nil
}

// bind opens both sockets of an address.
func (o *Sockets) bind(at netip.AddrPort) error {
	family := "6"
	if at.Addr().Is4() {
		family = "4"
	}
	u, err := net.ListenUDP("udp"+family, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	o.udp = append(o.udp, prepare(u))
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	l, err := c.Listen(context.Background(), "tcp"+family, at.String())
	if err != nil {
		return err
	}
	o.tcp = append(o.tcp, l)
	return nil
}

// inheritedCount is how many sockets were handed over to this process
// (sd_listen_fds(3)). Starters that set no LISTEN_PID are believed.
func inheritedCount() (n int, ours bool) {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	pid := os.Getenv("LISTEN_PID")
	return n, err == nil && n > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid()))
}

// inherited takes the sockets from descriptor 3 on: datagram ones for UDP,
// listening ones for TCP.
func inherited(n int) (*Sockets, error) {
	o := &Sockets{}
	for fd := 3; fd < 3+n; fd++ {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "inherited")
		if p, err := net.FilePacketConn(f); err == nil {
			u, ok := p.(*net.UDPConn)
			if !ok {
				return nil, fmt.Errorf("inherited descriptor %d is no UDP socket", fd)
			}
			o.udp = append(o.udp, prepare(u))
		} else if l, err := net.FileListener(f); err == nil {
			o.tcp = append(o.tcp, l)
		} else {
			return nil, fmt.Errorf("inherited descriptor %d: %w", fd, err)
		}
		f.Close()
	}
	return o, nil
}

// udpSocket is one to answer on. Where it is bound to no address of its own,
// answers leave from the one that the question came to.
type udpSocket struct {
	*net.UDPConn
	everywhere bool
}

// prepare asks for a large receive buffer and, where it matters, for the
// address that each question came to.
func prepare(u *net.UDPConn) udpSocket {
	u.SetReadBuffer(udpBuffer) // as much as the system gives
	a, ok := u.LocalAddr().(*net.UDPAddr)
	if !ok || !a.IP.IsUnspecified() {
		return udpSocket{u, false}
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return udpSocket{u, false}
	}
	raw.Control(func(fd uintptr) { // one of them is not for this family
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1)
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, 1)
	})
	return udpSocket{u, true}
}

// source is the control message that sends an answer from where the question
// came to. Over IPv4 the way back is left to the routes.
func (u udpSocket) source(control []byte) []byte {
	if !u.everywhere {
		return nil
	}
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if m.Header.Level == syscall.IPPROTO_IP && m.Header.Type == syscall.IP_PKTINFO && len(m.Data) >= 4 {
			clear(m.Data[:4]) // the interface
		}
	}
	return control
}
