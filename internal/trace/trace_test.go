// SPDX-License-Identifier: ISC

package trace

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"quill/internal/mailid"
	"quill/internal/tai64n"
	"quill/queue"
)

// Ids of the messages in the logs: one, its bounce, its forward, and others.
const (
	one     mailid.ID = 1795479833000000001
	bounce  mailid.ID = 1795479834000000002
	forward mailid.ID = 1795479835000000003
	other   mailid.ID = 1795479836000000004
	longer  mailid.ID = 179547983300000000 // one's id begins with it
)

// home is one with these logs: a line is a second of its own, "SERVICE TEXT".
func home(t *testing.T, lines string) string {
	t.Helper()
	dir := t.TempDir()
	logs := make(map[string]string)
	for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		service, text, _ := strings.Cut(line, " ")
		logs[service] += tai64n.Stamp(time.Unix(1795479833+int64(i), 0)) + " " + text + "\n"
	}
	for service, text := range logs {
		write(t, filepath.Join(dir, "log", service, "current"), text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// told is the steps as "SERVICE TEXT" lines.
func told(t *testing.T, home string, id mailid.ID) string {
	t.Helper()
	all, err := Find(home, id)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "%s %s\n", e.Service, e.Text)
	}
	return b.String()
}

// names stand for ids.
var names = strings.NewReplacer("ONE", one.String(), "BOUNCE", bounce.String(), "FORWARD", forward.String(), "OTHER", other.String(), "LONGER", longer.String())

// TestWay: every line that names the message, the results of its deliveries and
// of no others, and the messages that came of it.
func TestWay(t *testing.T) {
	const all = `
smtpd smtpd: accepted: msg OTHER: 5 bytes
smtpd smtpd: accepted: msg ONE: 100 bytes
smtpd smtpd: accepted: msg LONGER: 100 bytes
send new msg ONE
send info msg ONE: bytes 100 from <a@b> qp ONE uid 7
send starting delivery 1: msg OTHER to local x@y
send starting delivery 2: msg ONE to local c@d
send starting delivery 3: msg ONE to local e@f
send status: local 3/10 remote 0/0
send delivery 1: success: did_1+0+0/
send delivery 2: failure: no_mailbox/
send delivery 3: success: did_0+1+0/qp_FORWARD/
send bounce msg ONE qp BOUNCE
send end msg ONE
send info msg BOUNCE: bytes 300 from <> qp BOUNCE uid 7
send starting delivery 4: msg BOUNCE to local a@b
send delivery 4: success: did_1+0+0/
send end msg BOUNCE
send info msg FORWARD: bytes 120 from <a@b> qp FORWARD uid 8
pop3d pop3d: delivery 2: nothing of qmail-send's`
	const want = `smtpd smtpd: accepted: msg ONE: 100 bytes
send new msg ONE
send info msg ONE: bytes 100 from <a@b> qp ONE uid 7
send starting delivery 2: msg ONE to local c@d
send starting delivery 3: msg ONE to local e@f
send delivery 2: failure: no_mailbox/
send delivery 3: success: did_0+1+0/qp_FORWARD/
send bounce msg ONE qp BOUNCE
send end msg ONE
send info msg BOUNCE: bytes 300 from <> qp BOUNCE uid 7
send starting delivery 4: msg BOUNCE to local a@b
send delivery 4: success: did_1+0+0/
send end msg BOUNCE
send info msg FORWARD: bytes 120 from <a@b> qp FORWARD uid 8
`
	h := home(t, names.Replace(all))
	got := told(t, h, one)
	if got != names.Replace(want) {
		t.Errorf("way:\n%s\nwant:\n%s", got, names.Replace(want))
	}
	if got := told(t, h, longer); got != names.Replace("smtpd smtpd: accepted: msg LONGER: 100 bytes\n") {
		t.Errorf("an id that others begin with: %s", got)
	}
	if got := told(t, h, 4711); got != "" {
		t.Errorf("an id that nobody knows: %s", got)
	}
}

