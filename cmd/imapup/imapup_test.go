// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/login"
	"quill/internal/logindoor/logindoortest"
)

// TestMain also plays the program itself and, behind it, a resident
// checkpassword and session in one.
func TestMain(m *testing.M) {
	logindoortest.Main(m, func() {
		if len(os.Args) == 2 && os.Args[1] == "session" {
			os.Exit(chain.Serve(os.Args, session))
		}
		main()
	})
}

// session takes the password sesame, and answers its login's tag with what it
// knows.
func session(s *chain.Session) int {
	if s.Env.Value("CHECKPASS") != "sesame" || s.Stream == nil {
		return 1
	}
	s.Report(chain.StatusAccepted, "")
	ahead := string(s.Ahead)
	for !strings.HasSuffix(ahead, "\r\n") {
		b := make([]byte, 100)
		n, err := s.Stream.Read(b)
		if err != nil {
			return 111
		}
		ahead += string(b[:n])
	}
	fmt.Fprintf(s.Stream, "%s OK %s %q %q\r\n", s.Env.Value(tagVariable), s.Env.Value("CHECKUSER"), s.Env.Value("TIMESTAMP"), ahead)
	return 7
}

const (
	offer = "[CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE AUTH=PLAIN AUTH=LOGIN] "
	hello = "* OK " + offer + "h ready\n"
)

// TestSpawned: descriptor 3 has what a checkpassword expects; what comes after
// it has the connection, every byte of the client's after the login, and the
// tag; the exit code is that of the chain.
func TestSpawned(t *testing.T) {
	env := []string{"QMAILHOME=" + logindoortest.Home(t), "IMAPTAG=of another time"}
	next := []string{"h", logindoortest.Checker(t, `exec "$@"`), "sh", "-c", `exec 3<&-; echo "$IMAPTAG OK"; cat; exit 0`}
	for in, want := range map[string]string{
		"a1 LOGIN u p\nb NOOP\nc LOGOUT\n":                             "u~p~~\na1 OK\nb NOOP\nc LOGOUT\n",
		"x NOOP\na]2 LOGIN {1}\nu {2+}\np \nb NOOP\n":                  "x OK NOOP completed\n+ go on\nu~p ~~\na]2 OK\nb NOOP\n",
		"a3 AUTHENTICATE PLAIN\nAHUAcA==\nb NOOP\n":                    "+ \nu~p~~\na3 OK\nb NOOP\n",
		"a4 AUTHENTICATE PLAIN AHUAcA==\nb NOOP\n":                     "u~p~~\na4 OK\nb NOOP\n",
		"a5 AUTHENTICATE LOGIN\ndQ==\ncA==\nb NOOP\n":                  "+ VXNlcm5hbWU6\n+ UGFzc3dvcmQ6\nu~p~~\na5 OK\nb NOOP\n",
		strings.Repeat("t", 128) + " LOGIN \"$(x)\" \"';`\"\nb NOOP\n": "$(x)~';`~~\n" + strings.Repeat("t", 128) + " OK\nb NOOP\n",
	} {
		if got, code := logindoortest.Talk(t, env, in, next...); got != hello+want || code != 0 {
			t.Errorf("%q: exit %d, said %q; want 0, %q", in, code, got, hello+want)
		}
	}
}

// TestVerdicts: what a login's exit code means.
func TestVerdicts(t *testing.T) {
	const in, asked, later = "a LOGIN u p\nz LOGOUT\n", "u~p~~\n", "a NO [UNAVAILABLE] unable to check passwords now, please try later\n* BYE please try later\n"
	for then, c := range map[string]struct {
		want string
		code int
	}{
		"exit 0":     {"", 0},
		"exit 1":     {"a NO [AUTHENTICATIONFAILED] wrong user or password\n* BYE logging out\nz OK LOGOUT completed\n", 0},
		"exit 2":     {later, 111},
		"exit 100":   {later, 111},
		"exit 111":   {later, 111},
		"exit 127":   {later, 111},
		"kill -9 $$": {later, 111},
	} {
		env := []string{"QMAILHOME=" + logindoortest.Home(t)}
		if got, code := logindoortest.Talk(t, env, in, "h", logindoortest.Checker(t, then)); got != hello+asked+c.want || code != c.code {
			t.Errorf("checkpassword that does %q: exit %d, said %q; want %d, %q", then, code, got, c.code, hello+asked+c.want)
		}
	}
	if got, code := logindoortest.Talk(t, nil, in, "h", "/nonexistent/checkpassword"); got != hello+later || code != 111 {
		t.Errorf("no checkpassword: exit %d, said %q; want 111, %q", code, got, hello+later)
	}
}

