// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"quill/maildir/index"
)

// limited runs f in a process whose files cannot have more than this many bytes,
// as on a disk that is full.
func limited(t *testing.T, bytes uint64, f func() error) {
	t.Helper()
	signal.Ignore(unix.SIGXFSZ)
	var was unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &was))
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: was.Max}))
	err := f()
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &was))
	signal.Reset(unix.SIGXFSZ)
	if !errors.Is(err, unix.EFBIG) {
		t.Errorf("no room: %v", err)
	}
}

// addMany appends n messages at once.
func addMany(a *Account, name string, n int) error {
	p, err := a.NewAppend(name)
	if err != nil {
		return err
	}
	defer p.Abort()
	for i := range n {
		text := fmt.Sprintln("message", i)
		if err := p.Add(New{Size: int64(len(text))}, strings.NewReader(text)); err != nil {
			return err
		}
	}
	_, err = p.Commit()
	return err
}

// files counts what lies in tmp, new and cur of a folder.
func files(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	for _, sub := range []string{"tmp", "new", "cur"} {
		all, err := os.ReadDir(filepath.Join(dir, sub))
		must(t, err)
		n += len(all)
	}
	return n
}

// TestNoRoom: where a message, or what the index has to write, finds no room, the
// mailbox is as it was.
func TestNoRoom(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("To", nil))
	must(t, addMany(a, Inbox, 40))
	must(t, addMany(a, "To", 2))
	in, to := openBox(t, a, Inbox), openBox(t, a, "To")
	source, target := show(t, in), show(t, to)
	var uids []index.UID
	for i := range source {
		uids = append(uids, index.UID(i+1))
	}
	same := func(what string) {
		t.Helper()
		if got := show(t, in); !slices.Equal(got, source) || files(t, root) != len(source) {
			t.Fatalf("%s: source has %d files and %q", what, files(t, root), got)
		}
		if got := texts(t, to); len(got) != len(target) || files(t, root+"/.To") != len(target) {
			t.Fatalf("%s: target has %d files and %q", what, files(t, root+"/.To"), got)
		}
	}
	limited(t, 10_000, func() error {
		p, err := a.NewAppend("To")
		must(t, err)
		defer p.Abort()
		return p.Add(New{Size: 1 << 20}, strings.NewReader(strings.Repeat("x", 1<<20)))
	})
	same("message")
	for what, f := range map[string]func() error{
		"append": func() error { return addMany(a, "To", 40) },
		"copy":   func() error { _, err := a.Copy(in, uids, to); return err },
		"move":   func() error { _, err := a.Move(in, uids, to); return err },
	} {
		limited(t, 3000, f)
		same(what)
	}
	// The source can note nothing: the messages are in both.
	must(t, a.Create("Small", nil))
	small := openBox(t, a, "Small")
	limited(t, 3000, func() error { _, err := a.Move(in, uids[:1], small); return err })
	if len(show(t, in)) != len(source) || len(show(t, small)) != 1 {
		t.Errorf("half a move: %q and %q", show(t, in), show(t, small))
	}
	_, err := a.Move(in, uids, to)
	if must(t, err); len(show(t, in)) != 0 || len(show(t, to)) != len(source)+len(target) {
		t.Errorf("with room: %q and %q", show(t, in), show(t, to))
	}
}

// TestNoRoomFolders: the same for the folders themselves.
func TestNoRoomFolders(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("A.B", nil))
	must(t, a.Subscribe("A", true))
	for _, f := range []func() error{
		func() error { return a.Create("S", []string{`\Sent`}) },
		func() error { return a.Rename("A", "C") },
		func() error { return a.Subscribe("B", true) },
	} {
		limited(t, 0, f)
	}
	subs, err := a.Subscribed()
	must(t, err)
	if got := list(t, a) + " " + strings.Join(subs, " "); got != "A/ A.B INBOX A" {
		t.Errorf("List: %s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "qx.[ndr]*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
