// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMain also plays the program itself, so that tests run it as a process.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_LOCAL_DELIVERY") != "" {
		os.Unsetenv("TEST_AS_LOCAL_DELIVERY")
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// deliverer is the program as a process, with only these variables.
func deliverer(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append([]string{"TEST_AS_LOCAL_DELIVERY=1", "PATH=/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}, env...)
	return cmd
}

// run runs it on a message in a file, and gives what it wrote to descriptors 1
// and 2 together.
func run(t *testing.T, env []string, message string, args ...string) (output string, code int) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "message"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString(message) // the offset stays at the end: the program rewinds
	cmd := deliverer(env, args...)
	cmd.Stdin = f
	return finish(t, cmd)
}

func finish(t *testing.T, cmd *exec.Cmd) (output string, code int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// home makes a home with these files; a name that ends in "+x" or "+w" gets that
// bit for all, one that ends in '/' is a Maildir.
func home(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		name, bit, _ := strings.Cut(name, "+")
		path := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			for _, d := range []string{"tmp", "new", "cur"} {
				os.MkdirAll(filepath.Join(path, d), 0o700)
			}
			continue
		}
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		os.Chmod(path, map[string]os.FileMode{"": 0o644, "x": 0o755, "w": 0o646}[bit])
	}
	return dir
}

const letterX = "Received: (test)\nSubject: x\n\nFrom here\nbody\n"

// stamps is what differs from run to run.
var stamps = regexp.MustCompile(`\w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}`)

