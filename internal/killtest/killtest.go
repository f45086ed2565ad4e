// SPDX-License-Identifier: ISC

// Package killtest makes a test's binary a program that is killed while it works
// on a folder.
package killtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// What tells the binary to be a program, and on which folder.
const (
	programVariable = "TEST_KILLED_PROGRAM"
	folderVariable  = "TEST_KILLED_FOLDER"
)

// silence is how long a program may take until its first line.
const silence = time.Minute

// Main is TestMain: it plays the program that Run names. A program works on the
// folder without end and prints what it does, a line at a time and the first one
// once it has begun; it returns only where something fails.
func Main(m *testing.M, programs map[string]func(folder string) error) {
	if program := programs[os.Getenv(programVariable)]; program != nil {
		fmt.Println("error:", program(os.Getenv(folderVariable)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Run lets a program work for a while after its first line, kills it, and gives
// what it has printed. A program that fails, or never begins, fails the test.
func Run(t *testing.T, program, folder string, wait time.Duration) (lines []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), programVariable+"="+program, folderVariable+"="+folder, "GOMAXPROCS=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(silence, func() { cmd.Process.Kill() })
	for s := bufio.NewScanner(out); s.Scan(); lines = append(lines, s.Text()) {
		if len(lines) == 0 {
			timer.Reset(wait)
		}
	}
	timer.Stop()
	cmd.Wait()
	if n := len(lines); n == 0 || strings.HasPrefix(lines[n-1], "error:") {
		t.Fatalf("the program that is to be killed says %q at last, of %d lines", lines[max(0, n-1):], n)
	}
	return lines
}
