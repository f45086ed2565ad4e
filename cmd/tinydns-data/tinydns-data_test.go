// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/cdb"
)

// TestMain re-runs this test binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("TINYDNS_DATA_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// run is the program in dir: its exit code and message.
func run(t *testing.T, dir string, args ...string) (code int, message string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TINYDNS_DATA_TEST=1")
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

func writeData(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "data"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCompile(t *testing.T) {
	dir := t.TempDir()
	writeData(t, dir, "+a.org:1.2.3.4\n")
	if code, message := run(t, dir); code != 0 || message != "" {
		t.Fatalf("tinydns-data = %d %q; want 0 and silence", code, message)
	}
	m, err := cdb.Open(filepath.Join(dir, "data.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if v, ok, err := m.Value([]byte("\x01a\x03org\x00")); !ok || err != nil || !bytes.HasSuffix(v, []byte{1, 2, 3, 4}) {
		t.Errorf("Value(a.org) = %q, %v, %v", v, ok, err)
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
	for _, c := range []struct {
		name, text, want string
		prepare          func(dir string) error
	}{
		{"letter", "+a:1.2.3.4\nx\n", "unable to parse data line 2: unrecognized leading character", nil},
		{"type", ":a:6:x", "unable to parse data line 1: type SOA prohibited", nil},
		{"name", "+" + strings.Repeat("a", 64) + ":1.2.3.4", "protocol error", nil},
		{"no data", "", "unable to open data: file does not exist", func(dir string) error { return os.Remove(dir + "/data") }},
		{"data a folder", "", "unable to read line: is a directory", func(dir string) error {
			os.Remove(dir + "/data")
			return os.Mkdir(dir+"/data", 0o700)
		}},
		{"data.tmp a folder", "+a:1.2.3.4", "unable to create data.tmp: is a directory", func(dir string) error { return os.Mkdir(dir+"/data.tmp", 0o700) }},
	} {
		dir := t.TempDir()
		writeData(t, dir, c.text)
		if err := os.WriteFile(dir+"/data.cdb", []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		if c.prepare != nil {
			if err := c.prepare(dir); err != nil {
				t.Fatal(err)
			}
		}
		code, message := run(t, dir)
		if want := prog + ": fatal: " + c.want + "\n"; code != 111 || message != want {
			t.Errorf("%s: %d %q; want 111 %q", c.name, code, message, want)
		}
		if b, err := os.ReadFile(dir + "/data.cdb"); string(b) != "old" {
			t.Errorf("%s: data.cdb is %q, %v; want the old one", c.name, b, err)
		}
	}
}

func TestRenameFails(t *testing.T) {
	dir := t.TempDir()
	writeData(t, dir, "+a:1.2.3.4")
	if err := os.Mkdir(dir+"/data.cdb", 0o700); err != nil {
		t.Fatal(err)
	}
	if code, message := run(t, dir); code != 111 || !strings.HasPrefix(message, prog+": fatal: "+moving+": ") {
		t.Errorf("data.cdb a folder: %d %q; want 111 %q", code, message, moving)
	}
}

func TestUsage(t *testing.T) {
	if code, message := run(t, t.TempDir(), "x"); code != 100 || message != "usage: "+prog+" [ -6 ] [ --check [ file ] ]\n" {
		t.Errorf("tinydns-data x = %d %q; want 100 and usage", code, message)
	}
}

// TestSamples: the samples that we ship compile, and the check finds nothing in
// them.
func TestSamples(t *testing.T) {
	samples, err := filepath.Glob("../../etc/dns/*")
	if err != nil || len(samples) < 2 {
		t.Fatalf("samples %v, %v", samples, err)
	}
	for _, sample := range samples {
		text, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		writeData(t, dir, string(text))
		for _, args := range [][]string{{"--check"}, {}, {"-6", "--check"}, {"--check", "data"}} {
			if code, message := run(t, dir, args...); code != 0 || message != "" {
				t.Errorf("tinydns-data %q of %s = %d\n%s", args, sample, code, message)
			}
		}
	}
}
