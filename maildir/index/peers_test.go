// SPDX-License-Identifier: ISC

//go:build peers

package index

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"quill/internal/dovecottest"
	"quill/maildir"
)

// dovecot is one that runs, and a session with it.
type dovecot struct {
	t    *testing.T
	s    *dovecottest.Server
	conn net.Conn
	r    *bufio.Reader
	tag  int
}

func startDovecot(t *testing.T, dir string) *dovecot {
	t.Helper()
	d := &dovecot{t: t, s: dovecottest.Start(t, dir)}
	var err error
	if d.conn, err = net.Dial("tcp", d.s.Addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.conn.Close() })
	d.conn.SetDeadline(time.Now().Add(2 * time.Minute))
	d.r = bufio.NewReader(d.conn)
	d.r.ReadString('\n')
	d.do("LOGIN u %s", dovecottest.Password)
	return d
}

// stop ends it and waits. It must have had no cause to complain.
func (d *dovecot) stop() {
	d.do("LOGOUT")
	d.conn.Close()
	d.s.Stop()
	log := strings.ReplaceAll(d.s.Log(), "master: Warning: Killed", "") // by us
	if strings.Contains(log, "Error: ") || strings.Contains(log, "Warning: ") {
		d.t.Errorf("dovecot's log:\n%s", log)
	}
}

// do gives a command, which must be done, and returns the untagged lines.
func (d *dovecot) do(format string, a ...any) (lines []string) {
	d.t.Helper()
	d.tag++
	tag := fmt.Sprintf("a%d ", d.tag)
	text := fmt.Sprintf(format, a...)
	fmt.Fprintf(d.conn, "%s%s\r\n", tag, text)
	for {
		line, err := d.r.ReadString('\n')
		if err != nil {
			d.t.Errorf("%s: %v", text, err)
			return lines
		}
		if rest, ok := strings.CutPrefix(line, tag); ok {
			if !strings.HasPrefix(rest, "OK") {
				d.t.Errorf("%s: %s", text, rest)
			}
			return lines
		}
		lines = append(lines, strings.TrimSpace(line))
	}
}

func (d *dovecot) put(box, flags string, n int) {
	d.t.Helper()
	text := fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", n, strings.Repeat("x", n))
	d.do("APPEND %s (%s) \"%d-Jan-2020 10:00:00 +0100\" {%d+}\r\n%s", box, flags, n, len(text), text)
}

var (
	fetchLine = regexp.MustCompile(`FETCH \(UID (\d+) FLAGS \(([^)]*)\) INTERNALDATE "([^"]*)" RFC822.SIZE (\d+)\)`)
	codeLine  = regexp.MustCompile(`\[(UIDVALIDITY|UIDNEXT) (\d+)\]`)
)

// folder is what an IMAP client sees: a line for each message.
func (d *dovecot) folder(box string) string {
	d.t.Helper()
	out := map[string]string{}
	for _, line := range d.do("SELECT %s", box) {
		if m := codeLine.FindStringSubmatch(line); m != nil {
			out[m[1]] = m[2]
		}
	}
	lines := []string{box + " V" + out["UIDVALIDITY"] + " N" + out["UIDNEXT"]}
	for _, line := range d.do("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)") {
		m := fetchLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		when, err := time.Parse("_2-Jan-2006 15:04:05 -0700", m[3])
		if err != nil {
			d.t.Fatal(err)
		}
		flags := slices.DeleteFunc(strings.Fields(m[2]), func(f string) bool { return f == `\Recent` })
		lines = append(lines, messageLine(m[1], flags, when, m[4]))
	}
	return strings.Join(lines, "\n")
}

func messageLine(uid any, flags []string, when time.Time, size any) string {
	slices.Sort(flags)
	return fmt.Sprintf("%v %v %d %v", uid, flags, when.Unix(), size)
}

// ours is the same of our index.
func ours(t *testing.T, box string, x *Index) string {
	t.Helper()
	if err := x.Measure(); err != nil {
		t.Fatal(err)
	}
	v := x.View()
	defer v.Close()
	lines := []string{fmt.Sprintf("%s V%d N%d", box, v.UIDValidity(), v.UIDNext())}
	for i := 1; i <= v.Len(); i++ {
		m := v.Message(i)
		var flags []string
		for n, name := range []string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, forwarded} {
			if m.Flags&(1<<n) != 0 {
				flags = append(flags, name)
			}
		}
		for n, name := range v.Keywords() {
			if m.Keywords&(1<<n) != 0 {
				flags = append(flags, name)
			}
		}
		lines = append(lines, messageLine(m.UID, flags, m.InternalDate(), m.Wire))
	}
	return strings.Join(lines, "\n")
}

// peerBoxes is IMAP names and folders.
var peerBoxes = [][2]string{{"INBOX", "."}, {"Work", ".Work"}, {"Work.Sub", ".Work.Sub"}, {"Empty", ".Empty"}}

