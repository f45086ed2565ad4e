// SPDX-License-Identifier: ISC

package dnsclient

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"quill/internal/dnswire"
)

// fake is a name server on loopback, UDP and TCP on one port.
type fake struct {
	addr netip.AddrPort
	conn *net.UDPConn
	udp  func(q []byte, from netip.AddrPort) [][]byte // what goes back, if anything
	tcp  func(c net.Conn, q []byte)                   // the question was read

	mu    sync.Mutex
	asked []string // over
	ids   []uint16
	ports []uint16
}

// start starts one; a nil udp or tcp is silent there.
func start(t testing.TB, udp func(q []byte, from netip.AddrPort) [][]byte, tcp func(c net.Conn, q []byte)) *fake {
	t.Helper()
	return startAt(t, "127.0.0.1:0", udp, tcp)
}

func startAt(t testing.TB, addr string, udp func(q []byte, from netip.AddrPort) [][]byte, tcp func(c net.Conn, q []byte)) *fake {
	t.Helper()
	f := &fake{udp: udp, tcp: tcp}
	var l *net.TCPListener
	for tries := 0; ; tries++ {
		var err error
		if f.conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr))); err != nil {
			t.Fatal(err)
		}
		f.addr = f.conn.LocalAddr().(*net.UDPAddr).AddrPort()
		if l, err = net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(f.addr)); err == nil {
			break
		}
		f.conn.Close()
		if tries == 20 {
			t.Fatal(err)
		}
	}
	var running sync.WaitGroup
	running.Go(f.serveUDP)
	running.Go(func() { f.serveTCP(l, &running) })
	t.Cleanup(func() {
		f.conn.Close()
		l.Close()
		running.Wait()
	})
	return f
}

func (f *fake) note(over string, q []byte, port uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked, f.ids, f.ports = append(f.asked, over), append(f.ids, binary.BigEndian.Uint16(q)), append(f.ports, port)
}

// seen is over what it was asked.
func (f *fake) seen() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.asked, " ")
}

func (f *fake) serveUDP() {
	b := make([]byte, 4096)
	for {
		n, from, err := f.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		f.note("udp", b[:n], from.Port())
		if f.udp == nil {
			continue
		}
		for _, a := range f.udp(append([]byte(nil), b[:n]...), from) {
			f.conn.WriteToUDPAddrPort(a, from)
		}
	}
}

func (f *fake) serveTCP(l *net.TCPListener, running *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		running.Go(func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(10 * time.Second))
			var length [2]byte
			if _, err := io.ReadFull(c, length[:]); err != nil {
				return
			}
			q := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(c, q); err != nil {
				return
			}
			f.note("tcp", q, c.RemoteAddr().(*net.TCPAddr).AddrPort().Port())
			if f.tcp != nil {
				f.tcp(c, q)
			}
		})
	}
}

// framed is a packet with its length before it.
func framed(p []byte) []byte { return append([]byte{byte(len(p) >> 8), byte(len(p))}, p...) }

// client asks fakes, with patience for a busy machine.
func client(servers ...*fake) *Client {
	c := &Client{Times: Times{Rounds: []time.Duration{10 * time.Second, 10 * time.Second}, TCP: 10 * time.Second, Total: 30 * time.Second}}
	for _, f := range servers {
		c.Servers = append(c.Servers, f.addr)
	}
	return c
}

// hurried is one that gives its first round little time.
func hurried(servers ...*fake) *Client {
	c := client(servers...)
	c.Times.Rounds[0] = 200 * time.Millisecond
	return c
}

// reply is an answer to q: these flags beside QR, these records.
func reply(q []byte, flags uint16, records ...string) []byte {
	n := dnswire.HeaderLen + dnswire.NameLen(q[dnswire.HeaderLen:]) + 4
	out := append([]byte(nil), q[:n]...)
	binary.BigEndian.PutUint16(out[2:], dnswire.FlagQR|flags)
	binary.BigEndian.PutUint16(out[6:], uint16(len(records)))
	binary.BigEndian.PutUint16(out[10:], 0)
	return append(out, strings.Join(records, "")...)
}

// rr is a record; the owner "" is the question's name.
func rr(owner string, kind uint16, data string) string {
	out := []byte{0xc0, dnswire.HeaderLen}
	if owner != "" {
		out = name(owner)
	}
	out = binary.BigEndian.AppendUint16(out, kind)
	return string(append(out, 0, 1, 0, 0, 0, 60, byte(len(data)>>8), byte(len(data)))) + data
}

func name(s string) []byte {
	n, err := dnswire.Name(s)
	if err != nil {
		panic(err) // a test's own text
	}
	return n
}

func one(p []byte) [][]byte { return [][]byte{p} }

// hasOPT says whether a question has EDNS.
func hasOPT(q []byte) bool { return q[11] == 1 }
