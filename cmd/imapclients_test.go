// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIMAPClients: the IMAP clients of Debian's users do their daily work: what
// each does is in docs/imap-clients.md. Each has a user of its own, is tapped,
// and is looked at from both sides. Those that are quick visit both shapes.
func TestIMAPClients(t *testing.T) {
	t.Parallel() // it waits, mostly
	clients := []struct {
		name  string
		quick bool
		test  func(t *testing.T, u *mailUser)
	}{
		{"curl", true, curlIMAP},
		{"fetchmail", true, fetchmailIMAP},
		{"getmail", false, getmailIMAP},
		{"imapfilter", true, imapfilterIMAP},
		{"mbsync", false, mbsyncIMAP},
		{"offlineimap", false, offlineimapIMAP},
		{"neomutt", true, neomuttIMAP},
		{"alpine", false, alpineIMAP},
		{"aerc", true, aercIMAP},
	}
	for _, shape := range []string{"resident", "spawned"} {
		t.Run(shape, func(t *testing.T) {
			s := startIMAP(t, shape == "spawned")
			for user, c := range clients {
				if c.quick || shape == "resident" {
					t.Run(c.name, func(t *testing.T) { c.test(t, s.enter(t, user)) })
				}
			}
		})
	}
}

// mailUser is one client's user at a server.
type mailUser struct {
	*imapServer
	*tap
	n    int    // its number
	name string // its address
	home string // the client's
}

func (s *imapServer) enter(t *testing.T, n int) *mailUser {
	return &mailUser{s, s.tap(t), n, imapUser(n), t.TempDir()}
}