// TestFamily is qmail-local's behaviour, case by case: output and exit code.
func TestFamily(t *testing.T) {
	const kinds = "# all kinds\n./Maildir/\n./mbox\n|true\n&a@b\nc@d\n&-odd\ne@f \t\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		mode  os.FileMode // of the home; 0: 0755
		args  string      // blanks part them, _ is an empty one
		want  string
		code  int
	}{
		{"no .qmail, dash empty", nil, 0, "-n joe H joe _ _ h.example s@x ./Mailbox", "mbox ./Mailbox\ndid 1+0+0\n", 0},
		{"no .qmail-ext, dash", nil, 0, "-n joe H joe-foo - foo h.example s@x ./Mailbox", "Sorry, no mailbox here by that name. (#5.1.1)\n", 100},
		{"empty file", map[string]string{".qmail-empty+x": ""}, 0, "-n joe H joe-empty - empty h.example s@x ./Mailbox", "mbox ./Mailbox\ndid 1+0+0\n", 0},
		{"all kinds", map[string]string{".qmail": kinds}, 0, "-n joe H joe _ _ h.example s@x ./Mailbox",
			"maildir ./Maildir/\nmbox ./mbox\nprogram true\nforward a@b\nforward c@d\nforward -odd\nforward e@f\ndid 2+4+1\n", 0},
		{"first line blank", map[string]string{".qmail": "\n./x/\n"}, 0, "-n joe H joe _ _ h.example s@x ./Mailbox",
			"Uh-oh: first line of .qmail file is blank. (#4.2.1)\n", 111},
		{"only comment", map[string]string{".qmail": "# nobody\n"}, 0, "-n joe H joe _ _ h.example s@x ./Mailbox", "did 0+0+0\n", 0},
		{"world-writable .qmail", map[string]string{".qmail+w": "./x/\n"}, 0, "-n joe H joe _ _ h.example s@x ./Mailbox",
			"Uh-oh: .qmail file is writable. (#4.7.0)\n", 111},
		{"x bit and Maildir", map[string]string{".qmail+x": "./x/\n"}, 0, "-n joe H joe _ _ h.example s@x ./Mailbox",
			"Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)\n", 111},
		{"x bit and forward", map[string]string{".qmail+x": "&a@b\n"}, 0, "-n joe H joe _ _ h.example s@x ./Mailbox", "forward a@b\ndid 0+1+0\n", 0},
		{"+list then program", map[string]string{".qmail": "+list\n|true\n"}, 0, "-n joe H joe _ _ h.example s@x ./Mailbox",
			"Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)\n", 111},
		{"sticky, -n", nil, 0o1755, "-n joe H joe _ _ h.example s@x ./Maildir/", "Warning: home directory is sticky.\nmaildir ./Maildir/\ndid 1+0+0\n", 0},
		{"sticky", nil, 0o1755, "joe H joe _ _ h.example s@x ./Maildir/", "Home directory is sticky: user is editing his .qmail file. (#4.2.1)\n", 111},
		{"world-writable home", nil, 0o757, "joe H joe _ _ h.example s@x ./Maildir/", "Uh-oh: home directory is writable. (#4.7.0)\n", 111},
		{"group-writable home", map[string]string{"Maildir/": ""}, 0o775, "joe H joe _ _ h.example s@x ./Maildir/", "did 1+0+0\n", 0},
		{"-N undoes -n", nil, 0, "-nN joe H joe-foo - foo h.example s@x ./Mailbox", "Sorry, no mailbox here by that name. (#5.1.1)\n", 100},
		{"no home", nil, 0, "joe /nonexistent joe _ _ h.example s@x ./Mailbox", "Unable to switch to /nonexistent: file does not exist. (#4.3.0)\n", 111},
		{"Maildir missing", nil, 0, "joe H joe _ _ h.example s@x ./Maildir/", "Unable to chdir to maildir. (#4.2.1)\n", 111},
		{"mbox missing dir", nil, 0, "joe H joe _ _ h.example s@x /nonexistent/mbox", "Unable to open /nonexistent/mbox: file does not exist. (#4.2.1)\n", 111},
		{"usage", nil, 0, "joe H", usage, 100},
		{"nine words", nil, 0, "joe H joe _ _ h s ./M x", usage, 100},
		{"bad option", nil, 0, "-x joe H joe _ _ h s ./M", usage, 100},
		{"relative home", nil, 0, "joe . joe _ _ h s ./M", usage, 100},
		{"after --", nil, 0, "-n -- joe H joe _ _ h s ./M", "mbox ./M\ndid 1+0+0\n", 0},
		{"ext with a slash", map[string]string{".qmail-a/b": "# in a folder\n"}, 0, "joe H joe-a/b - a/b h.example s@x ./M", "did 0+0+0\n", 0},
		{"ext that would leave the home", map[string]string{".qmail-a/b": "# in a folder\n"}, 0, "joe H joe-a/../../x - a/../../x h.example s@x ./M",
			"Sorry, no mailbox here by that name. (#5.1.1)\n", 100},
		{"dash with a slash", map[string]string{".qmail-/x": "# lists\n"}, 0, "joe H joe-x -/ x h.example s@x ./M", "did 0+0+0\n", 0},
		{"default without dash", map[string]string{".qmaildefault": "# it holds\n"}, 0, "joe H joe _ _ h.example s@x ./M", "did 0+0+0\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := home(t, c.files)
			if c.mode != 0 {
				os.Chmod(dir, c.mode&0o777|os.ModeSticky*(c.mode>>9&1))
			}
			args := strings.Fields(c.args)
			for i, a := range args {
				args[i] = map[string]string{"_": "", "H": dir}[a]
				if a != "_" && a != "H" {
					args[i] = a
				}
			}
			if got, code := run(t, nil, letterX, args...); got != c.want || code != c.code {
				t.Errorf("local-delivery %s = %d, %q; want %d, %q", c.args, code, got, c.code, c.want)
			}
		})
	}
}

