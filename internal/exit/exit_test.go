// SPDX-License-Identifier: ISC

package exit

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// TestMain also plays a program that ends as it is told to.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_EXIT") {
	case "die":
		Die("prog", Temporary, errors.New("unable to open x: no such file"))
	case "die for good":
		Die("prog", Permanent, errors.New("refused"))
	case "usage":
		Usage("prog [ -x ] file")
	}
	os.Exit(m.Run())
}

// TestEnds: what a program says on descriptor 2 when it ends, and its code;
// descriptor 1 stays clean.
func TestEnds(t *testing.T) {
	for how, want := range map[string]struct {
		code int
		text string
	}{
		"die":          {111, "prog: fatal: unable to open x: no such file\n"},
		"die for good": {100, "prog: fatal: refused\n"},
		"usage":        {100, "usage: prog [ -x ] file\n"},
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{"TEST_EXIT=" + how, "GORACE=atexit_sleep_ms=0"}
		out, err := cmd.Output()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != want.code || string(ended.Stderr) != want.text || len(out) != 0 {
			t.Errorf("%s: %v, %q on descriptor 1; want %d, %q on 2", how, err, out, want.code, want.text)
		}
	}
}

// TestCodes: the classes are other programs' to rely on: they do not change.
func TestCodes(t *testing.T) {
	if OK != 0 || Stop != 99 || Permanent != 100 || Temporary != 111 {
		t.Errorf("codes %d %d %d %d; want 0 99 100 111", OK, Stop, Permanent, Temporary)
	}
}
