// SPDX-License-Identifier: ISC

package chain

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain re-runs this test binary as the programs of chains: the first word
// of the command line is the program's part.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "part-") {
		os.Exit(parts[os.Args[1]]())
	}
	os.Exit(m.Run())
}

// self is a command line that runs this binary as a part.
func self(part string, words ...string) []string {
	return append([]string{os.Args[0], "part-" + part}, words...)
}

var parts = map[string]func() int{
	// echo: a session program; writes its variable, what was read ahead, its
	// pid, and echoes what it gets until the end; "crash" and "panic" do that.
	"part-echo": func() int { return Serve(os.Args, echo) },
	// middle: resident; adds a variable, passes on and leaves; the code of a
	// question is its number of goroutines.
	"part-middle": func() int {
		n := NewNext(self("echo"), NextOptions{})
		code := Serve(os.Args, func(s *Session) int {
			if s.Stream == nil {
				return runtime.NumGoroutine()
			}
			p := s.Packet()
			p.Env = append(p.Env, "WHO=middle")
			end := s.Leave()
			n.Pass(p, func(r Report) {
				if !r.Final() {
					s.Report(r.Status, r.Text)
					return
				}
				s.Note(r.Text)
				end(r.ExitCode())
			})
			return 99
		})
		n.Close()
		return code
	},
	// script: foreign; counts its runs in a file and execs the rest.
	"part-script": func() int {
		f, _ := os.OpenFile(os.Args[2], os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
		f.WriteString("x")
		f.Close()
		fmt.Fprintln(os.Stderr, Exec(os.Args[3:], os.Environ()))
		return 111
	},
	"part-ready": func() int {
		text := "not ready"
		return Hooks{Ready: func() error { time.Sleep(100 * time.Millisecond); text = "ready"; return nil }}.Serve(os.Args, func(s *Session) int {
			io.WriteString(s.Stream, text)
			return 0
		})
	},
	"part-unready": func() int {
		return Hooks{Ready: func() error { time.Sleep(100 * time.Millisecond); return io.ErrNoProgress }}.Serve(os.Args, echo)
	},
	"part-full":   func() int { return Hooks{Ready: fill}.Serve(os.Args, echo) },
	"part-silent": func() int { time.Sleep(time.Minute); return 0 },
}

func echo(s *Session) int {
	if s.Stream == nil {
		return 1
	}
	fmt.Fprintf(s.Stream, "%s %s %d\n", s.Env.Value("WHO"), s.Ahead, os.Getpid())
	s.Report(StatusAccepted, "")
	buf := make([]byte, 256)
	for {
		n, err := s.Stream.Read(buf)
		switch text := string(buf[:n]); {
		case strings.HasPrefix(text, "crash"):
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case strings.HasPrefix(text, "panic"):
			panic("on demand")
		case err != nil:
			s.Note("done")
			return 7
		default:
			s.Stream.Write(buf[:n])
		}
	}
}

// client is a connection whose other end goes into a packet.
func client(t *testing.T) (mine *os.File, p *Packet) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.SetNonblock(pair[0], true)
	mine = os.NewFile(uintptr(pair[0]), "client")
	mine.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { mine.Close() })
	return mine, &Packet{Conn: pair[1], Control: -1, Data: -1}
}

// pass passes a packet and closes our copy of its connection; reports go to the
// channel.
func pass(n *Next, p *Packet) chan Report {
	got := make(chan Report, 8)
	n.Pass(p, func(r Report) { got <- r })
	unix.Close(p.Conn)
	return got
}

func line(t *testing.T, f *os.File) string {
	t.Helper()
	var out []byte
	one := make([]byte, 1)
	for {
		if _, err := f.Read(one); err != nil {
			t.Fatalf("after %q: %v", out, err)
		}
		if one[0] == '\n' {
			return string(out)
		}
		out = append(out, one[0])
	}
}

