// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestClients: the clients of Debian's users speak to a lab in both shapes:
// dig, swaks, curl, fetchmail, mpop.
func TestClients(t *testing.T) {
	shapes(t, func(t *testing.T, l *lab) {
		t.Run("dig", l.dig)
		t.Run("swaks", l.swaks)
		t.Run("curl", l.curl)
		t.Run("fetchmail", l.fetchmail)
		t.Run("mpop", l.mpop)
	})
}

// hostPort splits one of lab.env's addresses.
func (l *lab) hostPort(t *testing.T, service string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(l.env[service])
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

func (l *lab) dig(t *testing.T) {
	host, port := l.hostPort(t, "DNS")
	for _, over := range []string{"+notcp", "+tcp"} {
		for _, q := range []struct{ question, want string }{
			{"mail.testingsmtp.org A", "\t127.0.0.206\n"},
			{"testingsmtp.org MX", " mail.testingsmtp.org.\n"},
			{"-x 127.0.0.206", "PTR\tmail.testingsmtp.org.\n"},
			{"-x 127.0.0.1", "PTR\tlaptop.testingsmtp.org.\n"},
			{"mail.testingsmtp.org AAAA", "status: NOERROR"},
			{"nosuch.testingsmtp.org A", "status: NXDOMAIN"},
			{"www.elsewhere.example A", "status: REFUSED"},
		} {
			out := run(t, "", "dig", append([]string{"@" + host, "-p", port, "+tries=1", "+timeout=5", over}, strings.Fields(q.question)...)...)
			if !strings.Contains(out, q.want) {
				t.Errorf("dig %s %s lacks %q:\n%s", over, q.question, q.want, out)
			}
			if strings.Contains(q.question, "AAAA") && (!strings.Contains(out, "ANSWER: 0") || !strings.Contains(out, "\tSOA\t")) {
				t.Errorf("dig %s %s is not NODATA with a SOA:\n%s", over, q.question, out)
			}
		}
	}
}

func (l *lab) swaks(t *testing.T) {
	host, port := l.hostPort(t, "SMTP")
	base := []string{"--server", host, "--port", port, "--helo", "laptop.testingsmtp.org", "--from", netwatcher, "--suppress-data"}
	before, other := len(l.mails("sendmemail")), len(l.mails("netwatcher"))
	run(t, "", "swaks", append(base, "--to", sendmemail)...)
	run(t, "", "swaks", append(base, "--to", sendmemail+","+netwatcher)...)
	l.await("sendmemail", before+2)
	l.await("netwatcher", other+1)
	for to, want := range map[string]string{"nobody-here@testingsmtp.org": "550 5.1.1", "someone@elsewhere.example": "550 5.7.1"} {
		out := fails(t, 24, "", "swaks", append(base, "--to", to)...)
		if !strings.Contains(out, want) {
			t.Errorf("swaks --to %s lacks %q:\n%s", to, want, out)
		}
	}
}

func (l *lab) curl(t *testing.T) {
	l.send(t, netwatcher, "Subject: for curl\n\nx", netwatcher)
	l.await("netwatcher", 1)
	out := run(t, "", "curl", "-sS", "--max-time", "20", "-u", netwatcher+":lab", "pop3://"+l.env["POP3"]+"/1")
	if !strings.Contains(out, "Delivered-To: netwatcher@testingsmtp.org") {
		t.Errorf("curl fetched:\n%s", out)
	}
	fails(t, 67, "", "curl", "-sS", "--max-time", "20", "-u", netwatcher+":wrong", "pop3://"+l.env["POP3"]+"/1")
	inbox := "imap://" + l.env["IMAP"] + "/INBOX"
	if out := run(t, "", "curl", "-sS", "--max-time", "20", "-u", netwatcher+":lab", inbox+";MAILINDEX=1"); !strings.Contains(out, "Delivered-To: netwatcher@testingsmtp.org") {
		t.Errorf("curl fetched by IMAP:\n%s", out)
	}
	if out := run(t, "", "curl", "-sS", "--max-time", "20", "-u", netwatcher+":lab", inbox, "-X", "FETCH 1:* (FLAGS ENVELOPE)"); !strings.Contains(out, "* 1 FETCH (FLAGS (\\Seen") {
		t.Errorf("curl asked for flags after it read the mail:\n%s", out)
	}
	fails(t, 67, "", "curl", "-sS", "--max-time", "20", "-u", netwatcher+":wrong", inbox)
}

// fetchmail fetches all of sendmemail's mail into an MDA that keeps it.
func (l *lab) fetchmail(t *testing.T) {
	before := len(l.mails("sendmemail"))
	l.send(t, netwatcher, "Subject: for fetchmail\n\nx", sendmemail)
	waiting := len(l.await("sendmemail", before+1))
	dir := t.TempDir()
	host, port := l.hostPort(t, "POP3")
	rc := filepath.Join(dir, "fetchmailrc")
	text := "poll " + host + " port " + port + " protocol pop3 user \"" + sendmemail + "\" password \"lab\" keep fetchall sslproto \"\" mda \"cat >>" + filepath.Join(dir, "got") + "\"\n"
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("fetchmail", "-f", rc, "--pidfile", filepath.Join(dir, "pid"), "-i", filepath.Join(dir, "ids"), "-v")
	cmd.Env = append(os.Environ(), "HOME="+dir, "FETCHMAILHOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("fetchmail: %v\n%s", err, out)
	}
	got, _ := os.ReadFile(filepath.Join(dir, "got"))
	if n := strings.Count(string(got), "\nDelivered-To: "+sendmemail) + strings.Count(string(got), "\nReturn-Path: "); n < waiting {
		t.Errorf("fetchmail got %d of %d mails:\n%s", n, waiting, got)
	}
}

// mpop fetches all of sendmemail's mail into a Maildir, and deletes it.
func (l *lab) mpop(t *testing.T) {
	before := len(l.mails("sendmemail"))
	l.send(t, netwatcher, "Subject: for mpop\n\nx", sendmemail)
	waiting := len(l.await("sendmemail", before+1))
	dir := t.TempDir()
	host, port := l.hostPort(t, "POP3")
	box := filepath.Join(dir, "box")
	run(t, "", program("maildirmake"), box)
	rc := filepath.Join(dir, "mpoprc")
	text := "account lab\nhost " + host + "\nport " + port + "\nuser " + sendmemail + "\npassword lab\nauth user\ntls off\nkeep off\nuidls_file " + dir + "/uidls\ndelivery maildir " + box + "\n"
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "mpop", "-C", rc, "lab")
	files, _ := filepath.Glob(box + "/new/*")
	if len(files) != waiting || len(l.mails("sendmemail")) != 0 {
		t.Errorf("mpop got %d of %d mails, %d are left; want all and none", len(files), waiting, len(l.mails("sendmemail")))
	}
}
