// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMain also plays the program itself.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_FORWARD") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// queueProgram writes a program that stands in for qmail-queue: it keeps message
// and envelope beside itself and exits with code.
func queueProgram(t *testing.T, code int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "queue")
	script := fmt.Sprintf("#!/bin/sh\ncat > $0.message\ncat <&1 > $0.envelope\nprintf %%s \"$QUILLID\" > $0.id\n[ %d != 82 ] || printf 'Dno such thing (#5.0.0)' >&6\nexit %d\n", code, code)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, env []string, message string, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append([]string{"TEST_AS_FORWARD=1", "PATH=/usr/bin:/bin", "QMAILHOME=/", "GORACE=atexit_sleep_ms=0"}, env...)
	cmd.Stdin = strings.NewReader(message)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestForward(t *testing.T) {
	q := queueProgram(t, 0)
	env := []string{"QMAILQUEUE=" + q, "NEWSENDER=s@x", "DTLINE=Delivered-To: joe@h\n", "QUILLID=1795479806011174042"}
	out, code := run(t, env, "S: x\n\nb", "a@b", "c d")
	m := regexp.MustCompile(`^forward: qp (\d+)\n$`).FindStringSubmatch(out)
	if code != 0 || m == nil {
		t.Fatalf("forward = %d, %q; want 0 and a qp line", code, out)
	}
	if got := read(t, q+".message"); got != "Delivered-To: joe@h\nS: x\n\nb" {
		t.Errorf("message = %q", got)
	}
	if got := read(t, q+".envelope"); got != "Fs@x\x00Ta@b\x00Tc d\x00\x00" {
		t.Errorf("envelope = %q", got)
	}
	if got := read(t, q+".id"); got != m[1] || got == "1795479806011174042" {
		t.Errorf("the queue program got the id %s; want %s, a new one", got, m[1])
	}
}

func TestRefused(t *testing.T) {
	both := []string{"NEWSENDER=", "DTLINE=Delivered-To: joe@h\n"}
	for _, c := range []struct {
		env  []string
		exit int
		args []string
		want string
		code int
	}{
		{both[1:], 0, []string{"a@b"}, "forward: fatal: NEWSENDER not set\n", 100},
		{both[:1], 0, []string{"a@b"}, "forward: fatal: DTLINE not set\n", 100},
		{both, 0, nil, "usage: forward address ...\n", 100},
		{both, 31, []string{"a@b"}, "forward: fatal: mail server permanently rejected message (#5.3.0)\n", 100},
		{both, 53, []string{"a@b"}, "forward: fatal: qq write error or disk full (#4.3.0)\n", 111},
		{both, 82, []string{"a@b"}, "forward: fatal: no such thing (#5.0.0)\n", 100},
		{append([]string{"QMAILQUEUE=/nonexistent"}, both...), 0, []string{"a@b"}, "forward: fatal: unable to exec qq (#4.3.0)\n", 111},
	} {
		env := append([]string{"QMAILQUEUE=" + queueProgram(t, c.exit)}, c.env...)
		if out, code := run(t, env, "x\n", c.args...); out != c.want || code != c.code {
			t.Errorf("forward with %q, queue's exit %d = %d, %q; want %d, %q", c.env, c.exit, code, out, c.code, c.want)
		}
	}
}
