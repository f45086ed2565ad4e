// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"quill/internal/privilege/privilegetest"
	"quill/internal/users"
)

// TestMain also plays the program itself, so that tests run it as a process.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_SMTPD") != "" {
		os.Unsetenv("TEST_AS_SMTPD")
		main()
	}
	os.Exit(m.Run())
}

// home is one for testingsmtp.org where every user exists, in the words of the
// mode that the extra control files choose.
func home(t *testing.T, control map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"control/me": "mail.testingsmtp.org\n", "control/locals": "testingsmtp.org\nmail.testingsmtp.org\n", "control/rcpthosts": "testingsmtp.org\nmail.testingsmtp.org\n",
		"users/assign": "+:joe:1000:1000:/home/joe:-::\n.\n"}
	for name, text := range control {
		files["control/"+name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := users.NewStore(dir).Compile(); err != nil {
		t.Fatal(err)
	}
	return privilegetest.Reachable(t, dir)
}

// keeper is a queue program that keeps message and envelope in the folder
// $KEPT.
func keeper(t *testing.T) string {
	t.Helper()
	path := filepath.Join(privilegetest.Reachable(t, t.TempDir()), "qq")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ncat >\"$KEPT/msg\"; cat <&1 >\"$KEPT/env\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve runs smtpd over pipes with these variables alone.
func serve(t *testing.T, env []string, in string) (out string, code int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	privilegetest.Plain(cmd)
	cmd.Env = append([]string{"TEST_AS_SMTPD=1", "PATH=/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}, env...)
	cmd.Stdin = strings.NewReader(in)
	var said bytes.Buffer
	cmd.Stdout = &said
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return said.String(), cmd.ProcessState.ExitCode()
}

// recorded is a session of qmail-smtpd, and what ours does otherwise.
type recorded struct {
	name      string
	set       []string
	in        string
	out       []string
	code      int
	msg       []string
	env       string
	ours      bool // replies and code are ours, not the family's
	theirs    string
	theirCode int
}

// begin is how most sessions begin, and what is said to it.
const begin = "HELO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<sendmemail@testingsmtp.org>\r\nDATA\r\n"

var begun = []string{"220 mail.testingsmtp.org ESMTP", "250 mail.testingsmtp.org", "250 ok", "250 ok", "354 go ahead"}

// repeated is {N*}LINE; counted is {C*N}: a character so many times.
var (
	repeated = regexp.MustCompile(`^\{(\d+)\*\}(.*)$`)
	counted  = regexp.MustCompile(`\{(.)\*(\d+)\}`)
)

// spelled is what a line of the file stands for.
func spelled(t *testing.T, s string) []string {
	t.Helper()
	n := 1
	if m := repeated.FindStringSubmatch(s); m != nil {
		n, _ = strconv.Atoi(m[1])
		s = m[2]
	}
	s = counted.ReplaceAllStringFunc(s, func(c string) string {
		m := counted.FindStringSubmatch(c)
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	})
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("family.txt: %q: %v", s, err)
	}
	return strings.Split(strings.TrimSuffix(strings.Repeat(text+"\x00\x01", n), "\x00\x01"), "\x00\x01")
}

// family reads testdata/family.txt: its head tells its grammar.
func family(t *testing.T) (all []*recorded) {
	t.Helper()
	f, err := os.Open("testdata/family.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var c *recorded
	for in := bufio.NewScanner(f); in.Scan(); {
		word, rest, _ := strings.Cut(in.Text(), " ")
		switch word {
		case "", "#":
		case "case":
			c = &recorded{name: rest}
			all = append(all, c)
		case "set":
			c.set = append(c.set, rest)
		case "begin":
			c.in, c.out = begin, append(c.out, begun...)
		case ">":
			c.in += strings.Join(spelled(t, rest), "\r\n") + "\r\n"
		case ">|":
			c.in += spelled(t, rest)[0]
		case "<":
			c.out = append(c.out, spelled(t, rest)...)
		case "code":
			if c.code, err = strconv.Atoi(rest); err != nil {
				t.Fatalf("family.txt: %s: code %q", c.name, rest)
			}
		case "=":
			c.msg = append(c.msg, spelled(t, rest)...)
		case "~":
			c.env = strings.ReplaceAll(strings.Join(spelled(t, rest), ""), "~", "\x00")
		case "ours":
			c.ours, c.theirs, c.theirCode = true, strings.Join(c.out, "\n"), c.code
			if c.out = nil; strings.HasPrefix(c.in, begin) {
				c.out = append(c.out, begun...)
			}
			c.msg, c.env = nil, ""
		default:
			t.Fatalf("family.txt: unknown word %q", word)
		}
	}
	return all
}

// masks are what differs from run to run.
var masks = []struct {
	re *regexp.Regexp
	by string
}{{regexp.MustCompile(`ok \d{10} qp \d+`), "ok TIME qp PID"}, {regexp.MustCompile(`; \d+ \w+ \d{4} [\d:]+ -0000`), "; DATE"}}

func masked(s string) string {
	for _, m := range masks {
		s = m.re.ReplaceAllString(s, m.by)
	}
	return s
}

// TestFamily: in the words of qmail-smtpd every recorded session is the same,
// but for what docs/compat.md names: replies, exit code (111 where the family
// has 1), message and envelope.
func TestFamily(t *testing.T) {
	h, qq := home(t, map[string]string{"smtpclassic": "", "localiphost": "mail.testingsmtp.org\n"}), keeper(t)
	for _, c := range family(t) {
		t.Run(c.name, func(t *testing.T) {
			kept := privilegetest.Reachable(t, t.TempDir())
			env := []string{"QMAILHOME=" + h, "QMAILQUEUE=" + qq, "KEPT=" + kept, "TCPREMOTEIP=10.1.2.3", "TCPREMOTEHOST=client.example", "TCPLOCALHOST=mail.testingsmtp.org", "TCPLOCALIP=127.0.0.1"}
			out, code := serve(t, append(env, c.set...), c.in)
			if want := strings.Join(c.out, "\r\n") + "\r\n"; masked(out) != want {
				t.Errorf("said %q; want %q", masked(out), want)
			}
			if want := map[int]int{0: 0, 1: 111}[c.code]; code != want {
				t.Errorf("exit %d; want %d", code, want)
			}
			if c.ours && strings.Join(c.out, "\n") == c.theirs && c.code == c.theirCode {
				t.Errorf("no difference left from the family's session")
			}
			msg, _ := os.ReadFile(filepath.Join(kept, "msg"))
			if want := strings.Join(c.msg, "\n") + "\n"; len(c.msg) > 0 && masked(string(msg)) != want {
				t.Errorf("message %q; want %q", masked(string(msg)), want)
			}
			envelope, _ := os.ReadFile(filepath.Join(kept, "env"))
			if string(envelope) != c.env {
				t.Errorf("envelope %q; want %q", envelope, c.env)
			}
		})
	}
}
