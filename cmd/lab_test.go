// SPDX-License-Identifier: ISC

package cmd

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	netwatcher = "netwatcher@testingsmtp.org"
	sendmemail = "sendmemail@testingsmtp.org"
)

// shapes runs a test in both shapes of the network programs.
func shapes(t *testing.T, test func(t *testing.T, l *lab)) {
	for _, s := range []struct {
		name string
		args []string
	}{{"resident", nil}, {"spawned", []string{"--spawned"}}} {
		t.Run(s.name, func(t *testing.T) { test(t, startLab(t, s.args...)) })
	}
}

// TestLecture: one mail goes the lecture's way, in both shapes: accepted,
// delivered with its headers in order, fetched, deleted at QUIT only.
func TestLecture(t *testing.T) {
	shapes(t, func(t *testing.T, l *lab) {
		id := l.send(t, netwatcher, "Subject: hello\nFrom: netwatcher@testingsmtp.org\n\n.dot\nline", sendmemail)
		mail := l.await("sendmemail", 1)[0]
		checkHeaders(t, mail, id)
		l.fetch(t, "sendmemail", false)
		l.readByIMAP(t, "sendmemail", id)
		l.fetch(t, "sendmemail", true)
		if n := len(l.mails("sendmemail")); n != 0 {
			t.Errorf("after DELE and QUIT: %d mails; want 0", n)
		}
	})
}

// checkHeaders: what the programs add stands above what the laptop sent, last
// first, and carries the id.
func checkHeaders(t *testing.T, mail, id string) {
	t.Helper()
	for _, want := range []string{
		"Return-Path: <netwatcher@testingsmtp.org>\n",
		"Delivered-To: sendmemail@testingsmtp.org\n",
		"Received: (qmail " + id + " invoked from network); ",
		"Received: from laptop.testingsmtp.org (",
		"  by mail.testingsmtp.org with ",
		"Subject: hello\n",
		"\n\n.dot\nline\n",
	} {
		i := strings.Index(mail, want)
		if i < 0 {
			t.Fatalf("stored mail lacks %q in its place:\n%s", want, mail)
		}
		mail = mail[i:]
	}
}

// fetch plays a POP3 session with one mail waiting.
func (l *lab) fetch(t *testing.T, user string, delete bool) {
	t.Helper()
	c := l.dial(t, "POP3")
	c.hear()
	c.want("USER "+user+"@testingsmtp.org", "+OK")
	c.want("PASS wrong", "-ERR")
	c.want("USER "+user+"@testingsmtp.org", "+OK")
	c.want("PASS lab", "+OK")
	c.want("STAT", "+OK 1 ")
	c.want("RETR 1", "+OK")
	if body := strings.Join(c.body(), "\n"); !strings.HasSuffix(body, "\n..dot\nline") {
		t.Errorf("RETR: body ends in %q", body[max(0, len(body)-40):])
	}
	if delete {
		c.want("DELE 1", "+OK")
	}
	c.want("QUIT", "+OK")
}