// TestSearch: which file holds for an extension, and what its programs get as
// DEFAULT and EXT.
func TestSearch(t *testing.T) {
	files := make(map[string]string)
	for _, name := range []string{".qmail-a-b", ".qmail-a-default", ".qmail-default", ".qmail-a:b", ".qmail-x-"} {
		files[name] = `|echo "file=` + name + ` DEFAULT=${DEFAULT-unset} EXT=$EXT EXT2=$EXT2 EXT3=$EXT3 EXT4=$EXT4"` + "\n"
	}
	dir := home(t, files)
	for ext, want := range map[string]string{
		"a-b":         "file=.qmail-a-b DEFAULT=unset EXT=a-b EXT2=b EXT3= EXT4=",
		"A-B":         "file=.qmail-a-b DEFAULT=unset EXT=A-B EXT2=B EXT3= EXT4=",
		"a-c":         "file=.qmail-a-default DEFAULT=c EXT=a-c EXT2=c EXT3= EXT4=",
		"a":           "file=.qmail-default DEFAULT=a EXT=a EXT2= EXT3= EXT4=",
		"a-":          "file=.qmail-a-default DEFAULT= EXT=a- EXT2= EXT3= EXT4=",
		"a-b-c":       "file=.qmail-a-default DEFAULT=b-c EXT=a-b-c EXT2=b-c EXT3=c EXT4=",
		"a.b":         "file=.qmail-a:b DEFAULT=unset EXT=a.b EXT2= EXT3= EXT4=",
		"x-":          "file=.qmail-x- DEFAULT=unset EXT=x- EXT2= EXT3= EXT4=",
		"zz":          "file=.qmail-default DEFAULT=zz EXT=zz EXT2= EXT3= EXT4=",
		"default":     "file=.qmail-default DEFAULT=default EXT=default EXT2= EXT3= EXT4=",
		"a-default":   "file=.qmail-a-default DEFAULT=default EXT=a-default EXT2=default EXT3= EXT4=",
		"foo-default": "file=.qmail-default DEFAULT=foo-default EXT=foo-default EXT2=default EXT3= EXT4=",
	} {
		got, code := run(t, []string{"DEFAULT=inherited"}, letterX, "joe", dir, "joe-"+ext, "-", ext, "h.example", "s@x", "./Mailbox")
		if want += "\ndid 0+0+1\n"; got != want || code != 0 {
			t.Errorf("ext %q = %d, %q; want %q", ext, code, got, want)
		}
	}
}

// TestExitCodes: what a program's exit code does.
func TestExitCodes(t *testing.T) {
	want := map[int]string{0: "out\nsecond\ndid 0+0+2\n0", 99: "out\ndid 0+0+1\n0"}
	for _, code := range []int{1, 2, 66, 67, 68, 69, 71, 72, 73, 74, 75, 79, 101, 111, 113, 126, 127} {
		want[code] = "out\n111"
	}
	for _, code := range []int{64, 65, 70, 76, 77, 78, 100, 112} {
		want[code] = "out\n100"
	}
	for n, want := range want {
		dir := home(t, map[string]string{".qmail": fmt.Sprintf("|echo out; exit %d\n|echo second\n", n)})
		out, code := run(t, nil, letterX, "joe", dir, "joe", "", "", "h.example", "s@x", "./Mailbox")
		if got := fmt.Sprint(out, code); got != want {
			t.Errorf("program exit %d = %q; want %q", n, got, want)
		}
	}
	for cmd, want := range map[string]string{
		"kill -9 $$":         "Aack, child crashed. (#4.3.0)\n",
		"nonexistentprogram": "/bin/sh: 1: nonexistentprogram: not found\n",
	} {
		dir := home(t, map[string]string{".qmail": "|" + cmd + "\n"})
		out, code := run(t, nil, letterX, "joe", dir, "joe", "", "", "h.example", "s@x", "./Mailbox")
		if code != 111 || out != want && cmd == "kill -9 $$" {
			t.Errorf("program %q = %d, %q; want 111, %q", cmd, code, out, want)
		}
	}
}