// visit opens the index of each folder of the Maildir.
func visit(t *testing.T, root string, f func(box, dir string, m *maildir.Maildir, opt Options)) {
	t.Helper()
	top := openBox(t, root)
	for _, b := range peerBoxes {
		dir := filepath.Join(root, b[1])
		f(b[0], dir, openBox(t, dir), Options{Root: top})
	}
}

// TestDovecotAndBack: what Dovecot kept is ours with the same UIDVALIDITY, UIDs,
// flags, keywords, dates and sizes; and Dovecot's again after an export; and ours
// once more.
func TestDovecotAndBack(t *testing.T) {
	dir, err := os.MkdirTemp("", "dovecot") // a socket's path has few bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "mail", "u", "Maildir")
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(root, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d := startDovecot(t, dir)
	seen := fillDovecot(t, d, root)
	d.stop()

	want := giveBack(t, root, seen, Export)

	d = startDovecot(t, dir)
	for _, b := range peerBoxes {
		same(t, "given back", d.folder(b[0]), want[b[0]])
	}
	if got := d.do("LSUB \"\" *"); len(got) != 1 || !strings.HasSuffix(got[0], " Work") {
		t.Errorf("subscriptions after the export: %q; want Work", got)
	}
	d.do("SELECT INBOX")
	d.do("UID STORE 1:* -FLAGS ($Forwarded \\Flagged)")
	d.do("UID STORE 1 +FLAGS (Late)")
	d.put("INBOX", "Later", 20)
	seen = map[string]string{}
	for _, b := range peerBoxes {
		seen[b[0]] = d.folder(b[0])
	}
	d.stop()
	takeAgain(t, root, seen)
}

// giveBack takes each folder over, which is to be as it was seen, changes it and
// exports it; want is what it was then.
func giveBack(t *testing.T, root string, seen map[string]string, export func(*maildir.Maildir, Options) (Exported, error)) (want map[string]string) {
	t.Helper()
	want = map[string]string{}
	visit(t, root, func(box, sub string, m *maildir.Maildir, opt Options) {
		x := open(t, m, opt)
		same(t, "taken over", ours(t, box, x), seen[box])
		session(t, x, sub)
		want[box] = ours(t, box, x)
		x.Close()
		if done, err := export(m, opt); err != nil || len(done.Lost) > 0 {
			t.Fatalf("export of %s: %v, lost %q", box, err, done.Lost)
		}
	})
	return want
}

// takeAgain takes each folder over once more, which is to be as it was seen.
func takeAgain(t *testing.T, root string, seen map[string]string) {
	t.Helper()
	visit(t, root, func(box, _ string, m *maildir.Maildir, opt Options) {
		same(t, "taken over again", ours(t, box, open(t, m, opt)), seen[box])
	})
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

// fillDovecot makes mail by IMAP and by delivery, and returns what is seen of it.
func fillDovecot(t *testing.T, d *dovecot, root string) map[string]string {
	for _, box := range []string{"Work", "Work.Sub", "Empty"} {
		d.do("CREATE %s", box)
	}
	d.do("SUBSCRIBE Work")
	for n, flags := range []string{`\Seen $Label1`, "", `\Flagged $Forwarded NonJunk`, `\Draft \Answered`, "$Label1 $MDNSent", `\Deleted`} {
		d.put("INBOX", flags, n+1)
		d.put("Work.Sub", flags, n+7)
	}
	d.do("SELECT INBOX")
	d.do("UID STORE 2 +FLAGS (NonJunk \\Seen)")
	d.do("UID STORE 5 -FLAGS ($Label1)")
	d.do("EXPUNGE")
	d.do("COPY 1:2 Work")
	for _, name := range []string{"1700000000.P1.mx", "1700000001.P1.mx"} {
		drop(t, root, "new/"+name)
		if err := os.Chown(filepath.Join(root, "new", name), dovecottest.UID, dovecottest.UID); err != nil {
			t.Fatal(err)
		}
	}
	d.do("NOOP")
	d.do("SELECT Work")
	d.do("SELECT INBOX")
	d.do("UID STORE 7 +FLAGS (\\Deleted)")
	d.do("EXPUNGE")
	seen := map[string]string{}
	for _, b := range peerBoxes {
		seen[b[0]] = d.folder(b[0])
	}
	return seen
}

// session does what a session of ours does.
func session(t *testing.T, x *Index, dir string) {
	t.Helper()
	for _, st := range []struct {
		uids []UID
		Store
	}{
		{[]UID{1, 2}, Store{Op: Add, Flags: Flagged | Passed, Keywords: []string{"Ours", "$Label1"}}},
		{[]UID{3}, Store{Op: Remove, Flags: Passed, Keywords: []string{"NonJunk"}}},
		{[]UID{5}, Store{Op: Replace, Flags: Seen}},
	} {
		if _, err := x.Store(st.uids, st.Store); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Expunge([]UID{4}); err != nil {
		t.Fatal(err)
	}
	drop(t, dir, "new/1800000000.ours")
	attr := Attr{Flags: Seen, Keywords: []string{"Ours"}, Date: time.Unix(1600000000, 0)}
	if _, err := x.Adopt("1800000000.ours", attr); err != nil {
		t.Fatal(err)
	}
}
