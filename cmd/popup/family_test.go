// SPDX-License-Identifier: ISC

package main

import (
	"regexp"
	"testing"

	"quill/internal/logindoor/logindoortest"
)

func TestMain(m *testing.M) { logindoortest.Main(m, main) }

// stamps is a greeting's timestamp, wherever it is shown.
var stamps = regexp.MustCompile(`<\d+\.\d+@`)

// converse is logindoortest.Talk with the timestamp masked.
func converse(t *testing.T, env []string, in string, args ...string) (out string, code int) {
	t.Helper()
	out, code = logindoortest.Talk(t, env, in, args...)
	return stamps.ReplaceAllString(out, "<STAMP@"), code
}

// TestFamily is recorded sessions of qmail-popup, in its words and with its
// timestamp (control/popclassic, control/apop). Where ours differ
// docs/compat.md says so: the exit code is the session's, and a refused client
// may try again.
func TestFamily(t *testing.T) {
	h := logindoortest.Home(t, "popclassic", "apop")
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
		if got, code := converse(t, []string{"QMAILHOME=" + h}, c.in, "pop3.testingsmtp.org", logindoortest.Checker(t, c.then)); got != c.want || code != c.code {
			t.Errorf("%s: exit %d, said %q; want %d, %q", c.name, code, got, c.code, c.want)
		}
	}
}

// TestChain: what comes after checkpassword has the connection, and every byte
// of the client's after the login; popup's exit code is then that of the chain.
func TestChain(t *testing.T) {
	got, code := converse(t, []string{"QMAILHOME=" + logindoortest.Home(t)}, "USER u\nPASS p\nSTAT\nQUIT\n", "h", logindoortest.Checker(t, `exec "$@"`), "sh", "-c", "exec 3<&-; cat")
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
		got, code := converse(t, []string{"QMAILHOME=" + logindoortest.Home(t)}, "USER u\nPASS p\nQUIT\n", "h", logindoortest.Checker(t, then))
		if want := "+OK\n+OK \nu~p~~\n" + want; got != want || code != 111 {
			t.Errorf("checkpassword that does %q: exit %d, said %q; want 111, %q", then, code, got, want)
		}
	}
	if got, _ := converse(t, []string{"QMAILHOME=" + logindoortest.Home(t)}, "USER u\nPASS p\nQUIT\n", "h", "/nonexistent/checkpassword"); got != "+OK\n+OK \n"+temporary {
		t.Errorf("no checkpassword: said %q; want %q", got, temporary)
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

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"h"}} {
		if got, code := converse(t, nil, "QUIT\n", args...); got != "" || code != 100 {
			t.Errorf("popup %q: exit %d, said %q; want 100", args, code, got)
		}
	}
}
