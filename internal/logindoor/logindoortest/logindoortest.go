// SPDX-License-Identifier: ISC

// Package logindoortest runs programs that take logins, in tests: before a
// checkpassword that shows what it got.
package logindoortest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/privilege/privilegetest"
)

// PlayVariable tells a test's binary to be the program itself.
const PlayVariable = "TEST_AS_PROGRAM"

// Main is TestMain of such a program: it plays the program where it is told to,
// so that tests run it as a process. What that starts is told so too.
func Main(m *testing.M, program func()) {
	if os.Getenv(PlayVariable) != "" {
		program()
	}
	os.Exit(m.Run())
}

// Checker is a checkpassword that shows what it got on descriptor 3, ~ for NUL,
// then does this.
func Checker(t *testing.T, then string) string {
	t.Helper()
	path := filepath.Join(privilegetest.Reachable(t, t.TempDir()), "checkpassword")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ntr '\\000' '~' <&3; echo\n"+then+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// Home is one with these control files, all empty.
func Home(t *testing.T, control ...string) string {
	t.Helper()
	dir := privilegetest.Reachable(t, t.TempDir())
	if err := os.Mkdir(filepath.Join(dir, "control"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range control {
		if err := os.WriteFile(filepath.Join(dir, "control", name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Talk runs the program over pipes and gives what was said, with LF, and its
// exit code. Lines of in end in LF too.
func Talk(t *testing.T, env []string, in string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	privilegetest.Plain(cmd)
	cmd.Env = append([]string{PlayVariable + "=1", "PATH=/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}, env...)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(in, "\n", "\r\n"))
	var said bytes.Buffer
	cmd.Stdout = &said
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return strings.ReplaceAll(said.String(), "\r\n", "\n"), cmd.ProcessState.ExitCode()
}
