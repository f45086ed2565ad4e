// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain re-runs this test binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("TINYDNS_EDIT_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// result is what a run leaves: exit code, message, the files and their modes.
type result struct {
	code                int
	message, data, half string
	dataMode, halfMode  os.FileMode
}

// run runs a program (this one, where empty) on a data file with that text;
// with "none" there is no data file.
func run(t *testing.T, program, dir, text string, mode os.FileMode, args ...string) (r result) {
	t.Helper()
	data, half := filepath.Join(dir, "data"), filepath.Join(dir, "data.new")
	os.Remove(data)
	os.Remove(half)
	if text != "none" {
		if err := os.WriteFile(data, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(data, mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, args...)
	if program == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd = exec.Command(exe, args...)
		cmd.Env = append(os.Environ(), "TINYDNS_EDIT_TEST=1")
	}
	cmd.Dir = dir
	out, _ := cmd.CombinedOutput()
	r.code, r.message = cmd.ProcessState.ExitCode(), string(out)
	r.data, r.dataMode = look(data)
	r.half, r.halfMode = look(half)
	return r
}

func look(path string) (string, os.FileMode) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "none", 0
	}
	st, err := os.Stat(path)
	if err != nil {
		return err.Error(), 0
	}
	return string(b), st.Mode()
}

// letters is one server with each of the first n letters.
func letters(line string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Replace(line, "X", string(rune('a'+i)), 1) + "\n")
	}
	return b.String()
}

var usageText = "tinydns-edit: usage: tinydns-edit data data.new add [ns|childns|host|alias|mx] domain a.b.c.d\n"

// cases are what there is to say; Debian's program says the same.
var cases = []struct {
	text, args string // args after data data.new
	code       int
	want       string // the message, or what the data file ends with
}{
	{"", "add ns Ex.Org 1.2.3.4", 0, ".ex.org:1.2.3.4:a:259200\n"}, {"", "add childns ex.org 1.2.3.4", 0, "&ex.org:1.2.3.4:a:259200\n"}, {"", "add host www.ex.org 1.2.3.4", 0, "=www.ex.org:1.2.3.4:86400\n"},
	{"", "add alias w.ex.org 1.2.3.4", 0, "+w.ex.org:1.2.3.4:86400\n"}, {"", "add mx ex.org 1.2.3.4", 0, "@ex.org:1.2.3.4:a::86400\n"}, {"", "add ns . 1.2.3.4", 0, "..:1.2.3.4:a:259200\n"}, {"", `add alias *.a\.b 256.1.1.1junk`, 0, `+\052.a\056b:0.1.1.1:86400` + "\n"},
	{".ex.org:1.1.1.1:a:60", "add ns ex.org 1.2.3.4", 0, ".ex.org:1.1.1.1:a:60\n.ex.org:1.2.3.4:b:60\n"}, {".ex.org:1.1.1.1:b:60\n", "add ns ex.org 1.2.3.4", 0, "\n.ex.org:1.2.3.4:a:60\n"}, {"&ex.org:1.1.1.1:a:60\n", "add ns ex.org 1.2.3.4", 0, "\n.ex.org:1.2.3.4:a:259200\n"},
	{".EX.org:1.1.1.1:A.ns.ex.ORG:7\n.ex.org::other.ns:8x\n", "add ns ex.org 1.2.3.4", 0, "\n.ex.org:1.2.3.4:b:8\n"}, {"@ex.org:1.1.1.1:a:10:60 \t\n\n# comment\n-x\n", "add mx ex.org 1.2.3.4", 0, "\n@ex.org:1.2.3.4:b::60\n"}, {".ex.org:::4294967297\n", "add ns ex.org 1.2.3.4", 0, "\n.ex.org:1.2.3.4:a:4294967297\n"},
	{letters(".ex.org:1.1.1.1:X", 25), "add ns ex.org 1.2.3.4", 0, "\n.ex.org:1.2.3.4:z:259200\n"}, {letters(".ex.org:1.1.1.1:X", 26), "add ns ex.org 1.2.3.4", 100, "tinydns-edit: fatal: too many records for that domain\n"}, {letters("@ex.org:1.1.1.1:X", 26), "add mx ex.org 1.2.3.4", 100, "tinydns-edit: fatal: too many records for that domain\n"},
	{"=www.ex.org:1.1.1.1\n", "add host WWW.ex.org 1.2.3.4", 100, "tinydns-edit: fatal: host name already used\n"}, {"=www.ex.org:1.2.3.4\n", "add host w.ex.org 1.2.3.260", 100, "tinydns-edit: fatal: IP address already used\n"}, {"+www.ex.org:1.2.3.4\n", "add host www.ex.org 1.2.3.4", 0, "\n=www.ex.org:1.2.3.4:86400\n"},
	{strings.Repeat("# comment of some length\n", 400) + "=www.ex.org:1.1.1.1\n", "add host www.ex.org 1.2.3.4", 100, "tinydns-edit: fatal: host name already used\n"},
	{"." + strings.Repeat("a", 64) + ":1.1.1.1\n", "add ns ex.org 1.2.3.4", 111, "tinydns-edit: fatal: out of memory\n"}, {"", "add ns " + strings.Repeat("a", 64) + " 1.2.3.4", 111, "tinydns-edit: fatal: out of memory\n"}, {"", "add ns " + strings.Repeat("a.", 126) + " 1.2.3.4", 111, "tinydns-edit: fatal: out of memory\n"}, {"", "add alias " + strings.Repeat("a.", 126) + " 1.2.3.4", 0, "a:1.2.3.4:86400\n"},
	{"", "", 100, usageText}, {"", "del ns ex.org 1.2.3.4", 100, usageText}, {"", "add", 100, usageText}, {"", "add txt ex.org 1.2.3.4", 100, usageText}, {"", "add ns", 100, usageText}, {"", "add ns ex.org", 100, usageText}, {"", "add ns ex.org 1.2.3", 100, usageText}, {"", "add alias ex.org 1.2.3.4 more words", 0, "+ex.org:1.2.3.4:86400\n"}, {"", "add ns " + strings.Repeat("a", 64), 111, "tinydns-edit: fatal: out of memory\n"},
	{"none", "add ns ex.org 1.2.3.4", 100, "tinydns-edit: fatal: tinydns-edit: fatal: unable to read data: file does not exist\n"},
}

