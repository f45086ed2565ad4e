// SPDX-License-Identifier: ISC

package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	witness "github.com/emersion/go-maildir"
	"golang.org/x/sys/unix"
)

// newBox makes a Maildir of its own for a test and opens it.
func newBox(t testing.TB) (path string, m *Maildir) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "Maildir")
	if err := Make(path); err != nil {
		t.Fatal(err)
	}
	return path, openBox(t, path)
}

func openBox(t testing.TB, path string) *Maildir {
	t.Helper()
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// put writes a file below the Maildir.
func put(t testing.TB, box, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(box, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files is what lies in a folder.
func files(t testing.TB, box, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(box, dir))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

func names(msgs []Message) (all []string) {
	for _, m := range msgs {
		all = append(all, m.Name)
	}
	return all
}

func TestMake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "M")
	old := unix.Umask(0o777)
	defer unix.Umask(old)
	if err := Make(path + "/"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "tmp", "new", "cur"} {
		st, err := os.Stat(filepath.Join(path, dir))
		if err != nil || st.Mode() != fs.ModeDir|0o700 {
			t.Errorf("Make: %q is %v, %v; want drwx------", dir, st.Mode(), err)
		}
	}
	if err := Make(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Make(existing) = %v; want fs.ErrExist", err)
	}
}

func TestScan(t *testing.T) {
	box, m := newBox(t)
	put(t, box, "new/20.x", "ab\nc\n")
	put(t, box, "cur/10.M5P1.h,S=4,W=5:2,RS", "abc\n")
	put(t, box, "cur/10.M40P1.h,S=9,W=9:2,", "abc\n") // a lie about S
	put(t, box, "cur/10.M300P1.h,S=4,W=9:2,", "abc\n")
	put(t, box, "new/15.z,S=5,W=5", "a\r\nb\r") // true: no LF without CR
	put(t, box, "new/.hidden", "x")
	put(t, box, "tmp/12.x", "x")
	for _, err := range []error{
		unix.Mkfifo(box+"/new/1.fifo", 0o600),
		os.Mkdir(box+"/new/2.dir", 0o700),
		os.Symlink("/etc/passwd", box+"/new/3.link"),
		os.Symlink("20.x", box+"/new/4.inner"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	msgs, err := m.Scan()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, msg := range msgs {
		got = append(got, fmt.Sprintf("%s %v %d %d", msg.Name, msg.New, msg.Size, msg.Wire))
	}
	want := []string{
		"10.M5P1.h,S=4,W=5:2,RS false 4 5", "10.M40P1.h,S=9,W=9:2, false 4 5", "10.M300P1.h,S=4,W=9:2, false 4 5",
		"15.z,S=5,W=5 true 5 5", "20.x true 5 7",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Scan =\n%q; want\n%q", got, want)
	}
}

// TestScanMoved: a message that is in both folders, because it is being moved
// just now, is one message.
func TestScanMoved(t *testing.T) {
	box, m := newBox(t)
	put(t, box, "new/1.a", "x\n")
	put(t, box, "cur/1.a:2,S", "x\n")
	if msgs, err := m.Scan(); err != nil || len(msgs) != 1 || msgs[0].New {
		t.Errorf("Scan = %v, %v; want the one in cur/", msgs, err)
	}
}

// TestOpenMoved: what another reader moved or flagged since the Scan is found,
// what is gone is said to be gone.
func TestOpenMoved(t *testing.T) {
	box, m := newBox(t)
	put(t, box, "new/1.a", "one\n")
	put(t, box, "new/2.b", "two\n")
	msgs, err := m.Scan()
	if err != nil || len(msgs) != 2 {
		t.Fatalf("Scan = %v, %v", msgs, err)
	}
	for _, to := range []string{"cur/1.a:2,", "cur/1.a:2,S", "cur/1.a:2,FS", "new/1.a"} {
		if err := os.Rename(glob(t, box, "???/1.a*")[0], filepath.Join(box, to)); err != nil {
			t.Fatal(err)
		}
		f, err := m.Open(msgs[0])
		if err != nil {
			t.Fatalf("Open after the move to %s: %v", to, err)
		}
		if b, _ := io.ReadAll(f); string(b) != "one\n" {
			t.Errorf("Open after the move to %s reads %q", to, b)
		}
		f.Close()
	}
	os.Remove(box + "/new/2.b")
	if _, err := m.Open(msgs[1]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open(gone) = %v; want fs.ErrNotExist", err)
	}
}

func glob(t testing.TB, box, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(box, pattern))
	if err != nil || len(all) == 0 {
		t.Fatalf("no %s in %s", pattern, box)
	}
	return all
}

// TestReplaced: a file that turns into a link or a fifo between Scan and Open is
// neither followed nor waited for.
func TestReplaced(t *testing.T) {
	box, m := newBox(t)
	put(t, box, "new/1.a", "x\n")
	msgs, _ := m.Scan()
	os.Remove(box + "/new/1.a")
	os.Symlink("/etc/passwd", box+"/new/1.a")
	if f, err := m.Open(msgs[0]); err == nil {
		f.Close()
		t.Error("Open followed a link")
	}
	os.Remove(box + "/new/1.a")
	unix.Mkfifo(box+"/new/1.a", 0o600)
	if f, err := m.Open(msgs[0]); err == nil {
		f.Close()
		t.Error("Open opened a fifo")
	}
}

func TestMoveToCur(t *testing.T) {
	box, m := newBox(t)
	put(t, box, "new/1.a", "x\n")
	put(t, box, "new/2.b:2,S", "x\n")
	put(t, box, "cur/3.c:2,S", "x\n")
	msgs, _ := m.Scan()
	msgs = append(msgs, Message{Name: "9.gone", New: true})
	if err := m.MoveToCur(msgs); err != nil {
		t.Fatal(err)
	}
	if got, want := files(t, box, "cur"), []string{"1.a:2,", "2.b:2,S", "3.c:2,S"}; !slices.Equal(got, want) {
		t.Errorf("cur/ after MoveToCur = %q; want %q", got, want)
	}
	if got := files(t, box, "new"); len(got) != 0 {
		t.Errorf("new/ after MoveToCur = %q", got)
	}
}

func TestRemove(t *testing.T) {
	box, m := newBox(t)
	for _, n := range []string{"new/1.a", "new/2.b", "cur/3.c:2,", "new/4.d", "cur/5.e:2,"} {
		put(t, box, n, "x\n")
	}
	msgs, _ := m.Scan()
	os.Rename(box+"/new/2.b", box+"/cur/2.b:2,S") // another reader flags it
	os.Remove(box + "/cur/3.c:2,")                // and removes this one
	failed, err := m.Remove(msgs[:4])
	if err != nil || len(failed) != 0 {
		t.Errorf("Remove = %v, %v", failed, err)
	}
	left, _ := m.Scan()
	if got := names(left); !slices.Equal(got, []string{"5.e:2,"}) {
		t.Errorf("left after Remove: %q; want 5.e:2,", got)
	}
	if err := os.Mkdir(box+"/new/6.f", 0o700); err != nil {
		t.Fatal(err)
	}
	failed, err = m.Remove([]Message{{Name: "6.f", New: true}, left[0]})
	if len(failed) != 1 || failed[0].Name != "6.f" || err == nil {
		t.Errorf("Remove(a folder) = %v, %v; want it failed", failed, err)
	}
	if left, _ := m.Scan(); len(left) != 0 {
		t.Errorf("Remove gave up at the first failure: %v", left)
	}
}

func TestCleanTmp(t *testing.T) {
	box, m := newBox(t)
	put(t, box, "tmp/old", "")
	put(t, box, "new/old", "")
	os.Mkdir(box+"/tmp/folder", 0o700)
	put(t, box, "tmp/young", "")
	later := time.Now().Add(36*time.Hour + time.Second)
	os.Chtimes(box+"/tmp/young", later, later.Add(-36*time.Hour+time.Minute))
	d := NewDeliverer("h")
	part, err := d.Write(m, strings.NewReader("x\n"), time.Unix(1e9, 0)) // an APPEND with a date
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CleanTmp(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Publish(part, nil); err != nil {
		t.Errorf("a message with an old date: %v", err)
	}
	if err := m.CleanTmp(later); err != nil {
		t.Fatal(err)
	}
	if got, want := files(t, box, "tmp"), []string{"folder", "young"}; !slices.Equal(got, want) {
		t.Errorf("tmp/ after CleanTmp = %q; want %q", got, want)
	}
	if got := files(t, box, "new"); len(got) != 1 {
		t.Errorf("new/ after CleanTmp = %q; want it untouched", got)
	}
}

// TestLock: one session a maildrop, in one process or two descriptors of it, and
// again when the first has ended.
func TestLock(t *testing.T) {
	box, m := newBox(t)
	first, err := m.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openBox(t, box).Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("second Lock = %v; want ErrLocked", err)
	}
	if _, err := m.Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("second Lock of the same = %v; want ErrLocked", err)
	}
	if msgs, err := m.Scan(); err != nil || len(msgs) != 0 {
		t.Errorf("Scan of a locked empty box = %v, %v", msgs, err)
	}
	first.Close()
	second, err := openBox(t, box).Lock()
	if err != nil {
		t.Fatalf("Lock after Close: %v", err)
	}
	second.Close()
}

// TestOutside: nothing leads out of a home or of a mailbox.
func TestOutside(t *testing.T) {
	home := t.TempDir()
	other := filepath.Join(t.TempDir(), "Maildir")
	for _, err := range []error{
		Make(other), Make(home + "/Real"),
		os.Symlink("Real", home+"/inner"), os.Symlink(other, home+"/outer"),
		os.Symlink("../"+filepath.Base(home)+"/Real", home+"/round"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, ok := range map[string]bool{
		"Real": true, "./Real/": true, "inner/": true, "outer/": false, "round": false, "../x": false, other: false, "none": false, "/": false, "": false,
	} {
		m, err := OpenBeneath(home, path)
		if (err == nil) != ok {
			t.Errorf("OpenBeneath(%q) = %v; want ok %v", path, err, ok)
		}
		if err == nil {
			m.Close()
		}
	}
	if _, err := OpenBeneath(home, "outer"); err == nil || !strings.Contains(err.Error(), "full path") {
		t.Errorf("OpenBeneath(outer) = %v; want it to say what to do", err)
	}
	if _, err := OpenBeneath(home, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenBeneath(none) = %v; want fs.ErrNotExist", err)
	}
	for _, dir := range []string{"tmp", "new", "cur"} {
		box := filepath.Join(t.TempDir(), "M")
		if err := Make(box); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(box, dir))
		os.Symlink(filepath.Join(other, dir), filepath.Join(box, dir))
		if m, err := Open(box); err == nil {
			m.Close()
			t.Errorf("Open takes a mailbox whose %s is a link", dir)
		}
	}
}

// TestWitness: another library reads what we deliver, and we what it makes.
func TestWitness(t *testing.T) {
	box, m := newBox(t)
	d := NewDeliverer("h")
	name, err := d.Deliver(m, &Delivery{ID: someID, Head: []byte("A: b\n"), Body: strings.NewReader("\nbody\n")})
	if err != nil {
		t.Fatal(err)
	}
	unseen, err := witness.Dir(box).Unseen()
	if err != nil || len(unseen) != 1 || unseen[0].Key() != name {
		t.Fatalf("go-maildir sees %v, %v; want %s", unseen, err, name)
	}
	if err := unseen[0].SetFlags([]witness.Flag{witness.FlagSeen, witness.FlagReplied}); err != nil {
		t.Fatal(err)
	}
	if _, w, err := witness.Dir(box).Create([]witness.Flag{witness.FlagFlagged}); err != nil {
		t.Fatal(err)
	} else {
		io.WriteString(w, "Theirs: 1\n\nx\n")
		w.Close()
	}
	msgs, err := m.Scan()
	if err != nil || len(msgs) != 2 {
		t.Fatalf("Scan = %v, %v; want 2", msgs, err)
	}
	if got := string(msgs[0].Flags()); msgs[0].Key() != name || got != "RS" {
		t.Errorf("ours is %s with flags %q; want RS", msgs[0].Name, got)
	}
	if got := string(msgs[1].Flags()); got != "F" || msgs[1].Wire != 16 {
		t.Errorf("theirs has flags %q and %d bytes; want F and 16", got, msgs[1].Wire)
	}
}
