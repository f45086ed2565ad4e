// SPDX-License-Identifier: ISC

//go:build peers

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// traced runs a delivery by hand under strace and gives the trace.
func traced(t *testing.T, dir, line string) []string {
	t.Helper()
	got, code, trace := strace(t, dir, line)
	if code != 0 || got != "did 1+0+0\n" {
		t.Fatalf("strace local-delivery = %d, %q", code, got)
	}
	return trace
}

// strace runs a delivery by hand under strace with further options.
func strace(t *testing.T, dir, line string, options ...string) (output string, code int, trace []string) {
	t.Helper()
	message, out := filepath.Join(t.TempDir(), "message"), filepath.Join(t.TempDir(), "trace")
	if err := os.WriteFile(message, []byte(letterX), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(message)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	args := append([]string{"-f", "-yy", "-o", out, "-e", "trace=write,pwrite64,fsync,fdatasync,close,link,linkat,rename,renameat,renameat2,openat2,ftruncate"}, options...)
	cmd := exec.Command("strace", append(args, os.Args[0], "joe", dir, "joe", "", "", "h", "s@x", line)...)
	cmd.Env, cmd.Stdin = append(os.Environ(), "TEST_AS_LOCAL_DELIVERY=1"), f
	output, code = finish(t, cmd)
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return output, code, strings.Split(string(b), "\n")
}

// inOrder looks for calls that match the patterns, one after the other.
func inOrder(t *testing.T, trace []string, patterns ...string) {
	t.Helper()
	at := 0
	for _, p := range patterns {
		re := regexp.MustCompile(p)
		for at < len(trace) && !re.MatchString(trace[at]) {
			at++
		}
		if at == len(trace) {
			t.Fatalf("no call like %q, in this order, in\n%s", p, strings.Join(trace, "\n"))
		}
		at++
	}
}

// TestOrderMaildir: write, fsync of the file, close, publication, fsync of new/,
// and only then the answer.
func TestOrderMaildir(t *testing.T) {
	dir := home(t, map[string]string{"Maildir/": ""})
	inOrder(t, traced(t, dir, "./Maildir/"),
		`write\(\d+<[^>]*/Maildir/tmp/`, `fsync\(\d+<[^>]*/Maildir/tmp/[^>]*>\) += 0`, `close\(\d+<[^>]*/Maildir/tmp/[^>]*>\) += 0`,
		`(linkat|renameat2)\(.*/Maildir/new`, `fsync\(\d+<[^>]*/Maildir/new>\) += 0`, `write\(1<.*"did 1`)
}

// TestOrderMbox: write, fsync of the file, fsync of its folder when it is new,
// and only then the answer.
func TestOrderMbox(t *testing.T) {
	dir := home(t, nil)
	inOrder(t, traced(t, dir, "./mbox"),
		`write\(\d+<[^>]*/mbox>`, `fsync\(\d+<[^>]*/mbox>\) += 0`, `fsync\(\d+<`+regexp.QuoteMeta(dir)+`>\) += 0`, `write\(1<.*"did 1`)
}

// TestFaults: a call that fails defers the mail and leaves nothing behind; one
// that is interrupted, or unknown to the file system, is gone about otherwise.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		inject   string
		code     int
		new, tmp int // files afterwards
	}{
		{"fsync:error=EIO", 111, 0, 0},
		{"fsync:error=EINTR:when=1", 0, 1, 0},
		{"renameat2:error=EINVAL", 0, 1, 0}, // link and unlink instead
		{"renameat2:error=EINTR:when=1", 0, 1, 0},
		{"renameat2:error=ENOSPC", 111, 0, 0},
		{"renameat2:error=EDQUOT", 111, 0, 0},
		{"renameat2,linkat:error=EINVAL", 111, 0, 0},
		{"renameat2:signal=KILL", -1, 0, 1},
		{"openat2:error=EACCES", 111, 0, 0},
		{"openat2:error=ENOSYS", 111, 0, 0},
	} {
		dir := home(t, map[string]string{"Maildir/": ""})
		out, code, _ := strace(t, dir, "./Maildir/", "-e", "inject="+c.inject)
		if code != c.code || (code == 111) != strings.HasPrefix(out, "Temporary error") && !strings.HasPrefix(out, "Unable to") && c.code == 111 {
			t.Errorf("%s: local-delivery = %d, %q; want %d", c.inject, code, out, c.code)
		}
		for sub, want := range map[string]int{"new": c.new, "tmp": c.tmp} {
			if files, _ := filepath.Glob(filepath.Join(dir, "Maildir", sub, "*")); len(files) != want {
				t.Errorf("%s: %s/ holds %q; want %d files", c.inject, sub, files, want)
			}
		}
	}
	dir := home(t, map[string]string{"mbox": "From old\n\n"})
	if out, code, _ := strace(t, dir, "./mbox", "-e", "inject=fsync:error=EIO"); code != 111 || out != "Unable to write ./mbox: input/output error. (#4.3.0)\n" {
		t.Errorf("an mbox that cannot be synced = %d, %q", code, out)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "mbox")); string(b) != "From old\n\n" {
		t.Errorf("the mbox became %q", b)
	}
}