// TestNumbersBeginAnew: delivery numbers start at 1 with each qmail-send: a
// result belongs to the last delivery that was started under its number.
func TestNumbersBeginAnew(t *testing.T) {
	h := home(t, names.Replace(`
send starting delivery 1: msg ONE to local c@d
send status: exiting
send starting delivery 1: msg OTHER to local c@d
send delivery 1: success: of_the_other/
send starting delivery 2: msg ONE to local c@d
send delivery 2: success: mine/`))
	if got := told(t, h, one); strings.Contains(got, "of_the_other") || !strings.Contains(got, "mine") {
		t.Errorf("way:\n%s", got)
	}
}

// TestLogs: turned logs come before the current one, lines without a label are
// passed over, and a home without logs has no way to tell.
func TestLogs(t *testing.T) {
	h := home(t, names.Replace("smtpd second ONE"))
	write(t, filepath.Join(h, "log/smtpd", tai64n.Stamp(time.Unix(1795479000, 0))+".s"), names.Replace(tai64n.Stamp(time.Unix(1795478000, 0))+" first ONE\nno label ONE\n@400000 ONE\n\n"))
	if got, want := told(t, h, one), "smtpd first "+one.String()+"\nsmtpd second "+one.String()+"\n"; got != want {
		t.Errorf("way %q; want %q", got, want)
	}
	h = home(t, names.Replace("smtpd "+strings.Repeat("x", 64<<10)+"\nsmtpd after ONE"))
	if got, want := told(t, h, one), names.Replace("smtpd after ONE\n"); got != want {
		t.Errorf("after a line as long as supervise lets it be: %q; want %q", got, want)
	}
	if got := told(t, t.TempDir(), one); got != "" {
		t.Errorf("a home without logs: %q", got)
	}
}

// TestManyChildren: a message whose forwards go round ends the trace all the
// same.
func TestManyChildren(t *testing.T) {
	var b strings.Builder
	for i := range 3 * maxChildren {
		fmt.Fprintf(&b, "send bounce msg %d qp %d\n", one+mailid.ID(i), one+mailid.ID(i)+1)
	}
	fmt.Fprintf(&b, "send bounce msg %d qp %d\n", one+5, one)
	all, err := Find(home(t, b.String()), one)
	seen := make(map[mailid.ID]bool)
	for _, e := range all {
		seen[e.ID] = true
	}
	if err != nil || len(seen) != maxChildren {
		t.Errorf("%d messages, %v; want %d", len(seen), err, maxChildren)
	}
}

// TestQueueAndFiles: what the queue still holds, and the files that a message
// became.
func TestQueueAndFiles(t *testing.T) {
	h := home(t, names.Replace("smtpd accepted: msg ONE"))
	dir := filepath.Join(h, "queue")
	if err := queue.Make(dir); err != nil {
		t.Fatal(err)
	}
	m := queue.NewMessage(dir)
	m.Name(one, "network")
	m.Write([]byte("Subject: x\n\ny\n"))
	if err := queue.AppendOnce(dir, &queue.Envelope{Sender: "a@b", Recipients: []queue.Recipient{{Addr: "c@d"}, {Addr: "e@f"}}}, m, 7); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(h, "mail/d/c/Maildir/cur/1795479833.M0Q"+one.String()+"R0.h,S=1,W=1:2,S")
	write(t, mine, "x")
	write(t, filepath.Join(h, "mail/d/c/Maildir/new/1795479833.M0Q"+other.String()+"R0.h,S=1,W=1"), "x")
	got := told(t, h, one)
	for _, want := range []string{`(?m)^smtpd accepted: msg \d+$`, `(?m)^queue record 1: queued msg ` + one.String() + `, \d+ bytes from <a@b> to 2 recipients, at 1:\d+:\d+$`, `(?m)^maildir ` + regexp.QuoteMeta(mine) + `$`} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("way lacks %s:\n%s", want, got)
		}
	}
	if strings.Contains(got, other.String()) || strings.Count(got, "\n") != 3 {
		t.Errorf("way:\n%s", got)
	}
}
