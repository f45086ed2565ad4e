// SPDX-License-Identifier: ISC

//go:build peers

package index

import (
	"bufio"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/dovecottest"
	"quill/maildir"
)

// courierIMAPD is where .ci/run unpacks Debian's courier-imap, which cannot be
// installed beside dovecot-imapd.
const courierIMAPD = "/opt/courier-imap/usr/bin/imapd"

// startCourier starts Courier's imapd for the Maildir below dir as its owner. It
// needs no login where its other end is no network connection.
func startCourier(t *testing.T, dir string) *courier {
	t.Helper()
	home := filepath.Join(dir, "home")
	err := filepath.WalkDir(home, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, dovecottest.UID, dovecottest.UID)
	})
	if err != nil {
		t.Fatal(err)
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	near, far := os.NewFile(uintptr(ends[0]), "near"), os.NewFile(uintptr(ends[1]), "far")
	defer near.Close()
	defer far.Close()
	c := &courier{t: t, cmd: exec.Command(courierIMAPD, "./Maildir")}
	c.cmd.Dir = home
	c.cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + c.cmd.Dir, "IMAP_KEYWORDS=1", "IMAP_USELOCKS=1", "HOSTNAME=mx.example.org"}
	c.cmd.Stdin, c.cmd.Stdout = far, far
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: dovecottest.UID, Gid: dovecottest.UID}}
	if c.conn, err = net.FileConn(near); err != nil {
		t.Fatal(err)
	}
	c.conn.SetDeadline(time.Now().Add(2 * time.Minute))
	c.r = bufio.NewReader(c.conn)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	far.Close()
	if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* PREAUTH") {
		t.Fatalf("imapd says %q, %v", line, err)
	}
	return c
}

// courier is an imapd that runs, and the session with it.
type courier struct {
	t    *testing.T
	cmd  *exec.Cmd
	conn net.Conn
	r    *bufio.Reader
	tag  int
}

// stop ends it and waits.
func (c *courier) stop() {
	if c.cmd == nil {
		return
	}
	c.do("LOGOUT")
	c.conn.Close()
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("imapd: %v", err)
	}
	c.cmd = nil
}

// do gives a command, which must be done, and returns the untagged lines. Where
// the text goes on after a literal's length, that is waited for.
func (c *courier) do(format string, a ...any) (lines []string) {
	c.t.Helper()
	c.tag++
	tag := fmt.Sprintf("a%d ", c.tag)
	text := fmt.Sprintf(format, a...)
	head, literal, _ := strings.Cut(text, "}\r\n")
	if literal != "" {
		head += "}"
	}
	fmt.Fprintf(c.conn, "%s%s\r\n", tag, head)
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Errorf("%s: %v", head, err)
			return lines
		}
		switch rest, ok := strings.CutPrefix(line, tag); {
		case ok && !strings.HasPrefix(rest, "OK"):
			c.t.Errorf("%s: %s", head, rest)
			return lines
		case ok:
			return lines
		case strings.HasPrefix(line, "+"):
			fmt.Fprintf(c.conn, "%s\r\n", literal)
		default:
			lines = append(lines, strings.TrimSpace(line))
		}
	}
}

// name is a mailbox's name there.
func (c *courier) name(box string) string {
	if box == "INBOX" {
		return box
	}
	return "INBOX." + box
}

func (c *courier) put(box, flags string, n int) {
	c.t.Helper()
	text := fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", n, strings.Repeat("x", n))
	c.do("APPEND %s (%s) \"%2d-Jan-2020 10:00:00 +0100\" {%d}\r\n%s", c.name(box), flags, n, len(text), text)
}

var statusLine = regexp.MustCompile(`STATUS "[^"]*" \(UIDNEXT (\d+) UIDVALIDITY (\d+)\)`)

// folder is what an IMAP client sees: a line for each message.
func (c *courier) folder(box string) string {
	c.t.Helper()
	c.do("SELECT %s", c.name(box))
	lines := []string{box}
	for _, line := range c.do("STATUS %s (UIDNEXT UIDVALIDITY)", c.name(box)) {
		if m := statusLine.FindStringSubmatch(line); m != nil {
			lines[0] += " V" + m[2] + " N" + m[1]
		}
	}
	for _, line := range c.do("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)") {
		m := fetchLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		when, err := time.Parse("_2-Jan-2006 15:04:05 -0700", m[3])
		if err != nil {
			c.t.Fatal(err)
		}
		flags := slices.DeleteFunc(strings.Fields(m[2]), func(f string) bool { return f == `\Recent` })
		lines = append(lines, messageLine(m[1], flags, when, m[4]))
	}
	return strings.Join(lines, "\n")
}

func (c *courier) folders() map[string]string {
	seen := map[string]string{}
	for _, b := range peerBoxes {
		seen[b[0]] = c.folder(b[0])
	}
	return seen
}

// fill makes mail by IMAP and by delivery, and returns what is seen of it.
func (c *courier) fill(root string) map[string]string {
	for _, box := range []string{"Work", "Work.Sub", "Empty"} {
		c.do("CREATE INBOX.%s", box)
	}
	c.do("SUBSCRIBE INBOX.Work")
	for n, flags := range []string{`\Seen $Label1`, "", `\Flagged $Forwarded NonJunk`, `\Draft \Answered`, "$Label1 $MDNSent", `\Deleted`} {
		c.put("INBOX", flags, n+1)
		c.put("Work.Sub", flags, n+7)
	}
	c.do("SELECT INBOX")
	c.do("UID STORE 2 +FLAGS (NonJunk \\Seen)")
	c.do("UID STORE 5 -FLAGS ($Label1)")
	c.do("EXPUNGE")
	c.do("COPY 1:2 INBOX.Work")
	for _, name := range []string{"1700000000.P1.mx", "1700000001.P1.mx"} {
		drop(c.t, root, "new/"+name)
		if err := os.Chown(filepath.Join(root, "new", name), dovecottest.UID, dovecottest.UID); err != nil {
			c.t.Fatal(err)
		}
	}
	c.do("NOOP")
	c.do("SELECT INBOX.Work")
	c.do("SELECT INBOX")
	c.do("UID STORE 7 +FLAGS (\\Deleted)")
	c.do("EXPUNGE")
	return c.folders()
}

// TestCourierAndBack: what Courier kept is ours with the same UIDVALIDITY, UIDs,
// flags, keywords, dates and sizes; and Courier's again after an export; and ours
// once more.
func TestCourierAndBack(t *testing.T) {
	dir, err := os.MkdirTemp("", "courier")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the mail's owner is another
		t.Fatal(err)
	}
	root := filepath.Join(dir, "home", "Maildir")
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := maildir.Make(root); err != nil {
		t.Fatal(err)
	}
	c := startCourier(t, dir)
	seen := c.fill(root)
	c.stop()

	want := giveBack(t, root, seen, ExportCourier)

	c = startCourier(t, dir)
	for _, b := range peerBoxes {
		same(t, "given back", c.folder(b[0]), want[b[0]])
	}
	got := slices.DeleteFunc(c.do("LSUB \"\" *"), func(line string) bool { return strings.Contains(line, `\Noselect`) })
	if len(got) != 1 || !strings.HasSuffix(got[0], ` "INBOX.Work"`) {
		t.Errorf("subscriptions after the export: %q; want Work", got)
	}
	c.do("SELECT INBOX")
	c.do("UID STORE 1:* -FLAGS ($Forwarded \\Flagged)")
	c.do("UID STORE 1 +FLAGS (Late)")
	c.put("INBOX", "Later", 20)
	seen = c.folders()
	c.stop()
	takeAgain(t, root, seen)
}
