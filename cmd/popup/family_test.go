// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"quill/internal/control"
	"quill/internal/pop3"
	"quill/internal/privilege/privilegetest"
	"quill/internal/ucspi"
)

// TestMain also plays the program itself, so that tests run it as a process.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_POPUP") != "" {
		os.Unsetenv("TEST_AS_POPUP")
		main()
	}
	os.Exit(m.Run())
}

// checker is a checkpassword that shows what it got on descriptor 3, ~ for NUL,
// then does this.
func checker(t *testing.T, then string) string {
	t.Helper()
	path := filepath.Join(privilegetest.Reachable(t, t.TempDir()), "checkpassword")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ntr '\\000' '~' <&3; echo\n"+then+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// home is one with these control files, all empty.
func home(t *testing.T, control ...string) string {
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

// stamps is a greeting's timestamp, wherever it is shown.
var stamps = regexp.MustCompile(`<\d+\.\d+@`)

// talk runs popup over pipes and gives what it said, with LF and the timestamp
// masked, and its exit code.
func talk(t *testing.T, env []string, in string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	privilegetest.Plain(cmd)
	cmd.Env = append([]string{"TEST_AS_POPUP=1", "PATH=/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}, env...)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(in, "\n", "\r\n"))
	var said bytes.Buffer
	cmd.Stdout = &said
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return stamps.ReplaceAllString(strings.ReplaceAll(said.String(), "\r\n", "\n"), "<STAMP@"), cmd.ProcessState.ExitCode()
}

// TestFamily is recorded sessions of qmail-popup, in its words and with its
// timestamp (control/popclassic, control/apop). Where ours differ
// docs/compat.md says so: the exit code is the session's, and a refused client
// may try again.
func TestFamily(t *testing.T) {
	h := home(t, "popclassic", "apop")
	const hello, stamp = "+OK <STAMP@pop3.testingsmtp.org>\n", "<STAMP@pop3.testingsmtp.org>~\n"
	for _, c := range []struct {
		name, in, then, want string
		code                 int
	}{
		{"user and pass, blanks kept", "USER joe blow\nPASS se cret \n", "exit 0", hello + "+OK \njoe blow~se cret ~" + stamp, 0},
		{"child exits 1", "USER u\nPASS p\n", "exit 1", hello + "+OK \nu~p~" + stamp + "-ERR authorization failed\n", 111},
		{"child exits 111", "USER u\nPASS p\n", "exit 111", hello + "+OK \nu~p~" + stamp + "-ERR authorization failed\n", 111},
		{"apop", "APOP u digest\n", "exit 0", hello + "u~digest~" + stamp, 0},
		{"misc", "PASS p\nUSER\nCAPA\nSTLS\nAUTH\nNOOP\nQUIT\n", "exit 0",
			hello + "-ERR USER first\n-ERR syntax error\n-ERR authorization first\n-ERR authorization first\n-ERR authorization first\n+OK \n+OK \n", 0},
	} {
		if got, code := talk(t, []string{"QMAILHOME=" + h}, c.in, "pop3.testingsmtp.org", checker(t, c.then)); got != c.want || code != c.code {
			t.Errorf("%s: exit %d, said %q; want %d, %q", c.name, code, got, c.code, c.want)
		}
	}
}

// TestChain: what comes after checkpassword has the connection, and every byte
// of the client's after the login; popup's exit code is then that of the chain.
func TestChain(t *testing.T) {
	got, code := talk(t, []string{"QMAILHOME=" + home(t)}, "USER u\nPASS p\nSTAT\nQUIT\n", "h", checker(t, `exec "$@"`), "sh", "-c", "exec 3<&-; cat")
	if want := "+OK\n+OK \nu~p~~\nSTAT\nQUIT\n"; got != want || code != 0 {
		t.Errorf("chain: exit %d, said %q; want 0, %q", code, got, want)
	}
}

// TestVerdicts: what a login's exit code means.
func TestVerdicts(t *testing.T) {
	const temporary = "-ERR [SYS/TEMP] unable to check passwords now, please try later\n"
	for then, want := range map[string]string{
		"exit 2": temporary, "exit 100": temporary, "exit 111": temporary, "exit 127": temporary,
		"kill -9 $$": "-ERR aack, child crashed\n",
	} {
		got, code := talk(t, []string{"QMAILHOME=" + home(t)}, "USER u\nPASS p\nQUIT\n", "h", checker(t, then))
		if want := "+OK\n+OK \nu~p~~\n" + want; got != want || code != 111 {
			t.Errorf("checkpassword that does %q: exit %d, said %q; want 111, %q", then, code, got, want)
		}
	}
	if got, _ := talk(t, []string{"QMAILHOME=" + home(t)}, "USER u\nPASS p\nQUIT\n", "h", "/nonexistent/checkpassword"); got != "+OK\n+OK \n"+temporary {
		t.Errorf("no checkpassword: said %q; want %q", got, temporary)
	}
	for code, want := range map[int]pop3.Verdict{1: pop3.Refused, 2: pop3.Temporary, 100: pop3.Temporary, 111: pop3.Temporary, -1: pop3.Crashed} {
		if got := verdictOf(code); got != want {
			t.Errorf("verdictOf(%d) = %v; want %v", code, got, want)
		}
	}
}

// TestInsecure: where a password would pass a network in the clear.
func TestInsecure(t *testing.T) {
	for _, c := range []struct {
		env    []string
		allows bool // control/plaintextlogin
		want   bool // a login is refused
	}{
		{nil, false, false},
		{[]string{"TCPREMOTEIP=127.0.0.1"}, false, false},
		{[]string{"TCPREMOTEIP=127.9.9.9"}, false, false},
		{[]string{"TCPREMOTEIP=::1"}, false, false},
		{[]string{"TCPREMOTEIP=10.1.2.3"}, false, true},
		{[]string{"TCPREMOTEIP=::ffff:10.1.2.3"}, false, true},
		{[]string{"TCPREMOTEIP=fe80::1"}, false, true},
		{[]string{"TCPREMOTEIP=10.1.2.3", "TLS_PROTOCOL=TLSv1.3"}, false, false},
		{[]string{"TCPREMOTEIP=10.1.2.3", "TLS_PROTOCOL="}, false, true},
		{[]string{"TCPREMOTEIP=10.1.2.3"}, true, false},
	} {
		h := home(t)
		if c.allows {
			h = home(t, "plaintextlogin")
		}
		d := &door{host: "h", dir: control.Open(h)}
		if got := d.insecure(ucspi.Env{}.With(c.env)); (got != "") != c.want {
			t.Errorf("insecure(%q, plaintextlogin %v) = %q", c.env, c.allows, got)
		}
	}
}

// TestTimestamps: no two greetings have the same.
func TestTimestamps(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		s := timestamp("h.example")
		if seen[s] || !regexp.MustCompile(`^<\d+\.\d+@h\.example>$`).MatchString(s) {
			t.Fatalf("timestamp = %q, seen %v", s, seen[s])
		}
		seen[s] = true
	}
}

// TestSecrets: credentials are taken out of a packet's variables, so that no
// process of others has them in its environment.
func TestSecrets(t *testing.T) {
	var c pop3.Credentials
	rest := takeSecrets([]string{"A=1", "CHECKUSER=u=v", "CHECKPASS=", "TIMESTAMP=<1.2@h>", "CHECKUSERS=x"}, &c)
	if strings.Join(rest, " ") != "A=1 CHECKUSERS=x" || c != (pop3.Credentials{User: "u=v", Timestamp: "<1.2@h>"}) {
		t.Errorf("takeSecrets: rest %q, credentials %+v", rest, c)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"h"}} {
		if got, code := talk(t, nil, "QUIT\n", args...); got != "" || code != 100 {
			t.Errorf("popup %q: exit %d, said %q; want 100", args, code, got)
		}
	}
}