// TestEnvironment: what a program sees: the address, the message from its begin
// without added lines, and nothing of ours.
func TestEnvironment(t *testing.T) {
	const show = `|for v in SENDER NEWSENDER RECIPIENT USER HOST HOST2 HOST3 HOST4 LOCAL EXT EXT2 EXT3 EXT4 DEFAULT; do eval "printf '%s=[%s] ' $v \"\${$v-unset}\""; done; echo` +
		`; printf %s "$UFLINE$RPLINE$DTLINE"; cat; echo "${QUILLID-unset} ${QUILLPARAMS-unset} $FOREIGN"` + "\n"
	files := map[string]string{".qmail-env-default": show, "o/.qmail-env-default": show, "o/.qmail-env-x-owner": "",
		"v/.qmail-env-default": show, "v/.qmail-env-x-owner": "", "v/.qmail-env-x-owner-default": ""}
	dir := home(t, files)
	env := []string{"QUILLID=1795479806011174042", "QUILLPARAMS=a=b", "FOREIGN=kept", "SENDER=old"}
	long := "SENDER=[s \"q\" @x] NEWSENDER=[s \"q\" @x] RECIPIENT=[joe-env-x-y-z-w@a.b.c.example.org] USER=[joe] HOST=[a.b.c.example.org] " +
		"HOST2=[a.b.c.example] HOST3=[a.b.c] HOST4=[a.b] LOCAL=[joe-env-x-y-z-w] EXT=[env-x-y-z-w] EXT2=[x-y-z-w] EXT3=[y-z-w] EXT4=[z-w] DEFAULT=[x-y-z-w] \n" +
		"From s-\"q\"-@x DATE\nReturn-Path: <\"s \\\"q\\\" \"@x>\nDelivered-To: joe-env-x-y-z-w@a.b.c.example.org\n" + letterX + "unset unset kept\ndid 0+0+1\n"
	out, code := run(t, env, letterX, "joe", dir, "joe-env-x-y-z-w", "-", "env-x-y-z-w", "a.b.c.example.org", `s "q" @x`, "./Mailbox")
	if got := stamps.ReplaceAllString(out, "DATE"); got != long || code != 0 {
		t.Errorf("environment = %d, %q; want %q", code, got, long)
	}
	for _, c := range []struct{ sub, sender, newSender, from string }{
		{"", "", "", "MAILER-DAEMON"},
		{"/o", "s@x", "joe-env-x-owner@h.example", "s@x"},
		{"/v", "s@x", "joe-env-x-owner-@h.example-@[]", "s@x"},
		{"/o", "#@[]", "#@[]", "#@[]"},
		{"/o", "", "", "MAILER-DAEMON"},
		{"", "() { :;}; x@y", "_) { :;}; x@y", "()-{-:;};-x@y"},
		{"", "a\nb@y", "a_b@y", "a-b@y"},
	} {
		out, code := run(t, env, letterX, "joe", dir+c.sub, "joe-env-x", "-", "env-x", "h.example", c.sender, "./Mailbox")
		for _, want := range []string{"NEWSENDER=[" + c.newSender + "]", "HOST2=[h] HOST3=[h] HOST4=[h]", "\nFrom " + c.from + " ", "\nDelivered-To: joe-env-x@h.example\n"} {
			if !strings.Contains(out, want) || code != 0 {
				t.Errorf("environment for sender %q in %s = %d, %q; want %q in it", c.sender, c.sub, code, out, want)
			}
		}
	}
}

// TestLoop: our own Delivered-To line in the header, in any case, stops a message.
func TestLoop(t *testing.T) {
	dir := home(t, map[string]string{"Maildir/": ""})
	const looping = "This message is looping: it already has my Delivered-To line. (#5.4.6)\n"
	for message, want := range map[string]string{
		"A: b\nDelivered-To: joe@h.example\n\nx\n":     looping,
		"delivered-to:  JOE@H.Example \r\n\nx\n":       looping, // qmail-local knows only its own spelling
		"A: b\nDelivered-To: joe@h.example":            looping,
		"A: b\nDelivered-To: joe@h.example.org\n\nx\n": "did 1+0+0\n",
		"A: b\n\nDelivered-To: joe@h.example\n":        "did 1+0+0\n",
		"A: b\r\n\r\nDelivered-To: joe@h.example\n":    "did 1+0+0\n",
		"X-Delivered-To: joe@h.example\n\n":            "did 1+0+0\n",
		"":                                             "did 1+0+0\n",
		"X: " + strings.Repeat("y", 3*headerLine) + "\nDelivered-To: joe@h.example\n\n":         looping,
		"X: " + strings.Repeat("y", headerLine-3) + "Delivered-To: joe@h.example\n\n":           "did 1+0+0\n",
		strings.Repeat("Received: x\n", 100_000) + "Delivered-To: joe@h.example\n\nmany hops\n": looping,
	} {
		got, code := run(t, nil, message, "joe", dir, "joe", "", "", "h.example", "s@x", "./Maildir/")
		if got != want || (code == 0) != (want[0] == 'd') {
			t.Errorf("message %.60q = %d, %q; want %q", message, code, got, want)
		}
	}
	if got, code := run(t, nil, "Delivered-To: joe@h.example\n\n", "-n", "joe", dir, "joe", "", "", "h.example", "s@x", "./M/"); code != 0 {
		t.Errorf("-n looks at the message: %d, %q", code, got)
	}
}