// file writes one of the client's files.
func (u *mailUser) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(u.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	text = strings.NewReplacer("@HOME@", u.home, "@HOST@", u.host, "@PORT@", u.port, "@USER@", u.name, "@PASS@", imapPassword).Replace(text)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// client is a command with the client's home.
func (u *mailUser) client(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = u.home
	cmd.Env = append(os.Environ(), "HOME="+u.home, "XDG_CONFIG_HOME="+u.home+"/.config", "LC_ALL=C", "FETCHMAILHOME="+u.home, "MAILRC=/dev/null", "MAIL=/dev/null")
	cmd.WaitDelay = 5 * time.Second
	if name == "getmail" && os.Getuid() == 0 { // it delivers no mail as root
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return cmd
}

// run runs the client, which must end with code within five minutes (a machine
// may be busy, and 4,000 mails synced one by one), and gives what it printed.
func (u *mailUser) run(t *testing.T, code int, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := u.client(ctx, name, args...).CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s does not end within five minutes\n%s", name, out)
	}
	if got := exitCode(err); got != code {
		t.Fatalf("%s %s: exit %d; want %d\n%s", name, strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

// exitCode is a command's, or -1 where it has none.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return -1
}

func curlIMAP(t *testing.T, u *mailUser) {
	u.deliver(t, u.n, 1, 3)
	url := "imap://" + u.host + ":" + u.port + "/"
	curl := func(code int, args ...string) string {
		return u.run(t, code, "curl", append([]string{"-sS", "--max-time", "20", "-u", u.name + ":" + imapPassword}, args...)...)
	}
	for _, c := range []struct {
		what string
		args []string
		want []string
	}{
		{"list", []string{url}, []string{"* LIST (", "INBOX"}},
		{"fetch", []string{url + "INBOX;MAILINDEX=2"}, []string{"\r\nSubject: mail ", "\r\n\r\nThe text of mail ", ".\r\nIts last line.\r\n"}},
		{"section", []string{url + "INBOX;UID=1;SECTION=HEADER.FIELDS%20(MESSAGE-ID)"}, []string{"Message-ID: <mail."}},
		{"search", []string{url + "INBOX?SUBJECT%20%22mail%203%22"}, []string{"* SEARCH "}},
		{"store", []string{"-X", `STORE 1 +FLAGS (\Flagged)`, url + "INBOX"}, []string{`\Flagged`}},
		{"append", []string{"-T", u.file(t, "letter", strings.ReplaceAll(letter("by curl"), "\n", "\r\n")), url + "INBOX"}, nil},
	} {
		out := curl(0, c.args...)
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("curl, %s: %q; want %q in it", c.what, out, w)
			}
		}
		if c.what == "section" && strings.Contains(out, "Subject:") {
			t.Errorf("curl fetched more than a section: %q", out)
		}
	}
	u.run(t, 67, "curl", "-sS", "--max-time", "20", "-u", u.name+":wrong", url)
	got := u.mails(t, u.n, "INBOX")
	if len(got) != 4 || !has(got, "by curl") || !strings.Contains(strings.Join([]string{got["mail 1"], got["mail 2"], got["mail 3"]}, " "), `\Flagged`) {
		t.Errorf("after curl the server has %q", got)
	}
	u.used(t, "AUTHENTICATE PLAIN", " LIST ", " SELECT INBOX", " SEARCH SUBJECT", " APPEND INBOX", " UID FETCH", " LOGOUT")
}

// fetchmailIMAP fetches once and leaves all on the server, sees nothing new,
// then fetches all and deletes it there.
func fetchmailIMAP(t *testing.T, u *mailUser) {
	u.deliver(t, u.n, 1, 20)
	text := "poll @HOST@ port @PORT@ protocol imap user \"@USER@\" password \"@PASS@\" sslproto \"\" mda \"cat >>@HOME@/got\" "
	args := []string{"--pidfile", filepath.Join(u.home, "pid"), "-i", filepath.Join(u.home, "ids"), "-f"}
	got := func() int {
		b, _ := os.ReadFile(filepath.Join(u.home, "got"))
		return strings.Count(string(b), "\nThe text of mail ")
	}
	keep := u.file(t, "keep", text+"keep\n")
	u.run(t, 0, "fetchmail", append(args, keep)...)
	if n := got(); n != 20 {
		t.Errorf("fetchmail, keep: %d mails; want 20", n)
	}
	u.wantMails(t, u.n, "INBOX", numbered(1, 20, `\Seen`))
	u.run(t, 1, "fetchmail", append(args, keep)...) // 1: no mail
	if n := got(); n != 20 {
		t.Errorf("fetchmail, keep, again: %d mails; want 20", n)
	}
	u.run(t, 0, "fetchmail", append(args, u.file(t, "flush", text+"nokeep fetchall\n"))...)
	if n := got(); n != 40 {
		t.Errorf("fetchmail, nokeep: %d mails; want 40", n)
	}
	u.wantMails(t, u.n, "INBOX", numbered(1, 0, ""))
	u.used(t, "SEARCH UNSEEN", "RFC822.SIZE", "RFC822.HEADER", "BODY.PEEK[TEXT]", "STORE", "EXPUNGE")
}

// getmailIMAP fetches all, nothing a second time, and what came since a third.
func getmailIMAP(t *testing.T, u *mailUser) {
	u.deliver(t, u.n, 1, 20)
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(u.home, "box", d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	rc := u.file(t, "getmailrc", "[retriever]\ntype = SimpleIMAPRetriever\nserver = @HOST@\nport = @PORT@\nusername = @USER@\npassword = @PASS@\nmailboxes = (\"INBOX\",)\ntimeout = 10\n"+
		"[destination]\ntype = Maildir\npath = @HOME@/box/\n[options]\nread_all = false\ndelete = false\n")
	if os.Getuid() == 0 {
		open(t, u.home)
		run(t, "", "chown", "-R", "65534:65534", u.home)
	}
	get := func(want, fetched int) {
		t.Helper()
		before, excused := len(u.said.String()), 0
		for out := ""; ; excused++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			b, err := u.client(ctx, "getmail", "--getmaildir="+u.home, "--rcfile="+rc).CombinedOutput()
			cancel()
			if out = string(b); err == nil {
				break
			}
			// It misses the end of a child that is faster than itself, and gives up
			// after having delivered a mail that it then fetches again.
			if !strings.Contains(out, "waiting child pid") || excused == 20 {
				t.Fatalf("getmail: %v\n%s", err, out)
			}
		}
		got := make(map[string]bool)
		files, _ := filepath.Glob(u.home + "/box/new/*")
		for _, f := range files {
			b, _ := os.ReadFile(f)
			got[subject.FindString(string(b))] = true
		}
		if len(got) != want {
			t.Errorf("getmail has %d mails; want %d", len(got), want)
		}
		if n := strings.Count(u.said.String()[before:], "BODY.PEEK[]"); n < fetched || n > fetched+excused {
			t.Errorf("getmail fetched %d mails; want %d", n, fetched)
		}
	}
	get(20, 20)
	get(20, 0)
	u.deliver(t, u.n, 21, 22)
	get(22, 2)
	if n := len(u.mails(t, u.n, "INBOX")); n != 22 {
		t.Errorf("after getmail the server has %d mails; want 22", n)
	}
	u.used(t, "UID FETCH", "RFC822.SIZE", "BODY.PEEK[]")
}

// imapfilterIMAP searches, marks, copies, moves and deletes.
func imapfilterIMAP(t *testing.T, u *mailUser) {
	u.deliver(t, u.n, 1, 20)
	rc := u.file(t, "config.lua", `options.timeout = 20
options.info = false
account = IMAP { server = "@HOST@", port = @PORT@, username = "@USER@", password = "@PASS@" }
account:create_mailbox("Kept")
account:create_mailbox("Moved")
print("found " .. #account.INBOX:contain_subject("mail 1"))
account.INBOX:contain_subject("mail 2"):mark_flagged()
account.INBOX:is_flagged():copy_messages(account.Kept)
account.INBOX:contain_subject("mail 11"):move_messages(account.Moved)
account.INBOX:contain_subject("mail 12"):delete_messages()
account.INBOX:contain_subject("mail 13"):mark_seen()
print("left " .. #account.INBOX:select_all())
`)
	out := u.run(t, 0, "imapfilter", "-c", rc)
	for _, w := range []string{"found 11\n", "left 18\n"} { // 1, 10 to 19
		if !strings.Contains(out, w) {
			t.Errorf("imapfilter printed %q; want %q", out, w)
		}
	}
	want := numbered(1, 20, "")
	delete(want, "mail 11")
	delete(want, "mail 12")
	want["mail 2"], want["mail 20"], want["mail 13"] = `\Flagged`, `\Flagged`, `\Seen`
	u.wantMails(t, u.n, "INBOX", want)
	u.wantMails(t, u.n, "Kept", map[string]string{"mail 2": `\Flagged`, "mail 20": `\Flagged`})
	u.wantMails(t, u.n, "Moved", numbered(11, 11, ""))
	u.used(t, "UID SEARCH", "UID STORE", "UID COPY", "CREATE", "NAMESPACE")
}
