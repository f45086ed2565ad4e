// SPDX-License-Identifier: ISC

package tcpserver

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"quill/internal/chain"
)

// TestMain re-runs this test binary as a session program.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "session" {
		os.Exit(chain.Serve(os.Args, func(s *chain.Session) int {
			fmt.Fprintf(s.Stream, "%s %s %s\n", s.Env.Value("TCPREMOTEIP"), s.Env.Value("RULE"), s.Env.Value("TCPREMOTEHOST"))
			buf := make([]byte, 1)
			s.Stream.Read(buf)
			return 3
		}))
	}
	os.Exit(m.Run())
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// names is a look-up that takes its time.
type names struct{ slow time.Duration }

func (n names) Host(ip string, paranoid bool, _ time.Duration) string {
	time.Sleep(n.slow)
	return "laptop.testingsmtp.org"
}
func (names) Info(string, string, time.Duration) string { return "" }

// serve starts a door.
func serve(t *testing.T, s *Server) (addr string, log *lines) {
	t.Helper()
	log = &lines{}
	s.Argv, s.Log, s.Verbosity, s.LocalHost = []string{os.Args[0], "session"}, log, Verbose, "mail.testingsmtp.org"
	if s.Limit == 0 {
		s.Limit = 10
	}
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), 20)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop([]*Listener{l})
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return fmt.Sprintf("127.0.0.1:%d", l.Port()), log
}

// talk connects, reads the session's line, and ends the session.
func talk(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	line, _ := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line)
}

// await waits until the log matches.
func await(t *testing.T, log *lines, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(10 * time.Second); !re.MatchString(log.String()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not match %q:\n%s", pattern, log)
		}
	}
}

// TestBothShapes: the session's environment, rules, and the family's log lines.
func TestBothShapes(t *testing.T) {
	for _, keep := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "rules.cdb")
		if err := rules(t, path, "127.0.0.1:allow,RULE=\"seen\"\n"); err != nil {
			t.Fatal(err)
		}
		addr, log := serve(t, &Server{Keep: keep, Rules: NewRules(path, false), Hosts: true, Lookup: names{}, Timeout: time.Second})
		for range 3 {
			if got := talk(t, addr); got != "127.0.0.1 seen laptop.testingsmtp.org" {
				t.Errorf("keep %v: session says %q", keep, got)
			}
		}
		await(t, log, `(?s)tcpserver: status: 0/10\n.*tcpserver: status: 1/10\n.*tcpserver: pid \d+ from 127\.0\.0\.1\ntcpserver: ok \d+ mail\.testingsmtp\.org:127\.0\.0\.1:\d+ laptop\.testingsmtp\.org:127\.0\.0\.1::\d+\n.*tcpserver: end \d+ status 768\n`)
		if err := rules(t, path, ":deny\n"); err != nil {
			t.Fatal(err)
		}
		if got := talk(t, addr); got != "" {
			t.Errorf("keep %v: a denied client got %q", keep, got)
		}
		await(t, log, `tcpserver: deny \d+ `)
	}
}

// TestLimit: no more sessions at once than the limit; who waits is served
// later.
func TestLimit(t *testing.T) {
	addr, log := serve(t, &Server{Keep: true, Limit: 2})
	var open []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	await(t, log, `status: 2/2\n`)
	open[2].SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := open[2].Read(make([]byte, 1)); err == nil {
		t.Errorf("a third session was served beside two (%d bytes)", n)
	}
	open[0].Close()
	open[2].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := open[2].Read(make([]byte, 1)); err != nil {
		t.Errorf("the third session after the first ended: %v", err)
	}
	if strings.Contains(log.String(), "status: 3/2") {
		t.Errorf("more sessions than the limit:\n%s", log)
	}
	for _, c := range open[1:] {
		c.Close()
	}
}

// TestSlowLookup: one client's slow look-up does not hold the others up.
func TestSlowLookup(t *testing.T) {
	addr, _ := serve(t, &Server{Keep: true, Hosts: true, Lookup: names{300 * time.Millisecond}})
	start := time.Now()
	var wg sync.WaitGroup
	for range 5 {
		wg.Add(1)
		go func() { defer wg.Done(); talk(t, addr) }()
	}
	wg.Wait()
	if d := time.Since(start); d > time.Second {
		t.Errorf("five clients took %v, one after another", d)
	}
}

// TestMissingRulesDropsConnections: without its rules the door lets nobody in.
func TestMissingRulesDropsConnections(t *testing.T) {
	addr, log := serve(t, &Server{Keep: true, Rules: NewRules(filepath.Join(t.TempDir(), "none"), false)})
	if got := talk(t, addr); got != "" {
		t.Errorf("a client got %q; want nothing", got)
	}
	await(t, log, `warning: dropping connection, unable to read rules`)
}