func TestMbox(t *testing.T) {
	dir := home(t, nil)
	for i, c := range []struct{ sender, message, want string }{
		{"a b@x", "S: x\n\nFrom here\n>From there\nlast no newline", "From a-b@x DATE\nReturn-Path: <\"a b\"@x>\nDelivered-To: joe@h.example\nS: x\n\n>From here\n>>From there\nlast no newline\n\n"},
		{"", "S: x\n\nb\n", "From MAILER-DAEMON DATE\nReturn-Path: <>\nDelivered-To: joe@h.example\nS: x\n\nb\n\n"},
		{"s@x", "", "From s@x DATE\nReturn-Path: <s@x>\nDelivered-To: joe@h.example\n\n"},
		{"s@x", strings.Repeat("x", 70_000) + "From here\n" + strings.Repeat(">", 70_000) + "From", ""},
	} {
		name := fmt.Sprintf("box%d", i)
		for range 2 {
			if out, code := run(t, nil, c.message, "joe", dir, "joe", "", "", "h.example", c.sender, "./"+name); code != 0 || out != "did 1+0+0\n" {
				t.Errorf("mbox = %d, %q", code, out)
			}
		}
		if c.want == "" {
			c.want = "From s@x DATE\nReturn-Path: <s@x>\nDelivered-To: joe@h.example\n" + c.message + "\n\n"
		}
		b, _ := os.ReadFile(filepath.Join(dir, name))
		if got := stamps.ReplaceAllString(string(b), "DATE"); got != c.want+c.want {
			t.Errorf("mbox of %.60q = %.300q; want twice %.300q", c.message, got, c.want)
		}
		if st, _ := os.Stat(filepath.Join(dir, name)); st.Mode() != 0o600 {
			t.Errorf("mbox has mode %v; want 0600", st.Mode())
		}
	}
}

func TestMaildir(t *testing.T) {
	dir := home(t, map[string]string{"Maildir/": ""})
	if out, code := run(t, nil, "S: x\n\nb\n", "joe", dir, "joe", "", "", "h.example", "a b@x", "./Maildir/"); code != 0 || out != "did 1+0+0\n" {
		t.Fatalf("maildir = %d, %q", code, out)
	}
	all, _ := filepath.Glob(dir + "/Maildir/new/*")
	if len(all) != 1 || !regexp.MustCompile(`/\d+\.M\d+P\d+_\d+R[0-9a-f]{16}\.[^,]+,S=59,W=64$`).MatchString(all[0]) {
		t.Fatalf("new/ holds %q", all)
	}
	b, _ := os.ReadFile(all[0])
	if want := "Return-Path: <\"a b\"@x>\nDelivered-To: joe@h.example\nS: x\n\nb\n"; string(b) != want {
		t.Errorf("the file is %q; want %q", b, want)
	}
	if st, _ := os.Stat(all[0]); st.Mode() != 0o600 {
		t.Errorf("the file has mode %v; want 0600", st.Mode())
	}
}

// TestPipe: a message that cannot be read twice is refused before anything.
func TestPipe(t *testing.T) {
	dir := home(t, map[string]string{"Maildir/": ""})
	cmd := deliverer(nil, "joe", dir, "joe", "", "", "h.example", "s@x", "./Maildir/")
	cmd.Stdin = bytes.NewReader([]byte(letterX)) // becomes a pipe
	if out, code := finish(t, cmd); code != 111 || out != "Unable to rewind message. (#4.3.0)\n" {
		t.Errorf("a pipe = %d, %q; want 111", code, out)
	}
}
