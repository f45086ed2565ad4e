// SPDX-License-Identifier: ISC

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestAnswersFromWhereAsked: bound to all addresses, it answers from the one
// that was asked.
func TestAnswersFromWhereAsked(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "0.0.0.0", nil, "LOG=off")
	_, port, _ := net.SplitHostPort(p.addr)
	if got := ask(t, "udp", "127.0.0.206:"+port, "www.a.org."); got != "1.2.3.4" {
		t.Errorf("www.a.org at 127.0.0.206 = %s; want 1.2.3.4", got)
	}
}

func TestSeveralAddresses(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1,127.0.0.2/127.0.0.3", nil, "LOG=off")
	_, port, _ := net.SplitHostPort(p.addr)
	for _, ip := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		for _, network := range []string{"udp", "tcp"} {
			if got := ask(t, network, ip+":"+port, "www.a.org."); got != "1.2.3.4" {
				t.Errorf("%s %s: %s; want 1.2.3.4", network, ip, got)
			}
		}
	}
}

// TestInherited: sockets of LISTEN_FDS, in either order.
func TestInherited(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	uf, err1 := u.File()
	lf, err2 := l.File()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	defer uf.Close()
	defer lf.Close()
	p := start(t, dir, "", []*os.File{lf, uf}, "LOG=off", "LISTEN_FDS=2")
	for network, addr := range map[string]net.Addr{"udp": u.LocalAddr(), "tcp": l.Addr()} {
		if got := ask(t, network, addr.String(), "www.a.org."); got != "1.2.3.4" {
			t.Errorf("%s: %s; want 1.2.3.4", network, got)
		}
	}
	p.stop(t, syscall.SIGTERM)
}

// TestAnswersFromWhereAsked6: the same over IPv6, beside IPv4 on the same port:
// a socket of :: takes IPv6 alone.
func TestAnswersFromWhereAsked6(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "0.0.0.0,::", nil, "LOG=off")
	_, port, _ := net.SplitHostPort(p.addr)
	for _, ip := range []string{"127.0.0.9", "::1", "127.0.0.1"} {
		for _, network := range []string{"udp", "tcp"} {
			if got := ask(t, network, net.JoinHostPort(ip, port), "www.a.org."); got != "1.2.3.4" {
				t.Errorf("%s %s: %s; want 1.2.3.4", network, ip, got)
			}
		}
	}
}

// TestBursts: more questions at once than a batch takes, from many sockets, are
// all answered, each to who asked.
func TestBursts(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	for _, ip := range []string{"127.0.0.1", "0.0.0.0"} {
		p := start(t, dir, ip, nil, "LOG=off")
		for range 20 {
			c := dial(t, "127.0.0.1", p.addr)
			if n, _ := volley(t, c, 500, 200, question(t, "www.a.org.", dns.TypeA)); n != 500 {
				t.Errorf("%s: %d of 500 answered", ip, n)
			}
		}
	}
}

// TestOneEach: of two servers on one port the second does not start, though UDP
// sockets could share it; with TCP off the TCP port is left to another.
func TestOneEach(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	for _, tcp := range []string{"TCP=on", "TCP=off"} {
		p := start(t, dir, "127.0.0.1", nil, "LOG=off", tcp)
		await(t, "udp", p.addr, "www.a.org.", "1.2.3.4")
		_, port, _ := net.SplitHostPort(p.addr)
		out, code := runOnce(t, "ROOT="+dir, "IP=127.0.0.1", "PORT="+port, "UID=61203", "GID=61203", tcp)
		if code != 111 || !strings.Contains(out, "unable to bind") {
			t.Errorf("%s: a second server: %d %q; want 111 unable to bind", tcp, code, out)
		}
		l, err := net.Listen("tcp", p.addr)
		if (err == nil) != (tcp == "TCP=off") {
			t.Errorf("%s: listening on TCP beside it: %v", tcp, err)
		}
		if err == nil {
			l.Close()
		}
	}
}

// runOnce runs the program to its end.
func runOnce(t testing.TB, env ...string) (out string, code int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(env, "TINYDNS_TEST=1")
	b, _ := cmd.CombinedOutput()
	return string(b), cmd.ProcessState.ExitCode()
}

// TestNeverAnswers is DN1 and DN4: packets too short, and ones that are answers,
// whatever they say.
func TestNeverAnswers(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	packets := [][]byte{{}}
	for n := 1; n < 12; n++ {
		packets = append(packets, make([]byte, n))
	}
	for _, flags := range []uint16{0x8180, 0x8401, 0x8405, 0x8000, 0xa800, 0xffff} {
		b := question(t, "www.a.org.", dns.TypeA)
		binary.BigEndian.PutUint16(b[2:], flags)
		packets = append(packets, b, b[:12])
	}
	silent(t, p.addr, packets...)
}

// TestPortZero: what claims to come from port 0 is not answered; nobody is
// there, and the server lives. Root alone can forge it.
func TestPortZero(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil)
	raw, err := net.ListenPacket("ip4:udp", "127.0.0.1")
	if err != nil {
		if os.Getuid() == 0 {
			t.Fatal(err)
		}
		return // no right to forge
	}
	defer raw.Close()
	_, port, _ := net.SplitHostPort(p.addr)
	n, _ := strconv.Atoi(port)
	q := question(t, "www.a.org.", dns.TypeA)
	b := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(n))
	b = append(binary.BigEndian.AppendUint16(b, uint16(8+len(q))), 0, 0) // no checksum
	if _, err := raw.WriteTo(append(b, q...), &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, "udp", p.addr, "www.a.org."); got != "1.2.3.4" {
		t.Errorf("afterwards: %s; want 1.2.3.4", got)
	}
	p.expect(t, `^7f000001:(?:[1-9a-f]...|.[1-9a-f]..|..[1-9a-f].|...[1-9a-f]):1234 \+ 0001 www\.a\.org$`)
}

// TestConfined: what answers over UDP and TCP runs under the filter of system
// calls and without new privileges, and is not root.
func TestConfined(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	for _, network := range []string{"udp", "tcp"} {
		await(t, network, p.addr, "www.a.org.", "1.2.3.4")
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nSeccomp:\t2\n", "\nNoNewPrivs:\t1\n", "\nCapEff:\t0000000000000000\n"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %q in %s", want, b)
		}
	}
}

// TestClassic: with ANSWERS=djb, djb's silence and djb's answers.
func TestClassic(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "ANSWERS=djb")
	silent(t, p.addr, question(t, "b.org.", dns.TypeA), make([]byte, 513), question(t, "www.a.org.", dns.TypeA)[:20])
	m := new(dns.Msg).SetQuestion("www.a.org.", dns.TypeA).SetEdns0(1232, false)
	a, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, p.addr)
	if err != nil || len(a.Answer) != 1 || len(a.Ns) != 1 || len(a.Extra) != 1 || a.IsEdns0() != nil {
		t.Errorf("www.a.org: %v, %v; want the record, the server and its address, and no EDNS", a, err)
	}
}
