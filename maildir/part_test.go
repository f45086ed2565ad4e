// SPDX-License-Identifier: ISC

package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPart(t *testing.T) {
	path, m := newBox(t)
	d := NewDeliverer("h")
	date := time.Date(1999, 1, 2, 3, 4, 5, 0, time.UTC)
	p, err := d.Write(m, strings.NewReader("a\nb\r\n"), date)
	if err != nil || p.Size != 5 || p.Wire != 6 {
		t.Fatalf("Write: %+v, %v", p, err)
	}
	if len(files(t, path, "tmp")) != 1 || len(files(t, path, "cur")) != 0 {
		t.Error("it is not in tmp/ alone")
	}
	name, err := d.Publish(p, []Flag{'S', 'F'})
	if err != nil || !strings.HasSuffix(name, ".h,S=5,W=6:2,FS") || !slices.Equal(files(t, path, "cur"), []string{name}) {
		t.Errorf("Publish = %q, %v", name, err)
	}
	if st, err := os.Stat(filepath.Join(path, "cur", name)); err != nil || !st.ModTime().Equal(date) {
		t.Errorf("time: %v, %v", st, err)
	}
	p.Drop() // does nothing now
	q, err := d.Write(m, strings.NewReader("x"), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	q.Drop()
	if got := files(t, path, "tmp"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// TestLink: a copy has the same bytes and time, whether it is a link or not, and
// follows the message to where another reader has moved it.
func TestLink(t *testing.T) {
	path, m := newBox(t)
	other, to := newBox(t)
	d := NewDeliverer("h")
	put(t, path, "new/1.x", "text\n")
	msgs, err := m.Scan()
	if err != nil || len(msgs) != 1 {
		t.Fatal(msgs, err)
	}
	if err := os.Rename(filepath.Join(path, "new/1.x"), filepath.Join(path, "cur/1.x:2,S")); err != nil {
		t.Fatal(err)
	}
	for _, copy := range []func(*Maildir, Message, *Maildir, []Flag) (string, error){d.Link, d.duplicate} {
		name, err := copy(m, msgs[0], to, []Flag{'S'})
		if err != nil || !strings.HasSuffix(name, ",S=5,W=6:2,S") {
			t.Fatalf("%q, %v", name, err)
		}
		b, err := os.ReadFile(filepath.Join(other, "cur", name))
		st, serr := os.Stat(filepath.Join(other, "cur", name))
		if string(b) != "text\n" || err != nil || serr != nil || !st.ModTime().Equal(msgs[0].MTime) {
			t.Errorf("%s: %q, %v, %v", name, b, err, serr)
		}
	}
	if got := files(t, other, "tmp"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	gone := msgs[0]
	gone.Name = "2.y"
	if _, err := d.Link(m, gone, to, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a message that is gone: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(other, "cur")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Link(m, msgs[0], to, nil); !errors.Is(err, ErrRemoved) {
		t.Errorf("to a Maildir that is gone: %v", err)
	}
}

// TestFreshNames: names are in the order in which they were given.
func TestFreshNames(t *testing.T) {
	d := NewDeliverer("h")
	var msgs []Message
	for range 2000 {
		name := d.freshName()
		usec, ok := nameTime(name)
		if !ok {
			t.Fatal(name)
		}
		msgs = append(msgs, Message{Name: name, order: usec})
	}
	if !slices.IsSortedFunc(msgs, ByTime) {
		t.Error("some names are out of order")
	}
}

func TestOpenFolder(t *testing.T) {
	path, m := newBox(t)
	for _, dir := range []string{".a", ".b"} {
		if err := Make(filepath.Join(path, dir)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(".a", filepath.Join(path, ".link")); err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{".a": true, ".b": true, ".link": false, ".none": false, "..": false, "../Maildir": false, "cur": false} {
		f, err := OpenFolder(m.Fd(), name)
		if (err == nil) != ok {
			t.Errorf("OpenFolder(%s): %v", name, err)
		}
		if err == nil {
			f.Close()
		}
	}
}

func TestLockFolders(t *testing.T) {
	_, m := newBox(t)
	session, err := m.Lock() // a POP3 session keeps nobody from the folders
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for range 2 {
		lock, err := m.LockFolders(0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.LockFolders(2 * time.Millisecond); err != ErrLocked {
			t.Errorf("twice: %v", err)
		}
		if _, err := m.ShareFolders(0); err != ErrLocked {
			t.Errorf("to read what is being changed: %v", err)
		}
		if err := lock.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		reader, err := m.ShareFolders(0)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
	}
	if _, err := m.LockFolders(2 * time.Millisecond); err != ErrLocked {
		t.Errorf("to change what is being read: %v", err)
	}
}

func TestLockFoldersWait(t *testing.T) {
	_, m := newBox(t)
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			lock, err := m.LockFolders(10 * time.Second)
			if err == nil {
				time.Sleep(time.Millisecond)
				err = lock.Close()
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(fmt.Errorf("waiting: %w", err))
		}
	}
}
