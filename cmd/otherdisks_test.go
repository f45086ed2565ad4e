// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// apart is a lab of spawned programs in a mount namespace of its own (unshare(1)).
type apart struct {
	*imapServer
	t   *testing.T
	pid string
}

func startApart(t *testing.T) *apart {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lab")
	open(t, filepath.Dir(dir))
	flags := []string{"-m"}
	if os.Getuid() != 0 {
		flags = []string{"-rm"}
	}
	l := &lab{t: t, dir: dir, out: new(safeBuffer)}
	l.cmd = exec.Command("unshare", append(flags, program("quill"), "lab", "--spawned", "--users", strconv.Itoa(imapUsers), dir)...)
	l.begin(t)
	st, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	own := st.Sys().(*syscall.Stat_t)
	s := &imapServer{l.env["IMAP"], l.env["POP3"], filepath.Join(dir, "mail/testingsmtp.org"), int(own.Uid), int(own.Gid)}
	return &apart{s, t, strconv.Itoa(l.cmd.Process.Pid)}
}

// root is where the test sees the namespace's files.
func (a *apart) root() string { return "/proc/" + a.pid + "/root" }

// within runs a command in the namespace.
func (a *apart) within(words ...string) {
	a.t.Helper()
	flags := []string{"-m", "-t", a.pid}
	if os.Getuid() != 0 {
		flags = append([]string{"-U", "--preserve-credentials"}, flags...)
	}
	run(a.t, "", "nsenter", append(append(flags, "--"), words...)...)
}

// TestForeignDisks: sessions on a Maildir whose file system others make read-only,
// or fill: nothing is lost or shown wrongly, a session that stays goes on, and so
// do new ones when it can be written to again. It mounts in a namespace of its own.
func TestForeignDisks(t *testing.T) {
	a := startApart(t)
	t.Run("readonly", func(t *testing.T) { a.readOnly(t) })
	t.Run("full", func(t *testing.T) { a.full(t) })
}

// readOnly: who comes by IMAP while a Maildir cannot be written to is told to come
// later; by POP3 all can be read.
func (a *apart) readOnly(t *testing.T) {
	h := a.haunt(t, 0, a.root())
	h.fill("new", "a", 3)
	h.agree("delivery")
	a.within("mount", "--bind", a.box(0), a.box(0))
	a.within("mount", "-o", "remount,bind,ro", a.box(0))
	o, err := h.visit("INBOX")
	if err == nil {
		o.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "NO [UNAVAILABLE]") {
		t.Errorf("SELECT on a read-only file system: %v; want NO [UNAVAILABLE]", err)
	}
	if err := h.popped(); err != nil {
		t.Errorf("on a read-only file system: %v", err)
	}
	a.within("umount", a.box(0))
	h.fill("new", "b", 3)
	h.agree("read-only and back")
}

// full: what is there already is shown by all; changes are refused, as far as
// there is no room for them.
func (a *apart) full(t *testing.T) {
	a.within("mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", a.box(1))
	for _, sub := range []string{"", "cur", "new", "tmp"} {
		path := filepath.Join(a.root(), a.box(1), sub)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() == 0 {
			if err := os.Chown(path, a.uid, a.gid); err != nil {
				t.Fatal(err)
			}
		}
	}
	h := a.haunt(t, 1, a.root())
	h.fill("new", "a", 5)
	h.agree("delivery")
	filler := filepath.Join(h.dir, "filler")
	fill(t, filler)
	h.agree("a full disk")
	refused := h.untilFull()
	if !strings.Contains(refused, ": NO [") {
		t.Errorf("flags on a full disk: %q; want NO at some time", refused)
	}
	err := h.stay.ok("APPEND INBOX {5+}\r\nx\r\n\r\n", nil)
	if err == nil || !strings.Contains(err.Error(), "NO [OVERQUOTA]") {
		t.Errorf("APPEND on a full disk: %v; want NO [OVERQUOTA]", err)
	}
	if err := h.popped(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := h.stay.ok("STORE 1:* -FLAGS ($Blue)", nil); err != nil {
		t.Errorf("with room again: %v", err)
	}
	h.agree("room again")
	h.fill("new", "b", 3)
	h.agree("room again, and more mail")
}

// untilFull changes flags until that is refused, which is what it gives.
func (h *haunted) untilFull() string {
	for i := range 2000 {
		if err := h.stay.ok("STORE 1:* "+[]string{"+", "-"}[i%2]+`FLAGS ($Blue)`, nil); err != nil {
			return err.Error()
		}
	}
	return "it never was"
}
