// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maildirMails is what a client's own Maildir holds: subjects and their flags.
func maildirMails(t *testing.T, dir string) map[string]string {
	t.Helper()
	names := map[rune]string{'S': `\Seen`, 'F': `\Flagged`, 'R': `\Answered`, 'T': `\Deleted`, 'D': `\Draft`}
	out := make(map[string]string)
	files, _ := filepath.Glob(dir + "/[nc][eu][wr]/*")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := subject.FindStringSubmatch(string(b))
		if m == nil {
			t.Fatalf("%s has no subject", f)
		}
		if has(out, m[1]) {
			t.Errorf("%s holds %q twice", dir, m[1])
		}
		var flags []string
		_, letters, _ := strings.Cut(filepath.Base(f), ":2,")
		for _, l := range letters {
			flags = append(flags, names[l])
		}
		slices.Sort(flags)
		out[m[1]] = strings.Join(flags, " ")
	}
	return out
}

// mark gives the mail with a subject in a client's Maildir these flag letters.
func mark(t *testing.T, dir, sub, letters string) {
	t.Helper()
	file := findMail(t, dir, sub)
	name, _, _ := strings.Cut(filepath.Base(file), ":2,")
	if err := os.Rename(file, filepath.Join(dir, "cur", name+":2,"+letters)); err != nil {
		t.Fatal(err)
	}
}

func findMail(t *testing.T, dir, sub string) string {
	t.Helper()
	files, _ := filepath.Glob(dir + "/[nc][eu][wr]/*")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if m := subject.FindStringSubmatch(string(b)); m != nil && m[1] == sub {
			return f
		}
	}
	t.Fatalf("%s has no mail %q", dir, sub)
	return ""
}