// TestEdit: exit codes, messages and the file afterwards; a file that is not
// replaced stays as it was.
func TestEdit(t *testing.T) {
	for _, c := range cases {
		dir := t.TempDir()
		r := run(t, "", dir, c.text, 0o664, append([]string{"data", "data.new"}, strings.Fields(c.args)...)...)
		switch {
		case r.code != c.code || r.code != 0 && (r.message != c.want || r.data != c.text):
			t.Errorf("%s on %.40q = %d %q, data %.40q; want %d %q", c.args, c.text, r.code, r.message, r.data, c.code, c.want)
		case r.code == 0 && (r.message != "" || !strings.HasPrefix(r.data, c.text) || !strings.HasSuffix(r.data, c.want) || r.half != "none" || r.dataMode != 0o644):
			t.Errorf("%s on %.40q = %q, data %q %v, data.new %q; want %q", c.args, c.text, r.message, r.data, r.dataMode, r.half, c.want)
		}
	}
}

// TestFiles: what cannot be read, written or moved.
func TestFiles(t *testing.T) {
	for _, c := range []struct {
		name, want string
		code       int
		args       []string
	}{
		{"data a folder", "tinydns-edit: fatal: tinydns-edit: fatal: unable to read d: is a directory\n", 100, []string{"d", "data.new"}},
		{"data.new a folder", "tinydns-edit: fatal: tinydns-edit: fatal: unable to write d: is a directory\n", 100, []string{"data", "d"}},
		{"no folder for data.new", "tinydns-edit: fatal: tinydns-edit: fatal: unable to write x/y: file does not exist\n", 100, []string{"data", "x/y"}},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
			t.Fatal(err)
		}
		if r := run(t, "", dir, "+a:1.2.3.4\n", 0o600, append(c.args, "add", "host", "b", "1.2.3.4")...); r.code != c.code || r.message != c.want || r.data != "+a:1.2.3.4\n" {
			t.Errorf("%s: %d %q, data %q; want %d %q", c.name, r.code, r.message, r.data, c.code, c.want)
		}
	}
}