// readByIMAP plays an IMAP session with one mail waiting, which POP3 has shown
// before; the flag it sets stands in the file's name.
func (l *lab) readByIMAP(t *testing.T, user, id string) {
	t.Helper()
	c := l.dial(t, "IMAP")
	if got := c.hear(); !strings.HasPrefix(got, "* OK ") || !strings.Contains(got, " imap.testingsmtp.org ") {
		t.Errorf("IMAP greets with %q", got)
	}
	c.want("a LOGIN "+user+"@testingsmtp.org wrong", "a NO [AUTHENTICATIONFAILED]")
	c.want("b LOGIN "+user+"@testingsmtp.org lab", "b OK")
	for _, s := range []struct{ command, want string }{
		{"c SELECT INBOX", "* 1 EXISTS\n"}, {"d FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]", "\nSubject: hello\n"}, {"e FETCH 1 BODY.PEEK[1]", " {12}\n.dot\nline\n"},
		{"f STORE 1 +FLAGS (\\Flagged)", "\\Flagged"}, {"g LOGOUT", "* BYE"},
	} {
		if got := c.tagged(s.command); !strings.Contains(got, s.want) || !strings.Contains(got, s.command[:1]+" OK") {
			t.Errorf("%s -> %q; want %q", s.command, got, s.want)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(l.dir, "mail/testingsmtp.org", user, "Maildir/cur/*Q"+id+"R0.*:2,F")); len(files) != 1 {
		t.Errorf("%d files of message %s with the flag F; want 1", len(files), id)
	}
}

// tagged says an IMAP command and gives all lines up to the one with its tag.
func (c *talk) tagged(command string) string {
	c.t.Helper()
	tag, _, _ := strings.Cut(command, " ")
	said := c.say(command) + "\n"
	for line := said; !strings.HasPrefix(line, tag+" "); said += line {
		line = c.hear() + "\n"
	}
	return said
}

// TestRefusals: unknown users and relaying are refused at RCPT; postmaster is
// known; two recipients get one mail each.
func TestRefusals(t *testing.T) {
	shapes(t, func(t *testing.T, l *lab) {
		c := l.dial(t, "SMTP")
		c.hear()
		c.want("EHLO laptop.testingsmtp.org", "250")
		c.want("MAIL FROM:<netwatcher@testingsmtp.org>", "250 2.1.0")
		c.want("RCPT TO:<nobody-here@testingsmtp.org>", "550 5.1.1")
		c.want("RCPT TO:<someone@elsewhere.example>", "550 5.7.1")
		c.want("RCPT TO:<postmaster>", "250 2.1.5")
		c.want("DATA", "354")
		c.want("Subject: to the postmaster\r\n\r\nx\r\n.", "250 2.0.0")
		l.await("netwatcher", 1)
		l.send(t, netwatcher, "Subject: two\n\nx", sendmemail, netwatcher)
		l.await("sendmemail", 1)
		l.await("netwatcher", 2)
	})
}

// TestDemo: `quill lab --demo` plays the lecture by itself and ends with 0, in
// both shapes, and again in a folder that has mail already.
func TestDemo(t *testing.T) {
	checkDemo(t, "1")
	dir := filepath.Join(t.TempDir(), "lab")
	open(t, filepath.Dir(dir))
	checkDemo(t, "1", "--spawned", dir)
	checkDemo(t, "2", dir)
}

// checkDemo plays the demo, whose mail is to be this one of the mailbox.
func checkDemo(t *testing.T, mail string, args ...string) {
	t.Helper()
	out, err := exec.Command(program("quill"), append([]string{"lab", "--demo"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("quill lab --demo %q: %v\n%s", args, err, out)
	}
	for _, want := range []string{"PTR 1.0.0.127.in-addr.arpa?   the server asks DNS who is calling", "220 Welcome! Please send your message! ESMTP", "EHLO laptop.testingsmtp.org", "+OK", "RETR 1", "Delivered-To: sendmemail@testingsmtp.org",
		"C: A imap.testingsmtp.org?", "C: a2 SELECT INBOX", "BODY.PEEK[HEADER])", "C: a4 FETCH " + mail + " BODY[1]", "C: a6 IDLE", "C: b3 FETCH " + mail + " FLAGS\n  S: * " + mail + " FETCH (FLAGS (\\Seen \\Flagged))",
		"told:\n  S: * " + mail + " FETCH (FLAGS (\\Seen \\Answered \\Flagged))", " EXISTS\n  C: DONE\n", " EXPUNGE\n", "S: a9 OK", "done: one mail went the lecture's way"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not show %q:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "\x1b[") {
		t.Error("the demo colours its text though it does not write to a terminal")
	}
}

// TestTrace: `quill trace ID` tells a message's way by the id of the 250 reply.
func TestTrace(t *testing.T) {
	l := startLab(t)
	id := l.send(t, netwatcher, "Subject: trace me\n\nx", sendmemail)
	l.await("sendmemail", 1)
	var out []byte
	for end := time.Now().Add(20 * time.Second); !strings.Contains(string(out), "end msg "+id); time.Sleep(50 * time.Millisecond) {
		cmd := exec.Command(program("quill"), "trace", id)
		cmd.Env = append(cmd.Environ(), "QMAILHOME="+l.dir)
		var err error
		if out, err = cmd.CombinedOutput(); err != nil || time.Now().After(end) {
			t.Fatalf("quill trace %s: %v; the way has no end after 20 s:\n%s", id, err, out)
		}
	}
	for _, want := range []string{id, sendmemail, "success"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("trace lacks %q:\n%s", want, out)
		}
	}
}

// TestResume: a running lab is refused a second time; a stopped one is resumed
// with its ports and its mail.
func TestResume(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	open(t, filepath.Dir(dir))
	ports := make([]map[string]string, 2)
	for i := range ports {
		t.Run(fmt.Sprint("start ", i+1), func(t *testing.T) {
			l := resumeLab(t, dir)
			ports[i] = l.env
			l.send(t, netwatcher, "Subject: stays\n\nx", sendmemail)
			l.await("sendmemail", i+1)
			out, err := exec.Command(program("quill"), "lab", dir).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "running") {
				t.Errorf("a second lab in the folder of a running one: %v\n%s", err, out)
			}
		})
	}
	if !maps.Equal(ports[0], ports[1]) {
		t.Errorf("ports before and after: %v, %v; want the same", ports[0], ports[1])
	}
}
