// SPDX-License-Identifier: ISC

package main

import (
	"encoding/binary"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// question is one in wire form.
func question(t testing.TB, name string, kind uint16) []byte {
	t.Helper()
	b, err := new(dns.Msg).SetQuestion(name, kind).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// volley sends n questions over a UDP socket, with at most window of them
// unanswered, and counts the answers; the i-th has the number i. It ends early
// where nothing came for a second.
func volley(t testing.TB, c net.Conn, n, window int, packet []byte) (answered int, short int) {
	t.Helper()
	packet = append([]byte(nil), packet...)
	in := make([]byte, 4096)
	sent := 0
	for answered < n {
		for ; sent < n && sent-answered < window; sent++ {
			binary.BigEndian.PutUint16(packet, uint16(sent))
			if _, err := c.Write(packet); err != nil {
				t.Fatal(err)
			}
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		m, err := c.Read(in)
		if err != nil {
			return answered, short
		}
		answered++
		if m >= 12 && in[2]&2 != 0 {
			short++
		}
	}
	return answered, short
}

// dial connects a UDP socket from ip to addr.
func dial(t testing.TB, ip, addr string) *net.UDPConn {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)}, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadBuffer(1 << 20); err != nil {
		t.Fatal(err)
	}
	return c
}

// silent fails where anything is said in answer to packets, and where a question
// after them is not answered.
func silent(t testing.TB, addr string, packets ...[]byte) {
	t.Helper()
	c := dial(t, "127.0.0.1", addr)
	for _, p := range packets {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	last := question(t, "www.a.org.", dns.TypeA)
	if _, err := c.Write(last); err != nil {
		t.Fatal(err)
	}
	in := make([]byte, 4096)
	c.SetReadDeadline(time.Now().Add(2 * time.Second))
	if n, err := c.Read(in); err != nil || string(in[:2]) != string(last[:2]) {
		t.Errorf("after %x: %x, %v; want nothing but the answer to the last question", packets, in[:n], err)
	}
}

// memory is what the process holds, in KiB.
func (p *process) memory(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssAnon:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
