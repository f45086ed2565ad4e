// SPDX-License-Identifier: ISC

//go:build peers

package folders

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peerUID owns the mail.
const peerUID = 65534

// asPeer runs a program of Courier's as the owner of the mail in dir.
func asPeer(t *testing.T, dir, input, program string, args ...string) string {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, peerUID, peerUID)
	}))
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "HOSTNAME=mx.example.org"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: peerUID, Gid: peerUID}}
	var out, bad bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &bad
	must(t, cmd.Start())
	stop := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer stop.Stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s%s", program, err, out.Bytes(), bad.Bytes())
	}
	return out.String()
}

var courierLine = regexp.MustCompile(`\* (LIST|LSUB) \(([^)]*)\) "\." "(.*)"`)

// courierSays gives Courier commands, and returns the names that it lists and
// those that it has subscriptions of.
func courierSays(t *testing.T, dir string, commands ...string) (list, lsub string) {
	t.Helper()
	var input strings.Builder
	commands = append(commands, `LIST "" *`, `LSUB "" *`, "LOGOUT")
	for _, c := range commands {
		input.WriteString("a " + c + "\r\n")
	}
	// Debian's courier-imap, unpacked by .ci/run: it cannot be installed beside dovecot-imapd.
	out := asPeer(t, dir, input.String(), "/opt/courier-imap/usr/bin/imapd", "./Maildir")
	if got := strings.Count(out, "a OK "); got != len(commands) {
		t.Fatalf("Courier has done %d of %q:\n%s", got, commands, out)
	}
	names := map[string][]string{}
	for _, m := range courierLine.FindAllStringSubmatch(out, -1) {
		if !strings.Contains(m[2], `\Noselect`) {
			names[m[1]] = append(names[m[1]], m[3])
		}
	}
	slices.Sort(names["LIST"])
	slices.Sort(names["LSUB"])
	return strings.Join(names["LIST"], " "), strings.Join(names["LSUB"], " ")
}

// TestCourierSubscriptions: what a client subscribed to stays so from Courier to
// ours and back; with its own tool Courier takes names that are not ASCII.
func TestCourierSubscriptions(t *testing.T) {
	a, root := newAccount(t)
	dir, err := os.MkdirTemp("", "courier") // which another user may enter
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Rename(root, filepath.Join(dir, "Maildir")))
	must(t, os.WriteFile(filepath.Join(dir, "filter"), nil, 0o644))

	names, lsub := courierSays(t, dir, "CREATE INBOX.Work", "CREATE INBOX.Work.Sub", "SUBSCRIBE INBOX", "SUBSCRIBE INBOX.Work")
	if names != "INBOX INBOX.Work INBOX.Work.Sub" || lsub != "INBOX INBOX.Work" {
		t.Fatalf("Courier lists %s, subscribed: %s", names, lsub)
	}
	if got, err := a.Subscribed(); err != nil || strings.Join(got, " ") != "INBOX Work" {
		t.Errorf("taken over: %q, %v; want INBOX, Work", got, err)
	}
	must(t, a.Subscribe("Work.Sub", true))
	must(t, a.Subscribe("INBOX", false))
	must(t, a.Create("Räume", nil))
	must(t, a.Subscribe("Räume", true))
	must(t, a.GiveSubscriptions(true))
	asPeer(t, dir, "", "maildirmake.courier", "--convutf8", "Maildir", "filter")
	names, lsub = courierSays(t, dir, "UNSUBSCRIBE INBOX.Work")
	if names != "INBOX INBOX.R&AOQ-ume INBOX.Work INBOX.Work.Sub" || lsub != "INBOX.R&AOQ-ume INBOX.Work.Sub" {
		t.Errorf("given back, Courier lists %s, subscribed: %s", names, lsub)
	}
	if got, err := a.Subscribed(); err != nil || strings.Join(got, " ") != "Räume Work.Sub" {
		t.Errorf("taken over again: %q, %v; want Räume, Work.Sub", got, err)
	}
	if got := list(t, a); got != "INBOX Räume Work/ Work.Sub" {
		t.Errorf("taken over again: %s", got)
	}
}
