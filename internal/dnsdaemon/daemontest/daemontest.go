// SPDX-License-Identifier: ISC

// Package daemontest runs a DNS server for the tests of its program: the test
// binary itself, as the program, in a process of its own.
package daemontest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// variable says to a test binary that it is the program.
const variable = "QUILL_DAEMON_TEST"

// UID is who a server becomes that root starts.
const UID = 61203

// Main is for TestMain: it runs the program where Start or Fails wants it, else the
// tests.
func Main(m *testing.M, program func()) {
	if os.Getenv(variable) != "" {
		program()
		return
	}
	os.Exit(m.Run())
}

// Process is a server, running on Addr.
type Process struct {
	Cmd  *exec.Cmd
	Addr string
	Port string
	Log  *bufio.Reader
}

func command(t *testing.T, env []string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append([]string{variable + "=1", "GORACE=atexit_sleep_ms=0"}, env...)
	return cmd
}

// Start starts the server prog on a free port of 127.0.0.1 with root as its ROOT;
// more of env counts more.
func Start(t *testing.T, prog, root string, env ...string) *Process {
	t.Helper()
	port := FreePort(t)
	p := &Process{Port: port, Addr: net.JoinHostPort("127.0.0.1", port)}
	p.Cmd = command(t, append([]string{"ROOT=" + root, "PORT=" + port, "IP=127.0.0.1", fmt.Sprint("UID=", UID), fmt.Sprint("GID=", UID)}, env...))
	log, err := p.Cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Cmd.Process.Kill()
		p.Cmd.Wait()
	})
	p.Log = bufio.NewReader(log)
	p.Expect(t, "^starting "+prog+"$")
	return p
}

// Fails starts the server where it must refuse, and gives its exit code and words.
func Fails(t *testing.T, env ...string) (code int, said string) {
	t.Helper()
	cmd := command(t, env)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

// FreePort is a port that neither UDP nor TCP uses now.
func FreePort(t *testing.T) string {
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

// Expect reads lines of descriptor 2 up to one that matches; warnings may come
// first.
func (p *Process) Expect(t *testing.T, pattern string) {
	t.Helper()
	match := regexp.MustCompile(pattern).MatchString
	line, err := p.Log.ReadString('\n')
	for err == nil && strings.Contains(line, "warning") && !match(strings.TrimSuffix(line, "\n")) {
		line, err = p.Log.ReadString('\n')
	}
	if err != nil || !match(strings.TrimSuffix(line, "\n")) {
		t.Fatalf("descriptor 2: %q, %v; want %s", line, err, pattern)
	}
}

// Stop sends a signal and wants exit code 0.
func (p *Process) Stop(t *testing.T, sig os.Signal) {
	t.Helper()
	p.Cmd.Process.Signal(sig)
	if err := p.Cmd.Wait(); err != nil {
		t.Errorf("after %v: %v; want exit code 0", sig, err)
	}
}

// Ask asks at addr, by an id of 1234, and gives the data of the answers, or the
// code.
func Ask(t testing.TB, network, addr, name string, kind uint16) string {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, kind)
	m.Id = 0x1234
	a, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(m, addr)
	if err != nil {
		t.Fatalf("%s %s at %s: %v", network, name, addr, err)
	}
	if len(a.Answer) == 0 {
		return dns.RcodeToString[a.Rcode]
	}
	var data []string
	for _, rr := range a.Answer {
		data = append(data, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	return strings.Join(data, " ")
}

// Confined fails the test unless the server is confined, and nobody's where root
// started it.
func (p *Process) Confined(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"NoNewPrivs:\t1\n", "Seccomp:\t2\n"}
	if syscall.Geteuid() == 0 {
		want = append(want, fmt.Sprintf("\nUid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", UID), fmt.Sprintf("\nGid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", UID), "CapEff:\t0000000000000000\n")
	}
	for _, w := range want {
		if !strings.Contains(string(b), w) {
			t.Errorf("/proc/PID/status lacks %q:\n%s", w, b)
		}
	}
}
