// SPDX-License-Identifier: ISC

package folders

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

	"quill/maildir"
	"quill/maildir/index"
)

// texts is what a box shows, without UIDs.
func texts(t testing.TB, b *Box) []string {
	t.Helper()
	all := show(t, b)
	for i := range all {
		_, all[i], _ = strings.Cut(all[i], " ")
	}
	return all
}

func TestCopyMove(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("To", nil))
	date := time.Unix(1e9, 0)
	for i := range 5 {
		add(t, a, Inbox, fmt.Sprintf("message %d\n", i), New{Flags: index.Flags(i), Keywords: []string{fmt.Sprint("k", i%2)}, Date: date.Add(time.Duration(i) * time.Minute)})
	}
	in, to := openBox(t, a, Inbox), openBox(t, a, "To")
	add(t, a, "To", "first\n", New{Keywords: []string{"other", "k1"}, Date: date})
	was := texts(t, in)
	c, err := a.Copy(in, []index.UID{5, 1, 99, 3, 1}, to)
	must(t, err)
	if !slices.Equal(c.Source, []index.UID{1, 3, 5}) || !slices.Equal(c.Target, []index.UID{2, 3, 4}) || c.UIDValidity != to.Index().View().UIDValidity() {
		t.Errorf("Copy = %+v", c)
	}
	if got, want := texts(t, to)[1:], []string{was[0], was[2], was[4]}; !slices.Equal(got, want) {
		t.Errorf("copies: %q; want %q", got, want)
	}
	if got := texts(t, in); !slices.Equal(got, was) {
		t.Errorf("source after Copy: %q; was %q", got, was)
	}
	c, err = a.Move(in, []index.UID{1, 2, 3, 4, 5}, to)
	must(t, err)
	if !slices.Equal(c.Target, []index.UID{5, 6, 7, 8, 9}) || len(show(t, in)) != 0 || !slices.Equal(texts(t, to)[4:], was) {
		t.Errorf("Move = %+v: %q and %q", c, show(t, in), show(t, to))
	}
	// Within one mailbox.
	c, err = a.Move(to, c.Target, to)
	must(t, err)
	if !slices.Equal(c.Target, []index.UID{10, 11, 12, 13, 14}) || !slices.Equal(texts(t, to)[4:], was) {
		t.Errorf("Move within: %+v: %q", c, show(t, to))
	}
	c, err = a.Copy(to, c.Target[:1], to)
	must(t, err)
	if got := texts(t, to); len(got) != 10 || got[9] != was[0] {
		t.Errorf("Copy within: %+v: %q", c, got)
	}
	// Of what is not there, nothing.
	for _, f := range []func(*Box, []index.UID, *Box) (*Copied, error){a.Copy, a.Move} {
		if c, err = f(in, []index.UID{1, 77}, to); err != nil || len(c.Source)+len(c.Target) != 0 || c.UIDValidity == 0 {
			t.Errorf("of none: %+v, %v", c, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(root, "*", "tmp", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestCopyKeeps: a copy has its message's EMAILID (RFC 8474 §5.1) and digest.
func TestCopyKeeps(t *testing.T) {
	a, _ := newAccount(t)
	must(t, a.Create("To", nil))
	in, to := openBox(t, a, Inbox), openBox(t, a, "To")
	uid := add(t, a, Inbox, "one\n", New{})
	was := in.Index().View()
	want := was.Message(1).EmailID
	was.Keep(uid, []byte("digest"))
	was.Close()
	for _, f := range []func(*Box, []index.UID, *Box) (*Copied, error){a.Copy, a.Move} {
		c, err := f(in, []index.UID{uid}, to)
		must(t, err)
		v := to.Index().View()
		d := v.Digests()
		seq, _ := v.Seq(c.Target[0])
		if got := v.Message(seq).EmailID; got != want || string(d.Of(c.Target[0])) != "digest" {
			t.Errorf("EMAILID %x, digest %q", got, d.Of(c.Target[0]))
		}
		d.Close()
	}
	if v := to.Index().View(); v.Len() != 2 || v.Message(1).Name == v.Message(2).Name {
		t.Errorf("%d messages", v.Len())
	}
}

// TestCopyGone: a message whose file another program has renamed is copied, one
// that it deleted is passed over.
func TestCopyGone(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("To", nil))
	for i := range 3 {
		add(t, a, Inbox, fmt.Sprintf("message %d\n", i), New{})
	}
	in, to := openBox(t, a, Inbox), openBox(t, a, "To")
	v := in.Index().View()
	must(t, os.Rename(filepath.Join(root, "cur", v.Message(1).Name), filepath.Join(root, "cur", v.Message(1).Name+"S")))
	must(t, os.Remove(filepath.Join(root, "cur", v.Message(2).Name)))
	c, err := a.Copy(in, []index.UID{1, 2, 3}, to)
	must(t, err)
	if !slices.Equal(c.Source, []index.UID{1, 3}) || !slices.Equal(c.Target, []index.UID{1, 2}) {
		t.Errorf("Copy = %+v", c)
	}
	if got := strings.Join(texts(t, to), " "); !strings.Contains(got, "message 0") || !strings.Contains(got, "message 2") {
		t.Errorf("copies: %s", got)
	}
}

// TestAllOrNone: an append or copy that fails at any point leaves nothing, and
// takes nothing away.
func TestAllOrNone(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("Full", nil))
	for i := range index.KeywordsMax {
		add(t, a, "Full", "x\n", New{Keywords: []string{fmt.Sprint("k", i)}})
	}
	add(t, a, Inbox, "one\n", New{})
	add(t, a, Inbox, "two\n", New{Keywords: []string{"new"}})
	in, full := openBox(t, a, Inbox), openBox(t, a, "Full")
	was, source := show(t, full), show(t, in)
	p, err := a.NewAppend("Full")
	must(t, err)
	must(t, p.Add(New{Size: 4}, strings.NewReader("one\n")))
	must(t, p.Add(New{Size: 4, Keywords: []string{"new"}}, strings.NewReader("two\n")))
	_, err = p.Commit()
	_, cerr := a.Copy(in, []index.UID{1, 2}, full)
	_, merr := a.Move(in, []index.UID{1, 2}, full)
	for _, err := range []error{err, cerr, merr} {
		if !errors.Is(err, index.ErrKeywords) {
			t.Errorf("no room for a keyword: %v", err)
		}
	}
	if got := show(t, full); !slices.Equal(got, was) {
		t.Errorf("target: %q; was %q", got, was)
	}
	if got := show(t, in); !slices.Equal(got, source) {
		t.Errorf("source: %q; was %q", got, source)
	}
	for _, sub := range []string{"tmp", "new"} {
		if names, _ := filepath.Glob(filepath.Join(root, ".Full", sub, "*")); len(names) > 0 {
			t.Errorf("left behind: %v", names)
		}
	}
	if names, _ := filepath.Glob(filepath.Join(root, ".Full", "cur", "*")); len(names) != index.KeywordsMax {
		t.Errorf("%d files", len(names))
	}
}

// TestDeletedTarget: a mailbox that is deleted while it is open takes no more
// messages, and says so.
func TestDeletedTarget(t *testing.T) {
	a, _ := newAccount(t)
	must(t, a.Create("To", nil))
	add(t, a, Inbox, "one\n", New{})
	in, to := openBox(t, a, Inbox), openBox(t, a, "To")
	p, err := a.NewAppend("To")
	must(t, err)
	must(t, p.Add(New{Size: 4}, strings.NewReader("one\n")))
	must(t, a.Delete("To"))
	if _, err := p.Commit(); err == nil {
		t.Error("Commit to a deleted mailbox")
	}
	if _, err := a.Move(in, []index.UID{1}, to); !errors.Is(err, maildir.ErrRemoved) {
		t.Errorf("Move to a deleted mailbox: %v", err)
	}
	if got := show(t, in); len(got) != 1 {
		t.Errorf("source: %q", got)
	}
	if err := to.Index().Sync(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Sync of a deleted mailbox: %v", err)
	}
	if _, err := a.NewAppend("To"); !errors.Is(err, ErrNone) {
		t.Errorf("NewAppend: %v", err)
	}
	must(t, a.Create("To", nil)) // another mailbox: nothing is mixed up
	if again := openBox(t, a, "To"); again.s == to.s || len(show(t, again)) != 0 {
		t.Error("a mailbox that was made anew is the deleted one")
	}
}

// failing gives some bytes and then an error.
type failing struct{ r io.Reader }

func (f failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err == io.EOF {
		err = fs.ErrClosed
	}
	return n, err
}

func TestAddErrors(t *testing.T) {
	a, root := newAccount(t)
	p, err := a.NewAppend(Inbox)
	must(t, err)
	for _, c := range []struct {
		msg  New
		r    io.Reader
		want error
	}{
		{New{Size: 5}, strings.NewReader("1234"), io.ErrUnexpectedEOF},
		{New{Size: 5}, failing{strings.NewReader("1234")}, fs.ErrClosed},
		{New{Size: 1, Keywords: []string{"a b"}}, strings.NewReader("1"), index.ErrKeyword},
	} {
		if err := p.Add(c.msg, c.r); !errors.Is(err, c.want) {
			t.Errorf("Add(%+v) = %v; want %v", c.msg, err, c.want)
		}
	}
	r := strings.NewReader("1234567890")
	must(t, p.Add(New{Size: 4}, r))
	if r.Len() != 6 {
		t.Errorf("read %d bytes too many", 6-r.Len())
	}
	for range AppendMax - 1 {
		p.todo = append(p.todo, p.todo[0])
	}
	if err := p.Add(New{Size: 1}, r); !errors.Is(err, ErrMany) {
		t.Errorf("one too many: %v", err)
	}
	p.Abort()
	if names, _ := filepath.Glob(filepath.Join(root, "*", "*,S=*")); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	if names, _ := os.ReadDir(filepath.Join(root, "tmp")); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestPool: sessions share a mailbox, whatever its name is now, and it is closed
// with the last of them.
func TestPool(t *testing.T) {
	p := NewPool("host")
	root := filepath.Join(t.TempDir(), "Maildir")
	must(t, maildir.Make(root))
	a, b := openAccount(t, root, p), openAccount(t, root, p)
	must(t, a.Create("One", nil))
	one, err := a.Box("One")
	must(t, err)
	must(t, b.Rename("One", "Two"))
	must(t, a.Create("One", nil))
	two, err := b.Box("Two")
	must(t, err)
	other, err := b.Box("One")
	must(t, err)
	if one.Index() != two.Index() || other.Index() == one.Index() {
		t.Error("which mailbox is which goes by name")
	}
	must(t, a.Close())
	must(t, b.Close())
	must(t, errors.Join(one.Close(), one.Close(), other.Close()))
	must(t, two.Index().Sync()) // still open
	must(t, two.Close())
	if len(p.open) != 0 {
		t.Errorf("%d mailboxes are open", len(p.open))
	}
	a.root, b.root = nil, nil // closed already
}

// TestNothingKept: what was moved is not kept for a session that there is not.
func TestNothingKept(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("To", nil))
	in, to := openBox(t, a, Inbox), openBox(t, a, "To")
	for range 3 {
		add(t, a, Inbox, "text\n", New{})
	}
	_, err := a.Copy(in, []index.UID{1}, to)
	must(t, err)
	_, err = a.Move(in, []index.UID{1}, to)
	must(t, err)
	must(t, a.Rename(Inbox, "Old"))
	must(t, to.Index().ExpungeOf(0, []index.UID{1, 2}))
	if got := append(show(t, in), show(t, to)...); len(got) != 0 {
		t.Errorf("messages: %q", got)
	}
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), ",S=5,W=6") && !strings.HasPrefix(path, root+"/.Old/cur/") {
			t.Errorf("left behind: %s", path)
		}
		if err == nil && strings.Contains(path, "qx.gone/") {
			t.Errorf("left behind: %s", path)
		}
		return err
	}))
}

