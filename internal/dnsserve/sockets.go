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
	"strings"
)

// Sockets are those to answer on.
type Sockets struct {
	udp []udpSocket // several may share one
	tcp []net.Listener
	one net.Conn // the only client: that of descriptors 0 and 1, or one that was handed over
}

// One says whether there is but one client, whose connection was handed over.
func (o *Sockets) One() bool { return o.one != nil }

// Open binds each address of the environment's IP at PORT (53 where it is not
// set), for UDP alone where TCP is off, or takes the sockets that were inherited (sd_listen_fds(3)), or the
// client on descriptors 0 and 1.
func Open() (*Sockets, error) {
	if n, ours := inheritedCount(); ours {
		return inherited(n)
	}
	if handedOver() {
		c, err := newStdio()
		return &Sockets{one: c}, err
	}
	ips := strings.FieldsFunc(os.Getenv("IP"), func(c rune) bool { return c == ',' || c == '/' || c == ' ' })
	if len(ips) == 0 {
		return nil, errors.New("$IP not set: it names the addresses to bind")
	}
	if len(ips) > maxAddresses {
		return nil, fmt.Errorf("$IP names %d addresses; at most %d, but 0.0.0.0 and :: are all of them", len(ips), maxAddresses)
	}
	port, err := portNumber(os.Getenv("PORT"))
	if err != nil {
		return nil, err
	}
	tcp := os.Getenv("TCP")
	if tcp != "" && tcp != "on" && tcp != "off" {
		return nil, fmt.Errorf("$TCP is %q: want on or off", tcp)
	}
	o := &Sockets{}
	for _, s := range ips {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("$IP: %q is no address", s)
		}
		if err := o.bind(netip.AddrPortFrom(ip, port), tcp != "off", workersFor(len(ips))); err != nil {
			return nil, fmt.Errorf("unable to bind: %w", err)
		}
	}
	return o, nil
}

// workersFor is how many workers each of so many addresses has.
func workersFor(addresses int) int { return max(1, min(runtime.GOMAXPROCS(0), maxWorkers/addresses)) }

// portNumber reads PORT.
func portNumber(s string) (uint16, error) {
	if s == "" {
		return 53, nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("$PORT is %q: want a number from 1 to 65535", s)
	}
	return uint16(n), nil
}
