// SPDX-License-Identifier: ISC

package dnsserve

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// message is a control message.
func message(level, kind uint32, data []byte) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(controlHead+len(data)))
	b = binary.NativeEndian.AppendUint32(b, level)
	b = append(binary.NativeEndian.AppendUint32(b, kind), data...)
	return append(b, make([]byte, (8-len(b)%8)%8)...)
}

// TestSource: answers go out from the address that was asked, and by the
// interface only where the address means nothing without it.
func TestSource(t *testing.T) {
	v4 := []byte{1, 0, 0, 0, 127, 0, 0, 9, 127, 0, 0, 9}
	v4out := []byte{0, 0, 0, 0, 127, 0, 0, 9, 127, 0, 0, 9}
	global := append(netip.MustParseAddr("2001:db8::1").AsSlice(), 2, 0, 0, 0)
	globalOut := append(netip.MustParseAddr("2001:db8::1").AsSlice(), 0, 0, 0, 0)
	local := append(netip.MustParseAddr("fe80::1").AsSlice(), 2, 0, 0, 0)
	other := message(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 16))
	for name, c := range map[string]struct{ in, want []byte }{
		"none":          {nil, nil},
		"IPv4":          {message(unix.IPPROTO_IP, unix.IP_PKTINFO, v4), message(unix.IPPROTO_IP, unix.IP_PKTINFO, v4out)},
		"IPv6":          {message(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, global), message(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, globalOut)},
		"of a link":     {message(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, local), message(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, local)},
		"behind others": {append(bytes.Clone(other), message(unix.IPPROTO_IP, unix.IP_PKTINFO, v4)...), message(unix.IPPROTO_IP, unix.IP_PKTINFO, v4out)},
		"others alone":  {other, nil},
		"cut":           {message(unix.IPPROTO_IP, unix.IP_PKTINFO, v4)[:20], nil},
		"short":         {message(unix.IPPROTO_IP, unix.IP_PKTINFO, v4[:8]), nil},
		"length 0":      {make([]byte, 64), nil},
	} {
		want := c.want
		if len(want) > 0 {
			want = want[:binary.NativeEndian.Uint64(want)]
		}
		if got := source(bytes.Clone(c.in)); !bytes.Equal(got, want) {
			t.Errorf("source of %s = %x; want %x", name, got, want)
		}
	}
}

// sized answers with as many bytes as the question's first two say.
type sized struct{}

func (sized) Answer(out, packet []byte, _ netip.AddrPort, _ bool) []byte {
	if len(packet) < 2 {
		return nil
	}
	n := int(binary.BigEndian.Uint16(packet))
	for i := range n {
		out = append(out, byte(n+i))
	}
	return out
}

// local is a socket to answer on, and one that asks there.
func local(t *testing.T, at string) (u udpSocket, c *net.UDPConn) {
	t.Helper()
	fd, err := bindUDP(netip.MustParseAddrPort(at), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		to.Port = a.Port
	case *unix.SockaddrInet6:
		to.IP, to.Port = net.IPv6loopback, a.Port
	}
	if c, err = net.DialUDP("udp", nil, to); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return udpSocket{fd, netip.MustParseAddrPort(at).Addr().IsUnspecified()}, c
}

// TestSizes: answers of all sizes come whole and in order, also where they do
// not fit into the room for a batch.
func TestSizes(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		u, c := local(t, at)
		p := newPackets(u.everywhere)
		sizes := []int{1, 63, 64, 65, 512, 1232, answer - 1, answer, answer + 1, 9000}
		var asked []int
		for range 4 {
			for _, n := range sizes {
				asked = append(asked, n)
				c.Write(binary.BigEndian.AppendUint16(nil, uint16(n)))
			}
		}
		c.Write(nil)
		for got := 0; got < len(asked)+1; {
			n, err := p.receive(u.fd)
			if err != nil {
				t.Fatal(err)
			}
			got += n
			for i := range n {
				p.answer(u.fd, i, sized{})
			}
			p.send(u.fd)
		}
		b := make([]byte, 65536)
		for i, n := range asked {
			m, err := c.Read(b)
			if err != nil || m != n || n > 0 && (b[0] != byte(n) || b[n-1] != byte(2*n-1)) {
				t.Fatalf("%s: answer %d has %d bytes, %v; want %d", at, i, m, err, n)
			}
		}
	}
}

// TestAllocates: nothing, for a batch.
func TestAllocates(t *testing.T) {
	u, c := local(t, "0.0.0.0:0")
	p := newPackets(u.everywhere)
	to := Answerer(sized{})
	q, b := []byte{0, 100}, make([]byte, 512)
	if n := testing.AllocsPerRun(50, func() {
		for range 10 {
			c.Write(q)
		}
		for got := 0; got < 10; {
			n, err := p.receive(u.fd)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				p.answer(u.fd, i, to)
			}
			p.send(u.fd)
			got += n
		}
		for range 10 {
			c.Read(b)
		}
	}); n != 0 {
		t.Errorf("%v allocations for 10 questions; want none", n)
	}
}

// TestLongQuestion: what a datagram has beyond maxPacket is cut off.
func TestLongQuestion(t *testing.T) {
	u, c := local(t, "127.0.0.1:0")
	p := newPackets(u.everywhere)
	for _, n := range []int{maxPacket, maxPacket + 1, 60000} {
		c.Write(make([]byte, n))
		if got, err := p.receive(u.fd); got != 1 || err != nil || len(p.packet(0)) != maxPacket {
			t.Errorf("%d bytes: %d, %v, %d bytes; want 1 of %d", n, got, err, len(p.packet(0)), maxPacket)
		}
	}
}

// TestWorkers: a processor has a worker for each address, within bounds.
func TestWorkers(t *testing.T) {
	n := runtime.GOMAXPROCS(0)
	for addresses, want := range map[int]int{1: min(n, maxWorkers), 2: min(n, maxWorkers/2), maxAddresses: min(n, maxWorkers/maxAddresses), 1000: 1} {
		if got := workersFor(addresses); got != want {
			t.Errorf("workersFor(%d) = %d; want %d", addresses, got, want)
		}
	}
}

// TestClients: connections of one client count together, IPv6 ones of a /64.
func TestClients(t *testing.T) {
	s := conns{limit: 4}
	var all []*conn
	for i, ip := range []string{"192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "192.0.2.2"} {
		c := s.enter(&peer{ip: ip})
		c.last.Store(int64(i))
		all = append(all, c)
	}
	if !all[0].Conn.(*peer).closed || len(s.open) != 4 {
		t.Errorf("the first closed %v, %d open; want it closed, 4 open", all[0].Conn.(*peer).closed, len(s.open))
	}
	if n := s.from[netip.MustParsePrefix("2001:db8::/64")]; n != 2 {
		t.Errorf("%d of the /64; want 2", n)
	}
	for range 2 {
		for _, c := range all {
			s.leave(c)
		}
	}
	if len(s.open) != 0 || len(s.from) != 0 {
		t.Errorf("%v, %v after all have left; want nothing", s.open, s.from)
	}
}

// peer is a connection from an address.
type peer struct {
	net.Conn
	ip     string
	closed bool
}

func (p *peer) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(p.ip), 1))
}

func (p *peer) Close() error {
	p.closed = true
	return nil
}
