// SPDX-License-Identifier: ISC

package logindoor

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"quill/internal/control"
	"quill/internal/login"
	"quill/internal/logindoor/logindoortest"
	"quill/internal/ucspi"
)

// TestVerdicts: what an exit code means.
func TestVerdicts(t *testing.T) {
	for code, want := range map[int]login.Verdict{0: login.Taken, 1: login.Refused, 2: login.Temporary, 100: login.Temporary, 111: login.Temporary, -1: login.Crashed} {
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
		h := logindoortest.Home(t)
		if c.allows {
			h = logindoortest.Home(t, "plaintextlogin")
		}
		if got := insecure(ucspi.Env{}.With(c.env), control.Open(h)); (got != "") != c.want {
			t.Errorf("insecure(%q, plaintextlogin %v) = %q", c.env, c.allows, got)
		}
	}
}

// TestSecrets: credentials are taken out of a packet's variables, so that no
// process of others has them in its environment.
func TestSecrets(t *testing.T) {
	var c login.Credentials
	rest := takeSecrets([]string{"A=1", "CHECKUSER=u=v", "CHECKPASS=", "TIMESTAMP=<1.2@h>", "CHECKUSERS=x"}, &c)
	if strings.Join(rest, " ") != "A=1 CHECKUSERS=x" || c != (login.Credentials{User: "u=v", Timestamp: "<1.2@h>"}) {
		t.Errorf("takeSecrets: rest %q, credentials %+v", rest, c)
	}
}

// TestParseLogin: the guard, who is root, believes its child no variable but
// those that it was written for.
func TestParseLogin(t *testing.T) {
	d := &Door{Vars: []string{"IMAPTAG"}}
	for in, want := range map[string][]string{
		"u\x00p\x00t\x00":                       {},
		"u\x00p\x00\x00IMAPTAG=a1\x00":          {"IMAPTAG=a1"},
		"u\x00p\x00\x00IMAPTAG=a=1\x00":         {"IMAPTAG=a=1"},
		"":                                      nil,
		"u\x00p\x00":                            nil,
		"u\x00p\x00t":                           nil,
		"u\x00p\x00\x00IMAPTAG=a1":              nil,
		"u\x00p\x00\x00IMAPTAG\x00":             nil,
		"u\x00p\x00\x00PATH=/tmp\x00":           nil,
		"u\x00p\x00\x00IMAPTAG=a\x00PATH=\x00":  nil,
		"u\x00p\x00\x00LD_PRELOAD=/tmp/x\x00":   nil,
		"u\x00p\x00\x00XIMAPTAG=/tmp/x\x00":     nil,
		"u\x00p\x00\x00IMAPTAG=a\x00\x00":       nil,
		"u\x00p\x00\x00=\x00":                   nil,
		"u\x00p\x00\x00IMAPTAG=a\x00IMAPTAG=\n": nil,
	} {
		c, vars, ok := d.parseLogin(in)
		if ok != (want != nil) || ok && (!slices.Equal(vars, want) || c.User != "u" || c.Secret != "p") {
			t.Errorf("parseLogin(%q) = %+v, %q, %v; want %q", in, c, vars, ok, want)
		}
	}
}

// TestGuard: a child asks the guard, which runs the rest of the chain as often
// as a client may try, and no more.
func TestGuard(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "guard"), os.NewFile(uintptr(pair[1]), "child")
	defer ours.Close()
	script := `[ "$(tr '\000' '~' <&3)" = 'u~p~~' ] || exit 3; [ "$IMAPTAG" = a1 ] || exit 4; exit 1`
	d := &Door{Prog: "door", Argv: []string{"sh", "-c", script}, Vars: []string{"IMAPTAG"}}
	done := make(chan struct{})
	go func() {
		d.logins(ours)
		ours.Close()
		close(done)
	}()
	c := login.Credentials{User: "u", Secret: "p"}
	for i := range login.MaxTries {
		want, vars := 1, []string{"IMAPTAG=a1"}
		if i == 1 {
			want, vars = 111, []string{"PATH=/tmp"}
		}
		if got := askGuard(theirs, c, vars); got != want {
			t.Errorf("login %d with %q: exit code %d; want %d", i, vars, got, want)
		}
	}
	<-done
	if got := askGuard(theirs, c, nil); got != 111 && got != -1 {
		t.Errorf("one login more: exit code %d; want none", got)
	}
	theirs.Close()
}
