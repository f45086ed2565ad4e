// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/dnsserve"
)

// TestMain re-runs this test binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("TINYDNS_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// publish makes data.cdb of text in dir, by rename.
func publish(t testing.TB, dir, text string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "data.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	w := cdb.NewWriter(f)
	if err := errors.Join(dnsdata.Compile(strings.NewReader(text), 7, w.Put), w.Finish(), f.Close(), os.Rename(f.Name(), filepath.Join(dir, dataFile))); err != nil {
		t.Fatal(err)
	}
}

const zoneText = ".a.org:127.0.0.1:ns.a.org\n+www.a.org:1.2.3.4\n"

// process is the program, running.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  *bufio.Reader
}

// start starts the program on a free port of ip, with more in its environment.
func start(t *testing.T, dir, ip string, files []*os.File, more ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(exe), addr: net.JoinHostPort("127.0.0.1", freePort(t))}
	_, port, _ := net.SplitHostPort(p.addr)
	p.cmd.Env = append([]string{"TINYDNS_TEST=1", "ROOT=" + dir, "PORT=" + port, "IP=" + ip, "UID=61203", "GID=61203"}, more...)
	p.cmd.ExtraFiles = files
	log, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	p.log = bufio.NewReader(log)
	p.expect(t, `^starting tinydns$`)
	return p
}

// freePort is a port that neither UDP nor TCP uses now.
func freePort(t *testing.T) string {
	t.Helper()
	for range 20 {
		u, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(u.LocalAddr().String())
		l, err := net.Listen("tcp", u.LocalAddr().String())
		u.Close()
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free for UDP and TCP")
	return ""
}

// expect reads lines of descriptor 2 up to one that matches; warnings may come
// first.
func (p *process) expect(t *testing.T, pattern string) {
	t.Helper()
	line, err := p.log.ReadString('\n')
	for err == nil && strings.Contains(line, "warning") && !regexp.MustCompile(pattern).MatchString(line) {
		line, err = p.log.ReadString('\n')
	}
	if err != nil || !regexp.MustCompile(pattern).MatchString(strings.TrimSuffix(line, "\n")) {
		t.Fatalf("descriptor 2: %q, %v; want %s", line, err, pattern)
	}
}

// stop sends sig and wants exit code 0.
func (p *process) stop(t *testing.T, sig os.Signal) {
	t.Helper()
	p.cmd.Process.Signal(sig)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after %v: %v; want exit code 0", sig, err)
	}
}

// ask asks for an A record and gives the first address, or the code.
func ask(t testing.TB, network, addr, name string) string {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	m.Id = 0x1234
	a, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(m, addr)
	if err != nil {
		t.Fatalf("%s %s at %s: %v", network, name, addr, err)
	}
	if len(a.Answer) == 0 {
		return dns.RcodeToString[a.Rcode]
	}
	return a.Answer[0].(*dns.A).A.String()
}

func TestServes(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil)
	for _, network := range []string{"udp", "tcp"} {
		if got := ask(t, network, p.addr, "WWW.a.org."); got != "1.2.3.4" {
			t.Errorf("%s www.a.org = %s; want 1.2.3.4", network, got)
		}
		p.expect(t, `^7f000001:[0-9a-f]{4}:1234 \+ 0001 www\.a\.org$`)
	}
	if got := ask(t, "udp", p.addr, `x\032\001.b.org.`); got != "REFUSED" {
		t.Errorf("b.org = %s; want REFUSED", got)
	}
	p.expect(t, `^7f000001:[0-9a-f]{4}:1234 - 0001 x\\040\\001\.b\.org$`)
	p.stop(t, syscall.SIGTERM)
}