func wait(t *testing.T, got chan Report) Report {
	t.Helper()
	select {
	case r := <-got:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("no report within 20 s")
		return Report{}
	}
}

// TestResident: a session in a resident program and one behind a second: the
// variables, the bytes read ahead, the reports in order, and one process for all.
func TestResident(t *testing.T) {
	for _, c := range []struct{ part, who string }{{"echo", "door"}, {"middle", "middle"}} {
		n := NewNext(self(c.part), NextOptions{})
		pids := make(map[string]bool)
		for range 3 {
			mine, p := client(t)
			p.Env, p.Ahead = []string{"WHO=door"}, []byte("ahead")
			got := pass(n, p)
			words := strings.Fields(line(t, mine))
			if len(words) != 3 || words[0] != c.who || words[1] != "ahead" {
				t.Fatalf("%s says %q; want %s ahead PID", c.part, words, c.who)
			}
			pids[words[2]] = true
			if r := wait(t, got); r.Status != StatusAccepted {
				t.Errorf("first report = %+v; want accepted", r)
			}
			fmt.Fprintln(mine, "hello")
			if got := line(t, mine); got != "hello" {
				t.Errorf("echo = %q", got)
			}
			mine.Close()
			if r := wait(t, got); r.ExitCode() != 7 {
				t.Errorf("last report = %+v; want exit code 7", r)
			}
		}
		if len(pids) != 1 {
			t.Errorf("%d processes served 3 connections; want 1", len(pids))
		}
		n.Close()
	}
}

// TestQuestion: a packet without a connection asks only.
func TestQuestion(t *testing.T) {
	n := NewNext(self("echo"), NextOptions{})
	defer n.Close()
	got := make(chan Report, 1)
	n.Pass(&Packet{Conn: -1, Control: -1, Data: -1}, func(r Report) { got <- r })
	if r := wait(t, got); r.ExitCode() != 1 {
		t.Errorf("report = %+v; want exit code 1", r)
	}
}

// TestForeignActsOnEveryConnection: a program that execs the next one is not
// skipped, wherever it stands, and bytes read ahead are not lost.
func TestForeignActsOnEveryConnection(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	n := NewNext(self("script", append([]string{note}, self("echo")...)...), NextOptions{Env: append(os.Environ(), "WHO=env")})
	defer n.Close()
	if !n.Foreign() {
		t.Fatal("Foreign() = false; want true")
	}
	os.Truncate(note, 0)
	for i := range 4 {
		mine, p := client(t)
		if i%2 == 1 {
			p.Ahead = []byte("ahead\n")
		}
		got := pass(n, p)
		line(t, mine)
		if i%2 == 1 {
			if got := line(t, mine); got != "ahead" {
				t.Errorf("echo of what was read ahead = %q", got)
			}
		}
		mine.Close()
		if r := wait(t, got); r.ExitCode() != 7 {
			t.Errorf("report = %+v; want exit code 7", r)
		}
	}
	if b, _ := os.ReadFile(note); string(b) != "xxxx" {
		t.Errorf("the script ran %d times for 4 connections", len(b))
	}
}

// TestDeath: sessions of a program that dies end as crashed, their connections
// close, and the next connection finds it started again.
func TestDeath(t *testing.T) {
	n := NewNext(self("echo"), NextOptions{})
	defer n.Close()
	var pids []string
	for range 3 {
		mine, p := client(t)
		got := pass(n, p)
		pids = append(pids, line(t, mine))
		wait(t, got)
		other, p2 := client(t)
		got2 := pass(n, p2)
		line(t, other)
		wait(t, got2)
		fmt.Fprint(mine, "crash")
		for _, g := range []chan Report{got, got2} {
			if r := wait(t, g); r.Status != StatusCrashed {
				t.Errorf("report of a session whose program died = %+v", r)
			}
		}
		if _, err := other.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the neighbour's connection: %v; want EOF", err)
		}
	}
	slices.Sort(pids)
	if len(slices.Compact(pids)) != 3 {
		t.Errorf("pids %q; want three processes", pids)
	}
}