// TestInsecure: from off loopback without TLS nobody is asked, unless the
// operator allows it.
func TestInsecure(t *testing.T) {
	const in = "a LOGIN u p\nz LOGOUT\n"
	next := []string{"h", logindoortest.Checker(t, "exit 0")}
	env := []string{"TCPREMOTEIP=10.1.2.3"}
	got, code := logindoortest.Talk(t, append(env, "QMAILHOME="+logindoortest.Home(t)), in, next...)
	want := strings.ReplaceAll(hello, "AUTH=PLAIN AUTH=LOGIN", "LOGINDISABLED") +
		"a NO [PRIVACYREQUIRED] login without TLS is not allowed from here\n* BYE logging out\nz OK LOGOUT completed\n"
	if got != want || code != 0 {
		t.Errorf("insecure: exit %d, said %q; want 0, %q", code, got, want)
	}
	if got, _ := logindoortest.Talk(t, append(env, "QMAILHOME="+logindoortest.Home(t, "plaintextlogin")), in, next...); got != hello+"u~p~~\n" {
		t.Errorf("with control/plaintextlogin: said %q; want %q", got, hello+"u~p~~\n")
	}
}

// TestResident: connections that come as packets, before a program of ours and
// before one of others. What the client has sent beyond its login goes on with
// it.
func TestResident(t *testing.T) {
	ours := []string{"/proc/self/exe", "session"}
	theirs := []string{logindoortest.Checker(t, `[ "$CHECKPASS" = "" ] || exit 111; exec 3<&-; read -r line; printf '%s OK %s\n' "$IMAPTAG" "$line"; exit 0`)}
	for _, c := range []struct {
		name     string
		rest     []string
		in, want string
		code     int
	}{
		{"ours", ours, "a NOOP\nb LOGIN u wrong\na2 LOGIN u sesame\nb SELECT INBOX\n",
			"a OK NOOP completed\nb NO [AUTHENTICATIONFAILED] wrong user or password\na2 OK u \"\" \"b SELECT INBOX\\r\\n\"\n", 7},
		{"ours, SASL", ours, "a3 AUTHENTICATE PLAIN\nAHUAc2VzYW1l\nb NOOP\n", "+ \na3 OK u \"\" \"b NOOP\\r\\n\"\n", 7},
		{"theirs", theirs, "a4 LOGIN u p\nb NOOP\n", "u~p~~\na4 OK b NOOP\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := chain.NextOptions{Env: []string{logindoortest.PlayVariable + "=1", "PATH=/usr/bin:/bin", "QMAILHOME=" + logindoortest.Home(t), "GORACE=atexit_sleep_ms=0"}}
			if os.Getuid() == 0 {
				opt.Cred = &syscall.Credential{Uid: 65534, Gid: 65534}
			}
			n := chain.NewNext(append([]string{"/proc/self/exe", "h"}, c.rest...), opt)
			defer n.Close()
			got, code := visit(t, n, strings.ReplaceAll(c.in, "\n", "\r\n"))
			if want := hello + c.want; got != want || code != c.code {
				t.Errorf("exit %d, said %q; want %d, %q", code, got, c.code, want)
			}
		})
	}
}

// visit is one client that says this at once: what it hears and how it ended.
func visit(t *testing.T, n *chain.Next, in string) (out string, code int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	client := os.NewFile(uintptr(pair[0]), "client")
	defer client.Close()
	if _, err := client.WriteString(in); err != nil {
		t.Fatal(err)
	}
	end := make(chan chain.Report, 1)
	n.Pass(&chain.Packet{Env: []string{"TCPREMOTEIP=127.0.0.1"}, Conn: pair[1], Control: -1, Data: -1}, func(r chain.Report) {
		if r.Final() {
			end <- r
		}
	})
	unix.Close(pair[1])
	var said strings.Builder
	for lines := bufio.NewScanner(client); lines.Scan(); {
		said.WriteString(strings.TrimSuffix(lines.Text(), "\r") + "\n")
	}
	return said.String(), (<-end).ExitCode()
}

// TestEnding: at the end of the service a client that has not logged in is told,
// long before its time is up.
func TestEnding(t *testing.T) {
	start := time.Now()
	opt := chain.NextOptions{Env: []string{logindoortest.PlayVariable + "=1", "PATH=/usr/bin:/bin", "QMAILHOME=" + logindoortest.Home(t), "GORACE=atexit_sleep_ms=0"}}
	if os.Getuid() == 0 {
		opt.Cred = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	n := chain.NewNext([]string{"/proc/self/exe", "h", "/proc/self/exe", "session"}, opt)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	client := os.NewFile(uintptr(pair[0]), "client")
	defer client.Close()
	end := make(chan chain.Report, 1)
	n.Pass(&chain.Packet{Env: []string{"TCPREMOTEIP=127.0.0.1"}, Conn: pair[1], Control: -1, Data: -1}, func(r chain.Report) { end <- r })
	unix.Close(pair[1])
	in := bufio.NewReader(client)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* OK ") {
		t.Fatalf("greeted with %q, %v", line, err)
	}
	n.Close()
	said, err := io.ReadAll(in)
	if r := <-end; err != nil || string(said) != "* BYE time is up\r\n" || r.ExitCode() != 111 {
		t.Errorf("said %q, %v, exit code %d; want a BYE and 111", said, err, r.ExitCode())
	}
	if took := time.Since(start); took > login.Time/2 {
		t.Errorf("it took %v", took)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"h"}} {
		if got, code := logindoortest.Talk(t, nil, "a LOGOUT\n", args...); got != "" || code != 100 {
			t.Errorf("imapup %q: exit %d, said %q; want 100", args, code, got)
		}
	}
}
