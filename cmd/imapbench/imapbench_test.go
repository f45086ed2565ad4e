// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a server that knows what a client says, and answers as told.
type fake struct {
	addr   string
	answer func(command string) string // untagged lines; a tagged one ends it

	mu   sync.Mutex
	said []string
}

func newFake(t *testing.T, answer func(string) string) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f := &fake{addr: l.Addr().String(), answer: answer}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(c)
		}
	}()
	return f
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "* OK ready\r\n")
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		if _, size, ok := strings.Cut(line, "{"); ok {
			n, _ := strconv.Atoi(strings.TrimSuffix(size, "+}"))
			r.Discard(n)
			r.ReadString('\n')
		}
		_, command, _ := strings.Cut(line, " ")
		f.mu.Lock()
		f.said = append(f.said, command)
		f.mu.Unlock()
		fmt.Fprint(c, f.answer(command))
	}
}

func (f *fake) count(start string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.said {
		if strings.HasPrefix(s, start) {
			n++
		}
	}
	return n
}

func ok(command string) string {
	if command == "IDLE" {
		return "+ idling\r\n"
	}
	return "* 1 EXISTS\r\nz OK done\r\n"
}

func TestVerbs(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		verb  string
		args  string
		want  map[string]int
		never string
	}{
		{"command", "-count 3", map[string]int{"LOGIN \"u0@testingsmtp.org\"": 3, "SELECT INBOX": 3, "LOGOUT": 3}, "FETCH"},
		{"command", "-count 2 -run FETCH -pid " + self, map[string]int{"SELECT INBOX": 2, "FETCH": 2}, "APPEND"},
		{"sessions", "-clients 3 -count 7 -first 1 -users 3 -pid " + self, map[string]int{"LOGIN": 7, "SELECT": 7, "FETCH": 7, "STORE": 7, "APPEND": 7, "NOOP": 7, "LOGOUT": 7, "LOGIN \"u0@": 0}, "IDLE"},
		{"idle", "-clients 5 -users 5 -pid " + self, map[string]int{"LOGIN": 5, "LOGIN \"u4@": 1, "SELECT": 5, "IDLE": 5}, "LOGOUT"},
	} {
		f := newFake(t, ok)
		if err := verbs[c.verb](append(strings.Fields(c.args), f.addr)); err != nil {
			t.Errorf("%s %s: %v", c.verb, c.args, err)
		}
		for start, n := range c.want {
			if got := f.count(start); got != n {
				t.Errorf("%s %s said %s %d times; want %d", c.verb, c.args, start, got, n)
			}
		}
		if n := f.count(c.never); n != 0 {
			t.Errorf("%s %s said %s %d times; want 0", c.verb, c.args, c.never, n)
		}
	}
}

// TestRefused: a NO, a BAD and a BYE are the server's error, wherever they come.
func TestRefused(t *testing.T) {
	for _, bad := range []string{"z NO not here\r\n", "z BAD what\r\n", "* BYE gone\r\n"} {
		for _, at := range []string{"LOGIN", "SELECT", "APPEND", "LOGOUT"} {
			f := newFake(t, func(command string) string {
				if strings.HasPrefix(command, at) {
					return bad
				}
				return ok(command)
			})
			if err := sessions([]string{"-count", "2", f.addr}); !errors.Is(err, errServer) {
				t.Errorf("sessions, %s -> %q: %v; want errServer", at, bad, err)
			}
		}
	}
}

// TestUntil: the tagged line is found however what comes is cut, and looked for
// nowhere else.
func TestUntil(t *testing.T) {
	long := strings.Repeat("* 1 FETCH (UID 1)\r\n", 3000) + "* 2 FETCH (X " + strings.Repeat("y", 10000) + ")\r\n"
	for _, text := range []string{"z OK\r\n", "* z OK\r\nz OK done\r\n", long + "z OK done\r\n"} {
		for _, step := range []int{1, 7, 4096, len(text)} {
			near, far := net.Pipe()
			go func() {
				for b := []byte(text); len(b) > 0; b = b[min(step, len(b)):] {
					far.Write(b[:min(step, len(b))])
				}
			}()
			k := &client{Conn: near, buf: make([]byte, 4096)}
			if err := k.until("z OK"); err != nil || k.read != len(text) {
				t.Errorf("until of %d bytes by %d = %v after %d; want all", len(text), step, err, k.read)
			}
			near.Close()
			far.Close()
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{
		{}, {"127.0.0.1"}, {"192.0.2.1:143"}, {"localhost:143"}, {"127.0.0.1:0"}, {"127.0.0.1:143", "x"}, {"-nosuch", "127.0.0.1:143"},
		{"-clients", "0", "127.0.0.1:143"}, {"-clients", "5001", "127.0.0.1:143"}, {"-count", "1000001", "127.0.0.1:143"}, {"-users", "10001", "127.0.0.1:143"},
		{"-pid", "1,x", "127.0.0.1:143"}, {"-run", "NOOP\r\nz LOGOUT", "127.0.0.1:143"}, {"-password", "\"", "127.0.0.1:143"},
	} {
		var u usageError
		if _, err := parse("command", args); !errors.As(err, &u) {
			t.Errorf("parse(%q) = %v; want a usage error", args, err)
		}
	}
	if o, err := parse("idle", []string{"-clients", "5000", "-pid", "1,2", "127.0.0.1:143"}); err != nil || len(o.pids) != 2 {
		t.Errorf("parse at the limits = %+v, %v; want it taken", o, err)
	}
	if _, err := parse("idle", []string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("parse(-h) = %v; want help", err)
	}
}

// TestBox: a box has N mails of 1 to 4 KiB with headers, the same each time.
func TestBox(t *testing.T) {
	var first []string
	for range 2 {
		dir := filepath.Join(t.TempDir(), "box")
		if err := box([]string{"200", dir}); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(dir + "/cur/*:2,*")
		if len(files) != 200 {
			t.Fatalf("box 200 made %d mails", len(files))
		}
		var all []string
		for _, f := range files {
			b, _ := os.ReadFile(f)
			if len(b) < 900 || len(b) > 4096 {
				t.Errorf("a mail has %d bytes; want 900 to 4096", len(b))
			}
			for _, h := range []string{"\nFrom: ", "\nSubject: ", "\nMessage-ID: <", "\nDate: ", "\n\n"} {
				if !strings.Contains(string(b), h) {
					t.Errorf("%s lacks %q", f, h)
				}
			}
			all = append(all, filepath.Base(f)+string(b))
		}
		if first != nil && strings.Join(first, "") != strings.Join(all, "") {
			t.Error("two boxes of 200 differ")
		}
		first = all
	}
	for _, args := range [][]string{{"0", "x"}, {"1000001", "x"}, {"x", "x"}, {"1"}} {
		var u usageError
		if err := box(args); !errors.As(err, &u) {
			t.Errorf("box(%q) = %v; want a usage error", args, err)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []time.Duration
		want time.Duration
	}{{[]time.Duration{5}, 5}, {[]time.Duration{9, 1, 5}, 5}, {[]time.Duration{4, 1, 2, 9}, 3}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median = %v; want %v", got, c.want)
		}
	}
}
