// SPDX-License-Identifier: ISC

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// opened are the sockets to answer on.
type opened struct {
	udp []*net.UDPConn
	tcp []net.Listener
}

// udpBuffer is the receive buffer that is asked for.
const udpBuffer = 1 << 20

// sockets binds each address of IP, or takes the inherited sockets.
func sockets() (*opened, error) {
	if n, err := strconv.Atoi(os.Getenv("LISTEN_FDS")); err == nil && n > 0 {
		return inherited(n)
	}
	ips := strings.FieldsFunc(os.Getenv("IP"), func(c rune) bool { return c == ',' || c == '/' || c == ' ' })
	if len(ips) == 0 {
		return nil, errors.New("$IP not set")
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "53"
	}
	o := &opened{}
	for _, ip := range ips {
		at := net.JoinHostPort(ip, port)
		addr, err := net.ResolveUDPAddr("udp", at)
		if err != nil {
			return nil, fmt.Errorf("address %s: %w", at, err)
		}
		u, err := net.ListenUDP("udp", addr)
		if err != nil {
			return nil, fmt.Errorf("unable to bind: %w", err)
		}
		u.SetReadBuffer(udpBuffer)
		var c net.ListenConfig
		c.SetMultipathTCP(false)
		t, err := c.Listen(context.Background(), "tcp", at)
		if err != nil {
			return nil, fmt.Errorf("unable to bind: %w", err)
		}
		o.udp, o.tcp = append(o.udp, u), append(o.tcp, t)
	}
	return o, nil
}

// inherited takes systemd's sockets: datagram ones for UDP, listening ones for
// TCP.
func inherited(n int) (*opened, error) {
	o := &opened{}
	for fd := 3; fd < 3+n; fd++ {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "inherited")
		if p, err := net.FilePacketConn(f); err == nil {
			u, ok := p.(*net.UDPConn)
			if !ok {
				return nil, fmt.Errorf("inherited descriptor %d is no UDP socket", fd)
			}
			o.udp = append(o.udp, u)
		} else if l, err := net.FileListener(f); err == nil {
			o.tcp = append(o.tcp, l)
		} else {
			return nil, fmt.Errorf("inherited descriptor %d: %w", fd, err)
		}
		f.Close()
	}
	return o, nil
}
