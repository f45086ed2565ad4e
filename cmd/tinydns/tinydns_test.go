// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
	cmd    *exec.Cmd
	addr   string
	log    *bufio.Reader
	logEnd io.Closer
}

// start starts the program on a free port of ip, with more in its environment. A
// port that another test was quicker to bind is left to that one.
func start(t *testing.T, dir, ip string, files []*os.File, more ...string) *process {
	t.Helper()
	for range 5 {
		p := launch(t, dir, ip, files, more...)
		if first, err := p.log.Peek(1); err != nil || first[0] != 't' { // no "tinydns: fatal"
			p.expect(t, `^starting tinydns$`)
			return p
		}
		line, err := p.log.ReadString('\n')
		if strings.Contains(line, "warning") {
			p.expect(t, `^starting tinydns$`)
			return p
		}
		if !strings.Contains(line, "address already in use") {
			t.Fatalf("descriptor 2: %q, %v; want that it starts", line, err)
		}
	}
	t.Fatal("every port is in use")
	return nil
}

// launch starts the program, which may not come far.
func launch(t *testing.T, dir, ip string, files []*os.File, more ...string) *process {
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
	p.log, p.logEnd = bufio.NewReader(log), log
	return p
}

// freePort is a port that neither UDP nor TCP of any address uses now, and that
// no client is given.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		at := fmt.Sprintf(":%d", 20000+rand.IntN(12000))
		u, err1 := net.ListenPacket("udp", at)
		l, err2 := net.Listen("tcp", at)
		if err1 == nil {
			u.Close()
		}
		if err2 == nil {
			l.Close()
		}
		if err1 == nil && err2 == nil {
			return at[1:]
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

// await asks until the answer is want, for a while.
func await(t testing.TB, network, addr, name, want string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; {
		got := ask(t, network, addr, name)
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s %s = %s after 5 s; want %s", network, name, got, want)
		}
		time.Sleep(lookEvery / 10)
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

// TestRefusesToStart: 111 and what is wrong.
func TestRefusesToStart(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ want, env string }{
		{"$IP not set", ""}, {"$IP: \"here\" is no address", "IP=here"}, {"$PORT is \"0\"", "IP=127.0.0.1 PORT=0"}, {"$PORT is \"70000\"", "IP=127.0.0.1 PORT=70000"}, {"$TCP is \"no\"", "IP=127.0.0.1 TCP=no"},
		{"$ROOT not set", "IP=127.0.0.1 PORT=" + freePort(t)}, {"unable to chdir to /no/such", "ROOT=/no/such IP=127.0.0.1 PORT=" + freePort(t)},
		{"$IP not set", "LISTEN_FDS=1 LISTEN_PID=1"}, {"inherited descriptor 3", "LISTEN_FDS=1"},
		{"$IP names 65 addresses", "IP=" + strings.Repeat("127.0.0.1,", 65)},
	} {
		cmd := exec.Command(exe)
		cmd.Env = append(strings.Fields(c.env), "TINYDNS_TEST=1")
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 111 || !strings.HasPrefix(string(out), "tinydns: fatal: "+c.want) {
			t.Errorf("with %q: %d %q; want 111 %q", c.env, code, out, c.want)
		}
	}
}