// put writes mails "WORD FROM" to "WORD TO" into a client's Maildir.
func put(t *testing.T, dir, word string, from, to int) {
	t.Helper()
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := from; i <= to; i++ {
		name := filepath.Join(dir, "cur", fmt.Sprintf("1764237600.%s%d.laptop:2,S", word, i))
		if err := os.WriteFile(name, []byte(letter(fmt.Sprintf("%s %d", word, i))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// mbsyncIMAP carries 2,000 mails down and 2,000 up, then flags and expunges
// both ways; with nothing changed it copies nothing.
func mbsyncIMAP(t *testing.T, u *mailUser) {
	const many = 2000
	u.deliver(t, u.n, 1, many)
	rc := u.file(t, "mbsyncrc", "IMAPAccount a\nHost @HOST@\nPort @PORT@\nUser @USER@\nPass @PASS@\nSSLType None\nAuthMechs LOGIN\nTimeout 40\n\nIMAPStore far\nAccount a\n\n"+
		"MaildirStore near\nPath @HOME@/mail/\nInbox @HOME@/mail/INBOX\nSubFolders Verbatim\n\nChannel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nCopyArrivalDate yes\nSyncState *\n")
	inbox, bulk := filepath.Join(u.home, "mail/INBOX"), filepath.Join(u.home, "mail/Bulk")
	sync := func() { t.Helper(); u.run(t, 0, "mbsync", "-c", rc, "-a") }
	put(t, inbox, "x", 1, 0)
	put(t, bulk, "bulk", 1, many)
	sync()
	wantIn, wantBulk := numbered(1, many, ""), make(map[string]string)
	for i := 1; i <= many; i++ {
		wantBulk[fmt.Sprintf("bulk %d", i)] = `\Seen`
	}
	check := func(when string) {
		t.Helper()
		sameMails(t, when+": mbsync's INBOX", maildirMails(t, inbox), wantIn)
		sameMails(t, when+": mbsync's Bulk", maildirMails(t, bulk), wantBulk)
		u.wantMails(t, u.n, "INBOX", wantIn)
		u.wantMails(t, u.n, "Bulk", wantBulk)
	}
	check("first")
	idle := func(when string) {
		t.Helper()
		before := len(u.said.String())
		sync()
		said := u.said.String()[before:]
		for _, w := range []string{"APPEND", "BODY.PEEK[]", "STORE", "EXPUNGE"} {
			if strings.Contains(said, w) {
				t.Errorf("%s: with nothing changed mbsync said %s", when, w)
			}
		}
	}
	idle("second")
	mark(t, inbox, "mail 5", "F")
	mark(t, bulk, "bulk 7", "RS")
	for i := 10; i < 15; i++ {
		mark(t, inbox, fmt.Sprintf("mail %d", i), "T")
		delete(wantIn, fmt.Sprintf("mail %d", i))
	}
	c := u.login(t, u.n)
	c.do("SELECT INBOX")
	c.do(`UID STORE %s +FLAGS (\Answered)`, c.uid("mail 6"))
	c.do(`UID STORE %s +FLAGS (\Deleted)`, c.uid("mail 20"))
	c.do(`UID STORE %s +FLAGS (\Deleted)`, c.uid("mail 21"))
	c.do("EXPUNGE")
	c.do("SELECT Bulk")
	c.do(`UID STORE %s -FLAGS (\Seen)`, c.uid("bulk 8"))
	c.do("LOGOUT")
	delete(wantIn, "mail 20")
	delete(wantIn, "mail 21")
	wantIn["mail 5"], wantIn["mail 6"] = `\Flagged`, `\Answered`
	wantBulk["bulk 7"], wantBulk["bulk 8"] = `\Answered \Seen`, ""
	u.deliver(t, u.n, many+1, many+2)
	wantIn[fmt.Sprintf("mail %d", many+1)], wantIn[fmt.Sprintf("mail %d", many+2)] = "", ""
	sync()
	check("third")
	idle("fourth")
	u.used(t, "LIST", "SELECT", "UID FETCH", "BODY.PEEK[]", "APPEND", "UID STORE", "CREATE")
}

// offlineimapIMAP copies to a Maildir, and carries flags, deletions and new
// mails both ways.
func offlineimapIMAP(t *testing.T, u *mailUser) {
	u.deliver(t, u.n, 1, 50)
	rc := u.file(t, "offlineimaprc", "[general]\naccounts = a\nmetadata = @HOME@/meta\nsocktimeout = 30\n[Account a]\nlocalrepository = l\nremoterepository = r\n[Repository l]\ntype = Maildir\nlocalfolders = @HOME@/mail\n"+
		"[Repository r]\ntype = IMAP\nremotehost = @HOST@\nremoteport = @PORT@\nremoteuser = @USER@\nremotepass = @PASS@\nssl = no\nstarttls = no\n")
	inbox := filepath.Join(u.home, "mail/INBOX")
	sync := func() { t.Helper(); u.run(t, 0, "offlineimap", "-c", rc, "-u", "basic", "-1") }
	want := numbered(1, 50, "")
	check := func(when string) {
		t.Helper()
		sameMails(t, when+": offlineimap's INBOX", maildirMails(t, inbox), want)
		u.wantMails(t, u.n, "INBOX", want)
	}
	sync()
	check("first")
	mark(t, inbox, "mail 5", "FS")
	if err := os.Remove(findMail(t, inbox, "mail 7")); err != nil {
		t.Fatal(err)
	}
	put(t, inbox, "own", 1, 2)
	c := u.login(t, u.n)
	c.do("SELECT INBOX")
	c.do(`UID STORE %s +FLAGS (\Answered)`, c.uid("mail 6"))
	c.do(`UID STORE %s +FLAGS (\Deleted)`, c.uid("mail 20"))
	c.do("EXPUNGE")
	c.do("LOGOUT")
	u.deliver(t, u.n, 51, 51)
	want["mail 51"], want["mail 5"], want["mail 6"] = "", `\Flagged \Seen`, `\Answered`
	want["own 1"], want["own 2"] = `\Seen`, `\Seen`
	delete(want, "mail 7")
	delete(want, "mail 20")
	sync()
	check("second")
	before := len(u.said.String())
	sync()
	check("third")
	for _, w := range []string{"APPEND", "BODY.PEEK[]", "STORE", "EXPUNGE"} {
		if strings.Contains(u.said.String()[before:], w) {
			t.Errorf("with nothing changed offlineimap said %s", w)
		}
	}
	u.used(t, "INTERNALDATE", "BODY.PEEK[]", "APPEND", "UID STORE", "EXPUNGE")
}
