// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain also plays the program itself.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_MAILDIRMAKE") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMaildirmake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "M")
	const usage = "maildirmake: usage: maildirmake name\n"
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{nil, usage, 100},
		{[]string{"a", "b"}, usage, 100},
		{[]string{""}, usage, 100},
		{[]string{dir}, "", 0},
		{[]string{dir}, "maildirmake: fatal: unable to mkdir " + dir + ": file already exists\n", 111},
		{[]string{dir + "/x/y"}, "maildirmake: fatal: unable to mkdir " + dir + "/x/y: file does not exist\n", 111},
	} {
		cmd := exec.Command(os.Args[0], c.args...)
		cmd.Env = []string{"TEST_AS_MAILDIRMAKE=1", "GORACE=atexit_sleep_ms=0"}
		out, err := cmd.CombinedOutput()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); string(out) != c.want || code != c.code {
			t.Errorf("maildirmake %q = %d, %q; want %d, %q", c.args, code, out, c.code, c.want)
		}
	}
	for _, d := range []string{"tmp", "new", "cur"} {
		if st, err := os.Stat(filepath.Join(dir, d)); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v", d, err)
		}
	}
}
