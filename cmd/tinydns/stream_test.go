// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnsserve"
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
	for range dnsserve.MaxConns + 20 {
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