// TestReplaced: a new data.cdb is used within 100 ms of its rename, and no
// question is lost meanwhile.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	for i := range 5 {
		publish(t, dir, fmt.Sprintf(".a.org:127.0.0.1:ns.a.org\n+www.a.org:1.0.0.%d\n", i))
		want, end := fmt.Sprintf("1.0.0.%d", i), time.Now().Add(5*time.Second)
		for got := ""; got != want; {
			if got = ask(t, "udp", p.addr, "www.a.org."); time.Now().After(end) {
				t.Fatalf("www.a.org = %s after 5 s; want %s", got, want)
			}
		}
	}
	for _, broken := range []string{"", "short", strings.Repeat("\xff", 4096)} {
		if err := errors.Join(os.WriteFile(dir+"/bad", []byte(broken), 0o644), os.Rename(dir+"/bad", filepath.Join(dir, dataFile))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery + lookEvery/4)
		if got := ask(t, "udp", p.addr, "www.a.org."); got != "1.0.0.4" {
			t.Errorf("with a broken data.cdb of %d bytes: %s; want the old data", len(broken), got)
		}
	}
	if err := os.Remove(filepath.Join(dir, dataFile)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lookEvery + lookEvery/4)
	if got := ask(t, "udp", p.addr, "www.a.org."); got != "1.0.0.4" {
		t.Errorf("without data.cdb: %s; want the old data", got)
	}
	p.stop(t, syscall.SIGINT)
}

// TestNoData: without data.cdb it says so, answers SERVFAIL, and takes one that
// appears.
func TestNoData(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	if got := ask(t, "udp", p.addr, "www.a.org."); got != "SERVFAIL" {
		t.Errorf("without data.cdb: %s; want SERVFAIL", got)
	}
	publish(t, dir, zoneText)
	time.Sleep(lookEvery + lookEvery/4)
	if got := ask(t, "udp", p.addr, "www.a.org."); got != "1.2.3.4" {
		t.Errorf("with data.cdb: %s; want 1.2.3.4", got)
	}
}

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

// TestRefusesToStart: 111 and what is wrong.
func TestRefusesToStart(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ want, env string }{
		{"$IP not set", ""}, {"$IP: \"here\" is no address", "IP=here"}, {"$PORT is \"0\"", "IP=127.0.0.1 PORT=0"}, {"$PORT is \"70000\"", "IP=127.0.0.1 PORT=70000"},
		{"$ROOT not set", "IP=127.0.0.1 PORT=" + freePort(t)}, {"unable to chdir to /no/such", "ROOT=/no/such IP=127.0.0.1 PORT=" + freePort(t)},
		{"$IP not set", "LISTEN_FDS=1 LISTEN_PID=1"}, {"inherited descriptor 3", "LISTEN_FDS=1"},
	} {
		cmd := exec.Command(exe)
		cmd.Env = append(strings.Fields(c.env), "TINYDNS_TEST=1")
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 111 || !strings.HasPrefix(string(out), "tinydns: fatal: "+c.want) {
			t.Errorf("with %q: %d %q; want 111 %q", c.env, code, out, c.want)
		}
	}
}

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

// TestCutShort: data.cdb is cut short in place, against all advice; questions
// are answered with SERVFAIL or the like, and the process lives.
func TestCutShort(t *testing.T) {
	dir := t.TempDir()
	text := ".a.org:127.0.0.1:ns.a.org\n"
	for i := range 2000 {
		text += fmt.Sprintf("+h%d.a.org:1.2.3.4\n", i)
	}
	publish(t, dir, text)
	p := start(t, dir, "127.0.0.1", nil, "LOG=off")
	if err := os.Truncate(filepath.Join(dir, dataFile), 2048); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range 20 {
		if ask(t, "udp", p.addr, fmt.Sprintf("h%d.a.org.", i)) == "SERVFAIL" {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no question failed; the cut was not noticed")
	}
	publish(t, dir, zoneText)
	time.Sleep(lookEvery + lookEvery/4)
	if got := ask(t, "tcp", p.addr, "www.a.org."); got != "1.2.3.4" {
		t.Errorf("with data mended: %s; want 1.2.3.4", got)
	}
}
