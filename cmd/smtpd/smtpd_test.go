// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/cdb"
	"quill/internal/control"
	"quill/internal/smtp"
	"quill/internal/ucspi"
	"quill/internal/users"
)

// replies is the last lines of the replies to a session's commands, without the
// greeting and those to HELO and QUIT.
func replies(t *testing.T, env []string, commands ...string) []string {
	t.Helper()
	out, code := serve(t, env, "HELO h\r\n"+strings.Join(commands, "\r\n")+"\r\nQUIT\r\n")
	all := strings.Split(strings.TrimSuffix(masked(out), "\r\n"), "\r\n")
	if code != 0 || len(all) != len(commands)+3 {
		t.Fatalf("session %q: exit %d, said %q", commands, code, all)
	}
	return all[2 : len(all)-1]
}

// TestRecipients: whose mail is taken, from whom.
func TestRecipients(t *testing.T) {
	h := home(t, map[string]string{"rcpthosts": "testingsmtp.org\n.below.example\n", "badmailfrom": "Spam@bad.example\n@worse.example\n", "localiphost": "testingsmtp.org\n"})
	morehosts(t, h, "more.example", ".parts.example")
	if err := os.WriteFile(filepath.Join(h, "users/assign"), []byte("=joe:joe:1000:1000:/home/joe:::\n+joe-:joe:1000:1000:/home/joe:-::\n.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := users.NewStore(h).Compile(); err != nil {
		t.Fatal(err)
	}
	qq := keeper(t)
	base := []string{"QMAILHOME=" + h, "QMAILQUEUE=" + qq, "TCPREMOTEIP=10.1.2.3", "TCPLOCALIP=10.0.0.1", "TCPLOCALHOST=mail.testingsmtp.org"}
	const (
		ok      = "250 2.1.5 ok"
		unknown = "550 5.1.1 no mailbox here by that name"
		relay   = "550 5.7.1 relaying is not permitted"
		bad     = "553 5.7.1 your envelope sender is in my badmailfrom list"
		literal = "550 5.1.2 mail to address literals is not accepted"
	)
	for _, c := range []struct{ relay, from, to, want string }{
		{"-", "a@b", "joe@testingsmtp.org", ok},
		{"-", "a@b", "JOE@TestingSMTP.org", ok},
		{"-", "a@b", "joe-list@testingsmtp.org", ok},
		{"-", "a@b", "jane@testingsmtp.org", unknown},
		{"-", "a@b", "x@elsewhere.example", relay},
		{"-", "a@b", "x@a.below.example", ok},
		{"-", "a@b", "x@below.example", relay},
		{"-", "a@b", "x@more.example", ok},
		{"-", "a@b", "x@a.b.parts.example", ok},
		{"-", "a@b", "x@parts.example", relay},
		{"-", "a@b", "joe%elsewhere.example@testingsmtp.org", unknown},
		{"-", "spam@BAD.example", "joe@testingsmtp.org", bad},
		{"-", "other@bad.example", "joe@testingsmtp.org", ok},
		{"-", "any@worse.example", "joe@testingsmtp.org", bad},
		{"-", "", "joe@testingsmtp.org", ok},
		{"-", "a@b", "joe@[10.0.0.1]", ok},
		{"-", "a@b", "jane@[10.0.0.1]", unknown},
		{"-", "a@b", "joe@[10.0.0.2]", literal},
		{"", "a@b", "x@elsewhere.example", ok},
		{"", "a@b", "jane@testingsmtp.org", unknown},
		{"", "any@worse.example", "x@elsewhere.example", bad},
		{"@fix.me", "a@b", "x@elsewhere.example", ok},
	} {
		env := base
		if c.relay != "-" {
			env = append(env[:len(env):len(env)], "RELAYCLIENT="+c.relay)
		}
		if got := replies(t, env, "MAIL FROM:<"+c.from+">", "RCPT TO:<"+c.to+">")[1]; got != c.want {
			t.Errorf("RELAYCLIENT %s, from <%s> to <%s>: %s; want %s", c.relay, c.from, c.to, got, c.want)
		}
	}
}

// morehosts writes control/morercpthosts.cdb.
func morehosts(t *testing.T, home string, hosts ...string) {
	t.Helper()
	f, err := os.Create(filepath.Join(home, "control/morercpthosts.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := cdb.NewWriter(f)
	for _, h := range hosts {
		if err := w.Put([]byte(h), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
}

// TestOurTrouble: what we cannot read is ours to mend: mail waits at its
// senders, and is neither refused nor taken unseen.
func TestOurTrouble(t *testing.T) {
	const later = "451 4.3.0 unable to check recipients, please try later"
	for _, name := range []string{"users/cdb", "control/morercpthosts.cdb"} {
		h := home(t, nil)
		morehosts(t, h, "more.example")
		if err := os.WriteFile(filepath.Join(h, name), []byte("cut short"), 0o644); err != nil {
			t.Fatal(err)
		}
		env := []string{"QMAILHOME=" + h, "QMAILQUEUE=/bin/false", "TCPREMOTEIP=10.1.2.3"}
		out, code := serve(t, env, "HELO h\r\nMAIL FROM:<a@b>\r\nRCPT TO:<joe@testingsmtp.org>\r\nRCPT TO:<x@more.example>\r\nQUIT\r\n")
		if strings.Contains(out, "\r\n5") || !strings.Contains(out, later) && !strings.Contains(out, "421 4.3.0 unable to read controls\r\n") {
			t.Errorf("%s cut short: exit %d, said %q; want a reply for now", name, code, out)
		}
	}
	for _, name := range []string{"me", "rcpthosts", "databytes"} {
		h := home(t, nil)
		os.Remove(filepath.Join(h, "control", name))
		if err := os.Mkdir(filepath.Join(h, "control", name), 0o755); err != nil {
			t.Fatal(err)
		}
		if out, code := serve(t, []string{"QMAILHOME=" + h}, "QUIT\r\n"); out != "421 4.3.0 unable to read controls\r\n" || code != 111 {
			t.Errorf("control/%s cannot be read: exit %d, said %q; want 421 and 111", name, code, out)
		}
	}
	h := home(t, nil)
	os.Remove(filepath.Join(h, "control/rcpthosts"))
	if got := replies(t, []string{"QMAILHOME=" + h, "TCPREMOTEIP=10.1.2.3"}, "MAIL FROM:<>", "RCPT TO:<joe@testingsmtp.org>")[1]; !strings.HasPrefix(got, "550 5.7.1") {
		t.Errorf("no control/rcpthosts: %s; want 550 5.7.1", got)
	}
}

// TestDataBytes: only the word unlimited lifts the limit.
func TestDataBytes(t *testing.T) {
	standard := smtp.Defaults().Size
	for _, c := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"10", 10, true}, {"0", standard, true}, {"unlimited", 0, true}, {"4611686018427387903", 4611686018427387903, true},
		{"", standard, false}, {"-1", standard, false}, {"10k", standard, false}, {"Unlimited", standard, false}, {"9223372036854775807", standard, false},
	} {
		if n, err := control.Bytes(c.in, standard); n != c.want || (err == nil) != c.ok {
			t.Errorf("Bytes(%q) = %d, %v; want %d", c.in, n, err, c.want)
		}
	}
	c := &config{limits: smtp.Defaults()}
	for env, want := range map[string]int64{"X=1": standard, "DATABYTES=7": 7, "DATABYTES=unlimited": 0, "DATABYTES=": standard} {
		if l, _ := c.limitsFor(ucspi.Env{}.With([]string{env})); l.Size != want {
			t.Errorf("limitsFor(%s) = %d; want %d", env, l.Size, want)
		}
	}
}

// TestVisible: what a client said ends no log line and has no escapes.
func TestVisible(t *testing.T) {
	if got, want := visible("a\r\nb\x1b[2J %s \xffé"), "a__b_[2J _s __"; got != want {
		t.Errorf("visible = %q; want %q", got, want)
	}
}

// TestControlFilesAreReadAnew: a second after they were changed they hold.
func TestControlFilesAreReadAnew(t *testing.T) {
	h := home(t, nil)
	s := newSettings(h)
	first, err := s.current()
	if err != nil || first.classic || first.greeting != "mail.testingsmtp.org" {
		t.Fatalf("current = %+v, %v", first, err)
	}
	for name, text := range map[string]string{"smtpclassic": "", "smtpgreeting": "Hello!\n", "timeoutsmtpd": "7\n", "databytes": "unlimited\n"} {
		if err := os.WriteFile(filepath.Join(h, "control", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if again, _ := s.current(); again != first {
		t.Error("control files are read anew within the second")
	}
	s.read = s.read.Add(-2 * fresh)
	c, err := s.current()
	if err != nil || !c.classic || c.greeting != "Hello!" || c.limits.Command.Seconds() != 7 || c.limits.Size != 0 || c.limits.Hops != 100 {
		t.Errorf("current after a second = %+v, %v", c, err)
	}
}