// TestLeave: sessions that were left cost no goroutine, end with the code of who
// has them, and are waited for.
func TestLeave(t *testing.T) {
	const sessions = maxIdle + 50
	n := NewNext(self("middle"), NextOptions{})
	var clients []*os.File
	var ends []chan Report
	for range sessions {
		mine, p := client(t)
		got := pass(n, p)
		line(t, mine)
		if r := wait(t, got); r.Status != StatusAccepted {
			t.Fatalf("report %+v; want that it is accepted", r)
		}
		clients, ends = append(clients, mine), append(ends, got)
	}
	question := func() Report {
		got := make(chan Report, 1)
		n.Pass(&Packet{Conn: -1, Control: -1, Data: -1}, func(r Report) { got <- r })
		return wait(t, got)
	}
	if r := question(); r.ExitCode() < 1 || r.ExitCode() > maxIdle+20 {
		t.Errorf("%d goroutines for %d sessions that were left", r.ExitCode(), sessions)
	}
	closed := make(chan struct{})
	go func() { n.Close(); close(closed) }()
	for i, c := range clients {
		select {
		case <-closed:
			t.Fatalf("the chain ended before session %d", i)
		default:
		}
		c.Close()
		if r := wait(t, ends[i]); r.ExitCode() != 7 || r.Text != "done" {
			t.Errorf("end of session %d: %+v; want code 7 and done", i, r)
		}
	}
	<-closed
}

// TestPanicEndsOneSession: a session's panic does not end its neighbours, and
// shows nothing to the client.
func TestPanicEndsOneSession(t *testing.T) {
	n := NewNext(self("echo"), NextOptions{})
	defer n.Close()
	mine, p := client(t)
	got := pass(n, p)
	line(t, mine)
	wait(t, got)
	other, p2 := client(t)
	pass(n, p2)
	line(t, other)
	fmt.Fprint(mine, "panic")
	rest, err := io.ReadAll(mine)
	if err != nil || len(rest) != 0 {
		t.Errorf("client of a session that panicked reads %q, %v; want nothing", rest, err)
	}
	if r := wait(t, got); r.ExitCode() != 111 {
		t.Errorf("report = %+v; want exit code 111", r)
	}
	fmt.Fprintln(other, "still here")
	if got := line(t, other); got != "still here" {
		t.Errorf("neighbour echoes %q", got)
	}
	other.Close()
}

// TestOnce: a program that is not to be started again ends the chain when it
// dies: its sessions end, and whatever comes after.
func TestOnce(t *testing.T) {
	died := make(chan bool, 2)
	n := NewNext(self("echo"), NextOptions{Once: func() { died <- true }})
	mine, p := client(t)
	got := pass(n, p)
	line(t, mine)
	wait(t, got)
	fmt.Fprint(mine, "crash")
	if r := wait(t, got); r.Status != StatusCrashed {
		t.Errorf("report of a session whose program died = %+v", r)
	}
	select {
	case <-died:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody heard of the death within 20 s")
	}
	_, p = client(t)
	if r := wait(t, pass(n, p)); r.Status != StatusCrashed {
		t.Errorf("report after the death = %+v; want crashed", r)
	}
	n.Close()
	n = NewNext(self("echo"), NextOptions{Once: func() { died <- true }})
	n.Foreign()
	n.Close() // as at TERM: no death
	if len(died) != 0 {
		t.Error("a chain that was closed counts as dead")
	}
}

