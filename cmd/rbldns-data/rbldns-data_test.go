// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/cdb"
)

// TestMain re-runs this test binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("RBLDNS_DATA_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// run is the program in dir: its exit code, and descriptors 1 and 2.
func run(t *testing.T, dir, in string, args ...string) (code int, said, trouble string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
	cmd.Env = append(os.Environ(), "RBLDNS_DATA_TEST=1", "GORACE=atexit_sleep_ms=0")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func writeData(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "data"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCompile(t *testing.T) {
	dir := t.TempDir()
	writeData(t, dir, "10.0.0.0/8\n")
	if code, out, trouble := run(t, dir, ""); code != 0 || out+trouble != "" {
		t.Fatalf("rbldns-data = %d %q %q; want 0 and silence", code, out, trouble)
	}
	m, err := cdb.Open(filepath.Join(dir, "data.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, ok, err := m.Value([]byte("\x0a\x00\x00\x00\x08")); !ok || err != nil {
		t.Errorf("10.0.0.0/8: %v, %v", ok, err)
	}
	if st, err := os.Stat(filepath.Join(dir, "data.cdb")); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("data.cdb has mode %v, %v; want 0644", st.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data.tmp")); !os.IsNotExist(err) {
		t.Errorf("data.tmp is left: %v", err)
	}
}

// TestErrors: 111, djb's message, and the old data.cdb as it was.
func TestErrors(t *testing.T) {
	none := func(string) error { return nil }
	for _, c := range []struct {
		name, text, want string
		prepare          func(dir string) error
	}{
		{"letter", "1\nx\n", "unable to parse data line 2: unrecognized leading character", none},
		{"colon", ":1.2.3.4", "unable to parse data line 1: missing colon", none},
		{"address", ":1.2.3:x", "unable to parse data line 1: malformed IP address", none},
		{"IPv6", "[1.2.3.4]", "unable to parse data line 1: malformed IPv6 prefix", none},
		{"no data", "", "unable to open data: file does not exist", func(dir string) error { return os.Remove(dir + "/data") }},
		{"data a folder", "", "unable to read line: is a directory", func(dir string) error { return errors.Join(os.Remove(dir+"/data"), os.Mkdir(dir+"/data", 0o700)) }},
		{"data.tmp a folder", "1", "unable to create data.tmp: is a directory", func(dir string) error { return os.Mkdir(dir+"/data.tmp", 0o700) }},
	} {
		dir := t.TempDir()
		writeData(t, dir, c.text)
		if err := errors.Join(os.WriteFile(dir+"/data.cdb", []byte("old"), 0o600), c.prepare(dir)); err != nil {
			t.Fatal(err)
		}
		if code, _, trouble := run(t, dir, ""); code != 111 || trouble != prog+": fatal: "+c.want+"\n" {
			t.Errorf("%s: %d %q; want 111 %q", c.name, code, trouble, c.want)
		}
		if b, err := os.ReadFile(dir + "/data.cdb"); string(b) != "old" {
			t.Errorf("%s: data.cdb is %q, %v; want the old one", c.name, b, err)
		}
	}
}

func TestRenameFails(t *testing.T) {
	dir := t.TempDir()
	writeData(t, dir, "1")
	if err := os.Mkdir(dir+"/data.cdb", 0o700); err != nil {
		t.Fatal(err)
	}
	if code, _, trouble := run(t, dir, ""); code != 111 || !strings.HasPrefix(trouble, prog+": fatal: "+moving+": ") {
		t.Errorf("data.cdb a folder: %d %q; want 111 %q", code, trouble, moving)
	}
}

// TestCheck: lines with numbers on descriptor 1; 111 where data would be refused,
// and nothing is made.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	writeData(t, dir, "127.0.0.2\n10.1\n?\n")
	code, out, trouble := run(t, dir, "", "--check")
	if code != 111 || trouble != "rbldns-data: fatal: data: lines that cannot be read: 1\n" || !strings.HasPrefix(out, "data:2: hint: \"10.1\" is read as 10.1.0.0/32\ndata:3: error: unrecognized leading character: ") {
		t.Errorf("--check = %d %q %q", code, out, trouble)
	}
	if code, out, trouble = run(t, dir, "10.0.0.0/8\n", "--check", "-"); code != 0 || trouble != "" || !strings.HasPrefix(out, "-: hint: 127.0.0.2 is not listed") {
		t.Errorf("--check - = %d %q %q", code, out, trouble)
	}
	if code, _, trouble = run(t, dir, "", "--check", "none"); code != 111 || trouble != "rbldns-data: fatal: unable to open none: file does not exist\n" {
		t.Errorf("--check none = %d %q", code, trouble)
	}
	if names, err := filepath.Glob(dir + "/data.*"); len(names) != 0 || err != nil {
		t.Errorf("--check made %q", names)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"--check", "a", "b"}, {""}} {
		if code, _, trouble := run(t, t.TempDir(), "", args...); code != 100 || trouble != "usage: "+prog+" [ --check [ file ] ]\n" {
			t.Errorf("rbldns-data %q = %d %q; want 100 and usage", args, code, trouble)
		}
	}
}
