// SPDX-License-Identifier: ISC

package cmd

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// run runs a program that must exit 0, with this on descriptor 0, and gives
// what it printed.
func run(t *testing.T, in, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(in)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &out)
	}
	return out.String()
}

// fails runs a program that must exit with code, and gives what it printed.
func fails(t *testing.T, code int, in, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(in)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("%s %s: exit %d; want %d\n%s", name, strings.Join(args, " "), got, code, out)
	}
	return string(out)
}