// TestReady: hello comes first, then the program gets ready, then it
// reads; when it cannot get ready, nothing is read.
func TestReady(t *testing.T) {
	for _, c := range []struct {
		part string
		want string
	}{{"ready", "ready"}, {"unready", ""}} {
		n := NewNext(self(c.part), NextOptions{Once: func() {}})
		mine, p := client(t)
		if n.Foreign() {
			t.Errorf("%s: counts as foreign; hello has to come before it is ready", c.part)
		}
		pass(n, p)
		b, _ := io.ReadAll(mine)
		if string(b) != c.want {
			t.Errorf("%s: client reads %q; want %q", c.part, b, c.want)
		}
		n.Close()
	}
}

// TestNotFound: a program that is not there is an error of each connection, not
// of the caller.
func TestNotFound(t *testing.T) {
	n := NewNext([]string{"/nonexistent/program"}, NextOptions{})
	defer n.Close()
	_, p := client(t)
	if r := wait(t, pass(n, p)); r.ExitCode() != 111 {
		t.Errorf("report = %+v; want exit code 111", r)
	}
}

// TestFullSocketDropsNothing: many connections at once through one socket.
func TestFullSocketDropsNothing(t *testing.T) {
	n := NewNext(self("echo"), NextOptions{})
	defer n.Close()
	var wg sync.WaitGroup
	var mu sync.Mutex
	ends := 0
	for range 2000 {
		wg.Add(2)
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		n.Pass(&Packet{Conn: pair[1], Control: -1, Data: -1}, func(r Report) {
			if r.Final() {
				mu.Lock()
				if r.ExitCode() == 7 {
					ends++
				}
				mu.Unlock()
				wg.Done()
			}
		})
		unix.Close(pair[1])
		go func() { defer wg.Done(); unix.Close(pair[0]) }()
	}
	wg.Wait()
	if ends != 2000 {
		t.Errorf("%d of 2000 sessions ended well", ends)
	}
}

// TestSpawnedShape: without the variable a program runs one session on 0 and 1.
func TestSpawnedShape(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		f, _ := c.(*net.TCPConn).File()
		c.Close()
		proc, err := Spawn(self("echo"), SpawnOptions{Env: append(os.Environ(), "WHO=alone")}, &Packet{Conn: int(fdOf(f)), Control: -1, Data: -1})
		f.Close()
		if err == nil {
			proc.Wait()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "alone ") {
		t.Errorf("spawned program says %q, %v", buf[:n], err)
	}
}

func TestPacketRoundTrip(t *testing.T) {
	in := &Packet{Serial: 1 << 40, Env: []string{"A=1", "B="}, Ahead: []byte("x\x00y"), Conn: 5, Control: -1, Data: -1}
	out, err := parsePacket(appendPacket(nil, in), []int{5})
	if err != nil || out.Serial != in.Serial || !slices.Equal(out.Env, in.Env) || string(out.Ahead) != string(in.Ahead) || out.Conn != 5 || out.Control != -1 {
		t.Errorf("parsePacket(appendPacket(%+v)) = %+v, %v", in, out, err)
	}
	for _, bad := range []string{"", "12345678", "12345678A=1", "12345678A=1\x00"} {
		if _, err := parsePacket([]byte(bad), nil); err == nil {
			t.Errorf("parsePacket(%q) = nil error; want one", bad)
		}
	}
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte("12345678A=1\x00\x00ahead"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePacket(b, nil)
		if err != nil {
			return
		}
		if got := appendPacket(nil, p); string(got) != string(b) {
			t.Errorf("appendPacket(parsePacket(%q)) = %q", b, got)
		}
	})
}

// BenchmarkPass is connections through the socketpair, each with one write of
// the session program and its two reports.
func BenchmarkPass(b *testing.B) {
	n := NewNext(self("echo"), NextOptions{})
	defer n.Close()
	var wg sync.WaitGroup
	for b.Loop() {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		wg.Add(1)
		n.Pass(&Packet{Conn: pair[1], Control: -1, Data: -1}, func(r Report) {
			if r.Final() {
				wg.Done()
			}
		})
		unix.Close(pair[1])
		unix.Close(pair[0])
	}
	wg.Wait()
}
