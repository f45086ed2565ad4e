// SPDX-License-Identifier: ISC

package cmd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bin is the folder with the built programs, made once for all tests.
var bin string

// TestMain builds all programs as `make build` does, into a folder that goes
// when the tests end.
func TestMain(m *testing.M) {
	if addr := os.Getenv(clientEnv); addr != "" {
		os.Exit(playClient(addr))
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "quill-bin-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	os.Chmod(bin, 0o755)
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", bin, "./...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	os.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return m.Run()
}

// program is the path of one of ours.
func program(name string) string { return filepath.Join(bin, name) }

// lab is a running `quill lab`.
type lab struct {
	t   *testing.T
	dir string
	env map[string]string // lab.env
	cmd *exec.Cmd
	out *safeBuffer
}

// safeBuffer is a buffer that may be read while a process writes to it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// startLab starts `quill lab DIR args…` and waits until it says where it is.
func startLab(t *testing.T, args ...string) *lab {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lab")
	open(t, filepath.Dir(dir))
	return resumeLab(t, dir, args...)
}

// open lets a lab that root gives to nobody reach its folder.
func open(t *testing.T, dir string) {
	for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// resumeLab starts a lab in dir, which may hold a stopped one.
func resumeLab(t *testing.T, dir string, args ...string) *lab {
	t.Helper()
	l := &lab{t: t, dir: dir, out: new(safeBuffer)}
	l.cmd = exec.Command(program("quill"), append([]string{"lab"}, append(args, dir)...)...)
	l.begin(t)
	return l
}

// begin starts the lab's command and waits for lab.env.
func (l *lab) begin(t *testing.T) {
	t.Helper()
	l.cmd.Stdout, l.cmd.Stderr = l.out, l.out
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	died := make(chan error, 1)
	go func() { died <- l.cmd.Wait() }()
	t.Cleanup(func() { l.end(died) })
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if l.readEnv() {
			return
		}
		select {
		case err := <-died:
			died <- err
			t.Fatalf("quill lab ended: %v\n%s", err, l.out)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("quill lab wrote no lab.env within 30 s\n%s", l.out)
		}
	}
}

// readEnv reads lab.env, and says whether it is there.
func (l *lab) readEnv() bool {
	b, err := os.ReadFile(filepath.Join(l.dir, "lab.env"))
	if err != nil {
		return false
	}
	l.env = make(map[string]string)
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			l.env[k] = v
		}
	}
	return true
}

// end stops the lab by TERM; it must end by itself, with 0, and take lab.env
// along.
func (l *lab) end(died chan error) {
	l.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-died:
		if err != nil {
			l.t.Errorf("quill lab after TERM: %v\n%s", err, l.out)
		}
	case <-time.After(30 * time.Second):
		l.cmd.Process.Kill()
		l.t.Errorf("quill lab does not stop within 30 s after TERM\n%s", l.out)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "lab.env")); !errors.Is(err, fs.ErrNotExist) {
		l.t.Errorf("lab.env after the stop: %v; want none", err)
	}
	if l.t.Failed() {
		l.t.Log(l.logs())
	}
}

// logs is the ends of all services' logs.
func (l *lab) logs() string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(l.dir, "log/*/current"))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		fmt.Fprintf(&b, "== %s\n%s", f, text[max(0, len(text)-2000):])
	}
	return b.String()
}

// mails is the contents of a user's mailbox, in the order of names.
func (l *lab) mails(user string) []string {
	var out []string
	files, _ := filepath.Glob(filepath.Join(l.dir, "mail/testingsmtp.org", user, "Maildir/[nc][eu][wr]/*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			l.t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

// await waits until the user has n mails, and gives them.
func (l *lab) await(user string, n int) []string {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if m := l.mails(user); len(m) >= n {
			return m
		}
		if time.Now().After(end) {
			l.t.Fatalf("%s has %d mails after 20 s; want %d", user, len(l.mails(user)), n)
		}
	}
}

// talk is a client's side of a line protocol.
type talk struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

// dial opens a connection to a service of the lab (SMTP, POP3, IMAP).
func (l *lab) dial(t *testing.T, service string) *talk {
	t.Helper()
	return dial(t, l.env[service])
}

func dial(t *testing.T, addr string) *talk {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return newTalk(t, c)
}

func newTalk(t *testing.T, c net.Conn) *talk {
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return &talk{t, c, bufio.NewReader(c)}
}

// say sends a line and gives the reply's last line.
func (c *talk) say(line string) string {
	c.t.Helper()
	if _, err := c.Write([]byte(line + "\r\n")); err != nil {
		c.t.Fatalf("send %q: %v", line, err)
	}
	return c.hear()
}

// hear reads a reply and gives its last line.
func (c *talk) hear() string {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("reply: %q, %v", line, err)
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 4 || line[3] != '-' || line[0] < '0' || line[0] > '9' {
			return line
		}
	}
}

// want says a line and checks how the reply starts.
func (c *talk) want(line, reply string) string {
	c.t.Helper()
	got := c.say(line)
	if !strings.HasPrefix(got, reply) {
		c.t.Errorf("%q -> %q; want %s…", line, got, reply)
	}
	return got
}

// body reads the lines up to a single dot.
func (c *talk) body() []string {
	c.t.Helper()
	var out []string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("body: %v", err)
		}
		if line == ".\r\n" {
			return out
		}
		out = append(out, strings.TrimRight(line, "\r\n"))
	}
}

// send plays one mail by SMTP and gives its id.
func (l *lab) send(t *testing.T, from, body string, to ...string) string {
	t.Helper()
	c := l.dial(t, "SMTP")
	defer c.Close()
	c.hear()
	c.want("EHLO laptop.testingsmtp.org", "250")
	c.want("MAIL FROM:<"+from+">", "250 2.1.0")
	for _, r := range to {
		c.want("RCPT TO:<"+r+">", "250 2.1.5")
	}
	c.want("DATA", "354")
	wire := strings.ReplaceAll(strings.ReplaceAll("\n"+body, "\n.", "\n.."), "\n", "\r\n")[2:]
	got := c.want(wire+"\r\n.", "250 2.0.0 ok ")
	c.want("QUIT", "221")
	_, id, _ := strings.Cut(got, " qp ")
	return id
}

// freePort is a port of loopback that nobody has by now.
func freePort(t *testing.T) string {
	t.Helper()
	n, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	_, port, _ := net.SplitHostPort(n.Addr().String())
	return port
}