// TestTakenAway: a message that others have taken away between its publication
// and its adoption is no error, and keeps none of the others from staying.
func TestTakenAway(t *testing.T) {
	a, root := newAccount(t)
	in := openBox(t, a, Inbox)
	file := filepath.Join(root, "cur", "1700000000.a:2,")
	must(t, os.WriteFile(file, []byte("x\n"), 0o600))
	c, err := in.adopt([]index.Adoption{{Name: "1700000000.b:2,"}, {Name: filepath.Base(file)}})
	must(t, err)
	if !slices.Equal(c.Target, []index.UID{0, 1}) || len(show(t, in)) != 1 {
		t.Errorf("adopt = %+v; the mailbox shows %q", c, show(t, in))
	}
}

// TestMoveAtOnce: of two sessions that move the same messages at once, one moves
// each, and no message doubles.
func TestMoveAtOnce(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("To", nil))
	const rounds, each = 4, 20
	for round := range rounds {
		var uids []index.UID
		for i := range each {
			add(t, a, Inbox, fmt.Sprintf("message %d\n", round*each+i), New{})
			uids = append(uids, index.UID(round*each+i+1))
		}
		moved := make(chan int, 2)
		for range 2 {
			b := openAccount(t, root, NewPool(""))
			from, to := openBox(t, b, Inbox), openBox(t, b, "To")
			must(t, from.Index().Sync())
			go func() {
				c, err := b.Move(from, uids, to)
				if err != nil {
					t.Error(err)
				}
				moved <- len(c.Source)
			}()
		}
		if n := <-moved + <-moved; n != each {
			t.Errorf("%d messages were moved; want %d", n, each)
		}
	}
	if got := show(t, openBox(t, a, "To")); len(got) != rounds*each {
		t.Errorf("%d messages are there; want %d", len(got), rounds*each)
	}
}
