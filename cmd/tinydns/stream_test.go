// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnsserve"
	"quill/internal/racetest"
)

// TestStreams: a connection with many questions at once, one that asks nothing,
// one that closes its half, and one with too long a question.
func TestStreams(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	dial := func() *net.TCPConn {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(8 * time.Second))
		return c.(*net.TCPConn)
	}
	b, err := new(dns.Msg).SetQuestion("www.a.org.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	framed := string([]byte{0, byte(len(b))}) + string(b)
	c := dial()
	io.WriteString(c, strings.Repeat(framed, 100))
	c.CloseWrite()
	all, err := io.ReadAll(c)
	if want := 100 * (2 + len(b) + 16); err != nil || len(all) != want {
		t.Errorf("100 questions at once: %d bytes, %v; want %d", len(all), err, want)
	}
	for name, bytes := range map[string]string{"no length": "\x00\x00", "too long": "\x10\x01", "an answer": "\x00\x0c\x12\x34\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00"} {
		c := dial()
		io.WriteString(c, bytes)
		if got, err := io.ReadAll(c); err != nil || len(got) != 0 {
			t.Errorf("%s: %q, %v; want the end", name, got, err)
		}
	}
}

// TestIdleConnections: more silent connections than are served lock nobody out,
// and the longest silent ones are closed for it.
func TestIdleConnections(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	var idle []net.Conn
	for range dnsserve.MaxClient + 20 {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	if got := ask(t, "tcp", p.addr, "www.a.org."); got != "1.2.3.4" {
		t.Errorf("beside %d idle connections: %s; want 1.2.3.4", len(idle), got)
	}
	idle[0].SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := idle[0].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the longest idle connection: %v; want its end", err)
	}
	idle[len(idle)-1].SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := idle[len(idle)-1].Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the newest idle connection: %v; want it open", err)
	}
}

// connect opens a TCP connection.
func connect(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(8 * time.Second))
	return c.(*net.TCPConn)
}

// framed is a question with its length before it.
func framed(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }

// TestHalfAQuestion: an answer does not wait for the rest of the next question.
func TestHalfAQuestion(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	q := framed(question(t, "www.a.org.", dns.TypeA))
	c := connect(t, p.addr)
	in := make([]byte, len(q)+16)
	for _, next := range [][]byte{q[:1], q[:2], q[:len(q)-1]} {
		c.Write(append(bytes.Clone(q), next...))
		if _, err := io.ReadFull(c, in); err != nil {
			t.Fatalf("no answer while %d bytes of the next question are there: %v", len(next), err)
		}
		for _, b := range q[len(next):] {
			c.Write([]byte{b})
		}
		if _, err := io.ReadFull(c, in); err != nil {
			t.Fatalf("no answer to a question in pieces: %v", err)
		}
	}
}

// TestOrder: 100 questions in one write, of different names, are answered in
// their order.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	c := connect(t, p.addr)
	var all []byte
	for i := range 100 {
		q := question(t, []string{"www.a.org.", "none.a.org.", "elsewhere.net."}[i%3], dns.TypeA)
		q[0], q[1] = 0, byte(i)
		all = append(all, framed(q)...)
	}
	c.Write(all)
	for i := range 100 {
		head := make([]byte, 2)
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatal(err)
		}
		a := make([]byte, int(head[0])<<8|int(head[1]))
		if _, err := io.ReadFull(c, a); err != nil || int(a[1]) != i {
			t.Fatalf("answer %d has the number %d, %v", i, a[1], err)
		}
		if want := []byte{0, 3, 5}[i%3]; a[3]&15 != want {
			t.Errorf("answer %d has the code %d; want %d", i, a[3]&15, want)
		}
	}
}

// TestManyIdle is DN15: a thousand idle connections of one client leave it
// MaxClient of them, and lock out neither UDP nor TCP of anybody.
func TestManyIdle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	before := p.memory(t)
	other, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 3, 3, 3)}}).Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var idle []*net.TCPConn
	for range 1000 {
		idle = append(idle, connect(t, p.addr))
	}
	for _, network := range []string{"udp", "tcp"} {
		if got := ask(t, network, p.addr, "www.a.org."); got != "1.2.3.4" {
			t.Errorf("%s beside 1000 idle connections: %s; want 1.2.3.4", network, got)
		}
	}
	open := 0
	for _, c := range idle {
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
	}
	if open > dnsserve.MaxClient || open < dnsserve.MaxClient-2 {
		t.Errorf("%d idle connections stay open; want %d", open, dnsserve.MaxClient)
	}
	other.SetDeadline(time.Now().Add(5 * time.Second))
	q := framed(question(t, "www.a.org.", dns.TypeA))
	other.Write(q)
	if _, err := io.ReadFull(other, make([]byte, len(q)+16)); err != nil {
		t.Errorf("the connection of another client, older than those: %v; want an answer", err)
	}
	if after := p.memory(t); after > before+8192*racetest.Slack {
		t.Errorf("memory grew from %d to %d KiB", before, after)
	}
}

// TestMaxConns: of all clients together, too, the longest silent connection makes
// room.
func TestMaxConns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	var all []net.Conn
	for i := range dnsserve.MaxConns + 5 {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 4, 0, byte(1+i/100))}}).Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all = append(all, c)
		if i == 0 {
			time.Sleep(20 * time.Millisecond) // the first is the longest silent
		}
	}
	if got := ask(t, "tcp", p.addr, "www.a.org."); got != "1.2.3.4" {
		t.Errorf("beside %d connections: %s; want 1.2.3.4", len(all), got)
	}
	closed := 0
	for i, c := range all {
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			closed++
		} else if i == 0 {
			t.Error("the longest silent connection is open")
		}
	}
	if closed != 6 {
		t.Errorf("%d connections were closed for the last ones; want 6", closed)
	}
}

// TestLargestQuestion: 4096 bytes are read, over both transports, and one more
// is not over TCP.
func TestLargestQuestion(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	q := new(dns.Msg).SetQuestion("www.a.org.", dns.TypeA)
	q.SetEdns0(1232, false)
	q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001}}
	b, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: make([]byte, 4096-len(b))}}
	for _, network := range []string{"udp", "tcp"} {
		a, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(q, p.addr)
		if err != nil || len(a.Answer) != 1 {
			t.Errorf("4096 bytes over %s: %v, %v; want an answer", network, a, err)
		}
	}
	c := connect(t, p.addr)
	c.Write(append([]byte{0x10, 0x01}, make([]byte, 4097)...))
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("4097 bytes over tcp: %d, %v; want the end", n, err)
	}
}
