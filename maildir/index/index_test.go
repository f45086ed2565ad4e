// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quill/maildir"
)

// newBox makes a Maildir with n messages named m000… in cur/.
func newBox(t testing.TB, n int) (*maildir.Maildir, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "Maildir")
	for _, d := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		drop(t, dir, fmt.Sprintf("cur/%d.m%03d:2,", 1700000000+i, i))
	}
	return openBox(t, dir), dir
}

func openBox(t testing.TB, dir string) *maildir.Maildir {
	t.Helper()
	m, err := maildir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// drop writes a message of 12 bytes whose content is told by its name.
func drop(t testing.TB, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("Subject: x\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, m *maildir.Maildir, opt Options) *Index {
	t.Helper()
	x, err := Open(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func takeIn(t testing.TB, x *Index) {
	t.Helper()
	if err := x.Sync(); err != nil {
		t.Fatal(err)
	}
}

// show is a view in short: UID, key, flags.
func show(v *View) (out []string) {
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.Message(seq)
		_, key, _ := strings.Cut(m.Key(), ".")
		out = append(out, fmt.Sprintf("%d %s %b", m.UID, key, m.Flags))
	}
	return out
}

// events in short.
func brief(evs []Event) (out []string) {
	for _, e := range evs {
		out = append(out, fmt.Sprintf("%c%d/%d", " +*-!"[e.Kind], e.Seq, e.Msg.UID))
	}
	return out
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s = %v; want %v", what, got, want)
	}
}

// names is what lies in a folder.
func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		out = append(out, e.Name())
	}
	return out
}

// TestOpen: UIDs in order of delivery, kept by the next who opens.
func TestOpen(t *testing.T) {
	m, dir := newBox(t, 2)
	drop(t, dir, "new/1699999999.old")
	drop(t, dir, "cur/1800000000.z:2,FSab")
	os.Mkdir(filepath.Join(dir, "cur/folder"), 0o700)
	drop(t, dir, "cur/.hidden")
	first := open(t, m, Options{}).View()
	all := []string{"1 old 0", "2 m000 0", "3 m001 0", "4 z 101"}
	want(t, "messages", show(first), all)
	want(t, "UIDNEXT", first.UIDNext(), 5)
	if msg := first.Message(1); !msg.New || msg.Size != 12 || msg.Measured() || time.Since(msg.InternalDate()) > time.Minute {
		t.Errorf("message 1 = %+v; want in new/, 12 bytes, not measured, now", msg)
	}
	x := open(t, openBox(t, dir), Options{})
	again := x.View()
	want(t, "messages again", show(again), all)
	if first.UIDValidity() != again.UIDValidity() || first.MailboxID() != again.MailboxID() || x.Stats().Rebuilds != 0 {
		t.Errorf("UIDVALIDITY %d, then %d, rebuilds %d; want the same, none", first.UIDValidity(), again.UIDValidity(), x.Stats().Rebuilds)
	}
}

// TestForeign: what mutt, mv and rm do is told as events in order.
func TestForeign(t *testing.T) {
	m, dir := newBox(t, 4)
	x := open(t, m, Options{})
	v := x.View()
	os.Rename(dir+"/cur/1700000001.m001:2,", dir+"/cur/1700000001.m001:2,FS")
	os.Remove(dir + "/cur/1700000000.m000:2,")
	os.Remove(dir + "/cur/1700000002.m002:2,")
	drop(t, dir, "new/1700000009.n")
	takeIn(t, x)
	want(t, "events but expunges", brief(v.Update(false)), "[*2/2 +5/5]")
	want(t, "messages held", show(v), "[1 m000 0 2 m001 101 3 m002 0 4 m003 0 5 n 0]")
	want(t, "events", brief(v.Update(true)), "[-1/1 -2/3]")
	want(t, "messages", show(v), "[2 m001 101 4 m003 0 5 n 0]")
	want(t, "nothing more", brief(v.Update(true)), "[]")
	gone, known := x.Vanished(0)
	want(t, "vanished", fmt.Sprint(gone, known), "[{1 1} {3 3}] true")
	gone, _ = x.Vanished(v.HighestModSeq())
	want(t, "vanished since now", gone, "[]")

	os.Rename(dir+"/new/1700000009.n", dir+"/cur/1700000009.n:2,") // the same message elsewhere
	takeIn(t, x)
	want(t, "events of a move to cur/", brief(v.Update(true)), "[]")
	f, err := x.File(5)
	if err != nil {
		t.Fatalf("open after the move: %v", err)
	}
	f.Close()
}

// TestStore: flags go to the file's name and to other handles, keywords to these.
func TestStore(t *testing.T) {
	m, dir := newBox(t, 3)
	drop(t, dir, "new/1700000009.n")
	x, y := open(t, m, Options{}), open(t, openBox(t, dir), Options{})
	v, w := x.View(), y.View()
	time.Sleep(2 * tick)
	takeIn(t, x)
	scans := x.Stats().Scans
	for _, st := range []struct {
		uids []UID
		st   Store
	}{
		{[]UID{1, 2, 77}, Store{Op: Add, Flags: Seen | Flagged, Keywords: []string{"$Junk", "Work"}}},
		{[]UID{2}, Store{Op: Remove, Flags: Seen, Keywords: []string{"$jUNK", "unknown"}}},
		{[]UID{4}, Store{Op: Replace, Flags: Deleted}},
		{[]UID{4}, Store{Op: Replace, Flags: Deleted}}, // changes nothing
	} {
		if spared, err := x.Store(st.uids, st.st); err != nil || spared != nil {
			t.Fatalf("store %+v: %v, %v", st, spared, err)
		}
	}
	want(t, "events", brief(v.Update(true)), "[*1/1 *2/2 *4/4]")
	want(t, "keywords", v.Keywords(), "[$Junk Work]")
	want(t, "bits", fmt.Sprint(v.Message(1).Keywords, v.Message(2).Keywords), "3 2")
	want(t, "cur/", names(t, dir+"/cur"), "[1700000000.m000:2,FS 1700000001.m001:2,F 1700000002.m002:2, 1700000009.n:2,T]")
	takeIn(t, x)
	want(t, "scans for changes of our own", x.Stats().Scans-scans, 0)
	takeIn(t, y)
	want(t, "events of the other", brief(w.Update(true)), brief([]Event{{Changed, 1, *v.Message(1)}, {Changed, 2, *v.Message(2)}, {Changed, 4, *v.Message(4)}}))
	want(t, "view of the other", show(w), show(v))

	since := v.Message(1).ModSeq
	spared, err := y.Store([]UID{1, 2}, Store{Op: Add, Flags: Draft, Unchanged: &since})
	want(t, "UNCHANGEDSINCE spared", fmt.Sprint(spared, err), "[2] <nil>")
	if _, err := x.Store([]UID{1}, Store{Keywords: []string{"a b"}}); !errors.Is(err, ErrKeyword) {
		t.Errorf("bad keyword: %v", err)
	}
	for i := range KeywordsMax {
		_, err = x.Store([]UID{1}, Store{Op: Add, Keywords: []string{fmt.Sprint("k", i)}})
	}
	if !errors.Is(err, ErrKeywords) {
		t.Errorf("too many keywords: %v", err)
	}
}

// TestFlush: a change of very many messages is whole at once, their files' names
// later, and other handles see no change in that.
func TestFlush(t *testing.T) {
	m, dir := newBox(t, 2*flushMax+5)
	x := open(t, m, Options{})
	var uids []UID
	for i := range 2*flushMax + 5 {
		uids = append(uids, UID(i+1))
	}
	if _, err := x.Store(uids, Store{Op: Add, Flags: Seen}); err != nil {
		t.Fatal(err)
	}
	seen := func() (n int) {
		for _, name := range names(t, dir+"/cur") {
			n += int(nameFlags(name) & Seen)
		}
		return n
	}
	want(t, "files renamed at once", seen(), flushMax)
	y := open(t, openBox(t, dir), Options{})
	v := y.View()
	want(t, "last one for another handle", v.Message(v.Len()).Flags, Seen)
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	want(t, "files renamed", seen(), 2*flushMax+5)
	time.Sleep(2 * tick)
	takeIn(t, y)
	want(t, "events of the other", brief(v.Update(true)), "[]")
}

// TestOwnAmidForeign: foreign changes at about the time of our own are seen: those
// before it at once, whenever the recheck is, and those amid it at the recheck.
func TestOwnAmidForeign(t *testing.T) {
	for _, recheck := range []time.Duration{30 * time.Millisecond, time.Hour} {
		m, dir := newBox(t, 3)
		x := open(t, m, Options{Recheck: recheck})
		time.Sleep(2 * tick)
		takeIn(t, x)
		err := x.update(func() error {
			os.Rename(dir+"/cur/1700000001.m001:2,", dir+"/cur/1700000001.m001:2,S")
			os.Remove(dir + "/cur/1700000002.m002:2,")
			drop(t, dir, "new/1700000009.n")
			_, err := x.store([]UID{1}, Store{Op: Add, Flags: Flagged})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * tick)
		takeIn(t, x)
		want(t, fmt.Sprint("messages with recheck after ", recheck), show(x.View()), "[1 m000 100 2 m001 1 4 n 0]")
	}
}

// TestSameTick: an mtime that is new, or a little ahead, proves nothing; one far
// ahead was set by hand and causes no scans.
func TestSameTick(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	soon, late := time.Now().Add(skew/2), time.Now().Add(time.Hour)
	time.Sleep(2 * tick)
	takeIn(t, x)
	stamp := func(at time.Time, folders ...string) {
		for _, d := range folders {
			if err := os.Chtimes(dir+d, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	stamp(soon, "/new")
	takeIn(t, x)
	drop(t, dir, "new/1700000008.n")
	stamp(soon, "/new")
	takeIn(t, x)
	want(t, "messages after a delivery in the same tick", show(x.View()), "[1 m000 0 2 n 0]")
	stamp(soon, "/cur")
	takeIn(t, x)
	os.Rename(dir+"/cur/1700000000.m000:2,", dir+"/cur/1700000000.m000:2,S")
	stamp(soon, "/cur")
	takeIn(t, x)
	want(t, "messages after a rename in the same tick", show(x.View()), "[1 m000 1 2 n 0]")
	stamp(late, "/new", "/cur")
	takeIn(t, x)
	scans := x.Stats().Scans
	takeIn(t, x)
	want(t, "scans of folders from the future", x.Stats().Scans-scans, 0)
}

// TestRecheck: the folders are read again some time after changes of our own.
func TestRecheck(t *testing.T) {
	m, _ := newBox(t, 3)
	x := open(t, m, Options{Recheck: 10 * time.Millisecond})
	time.Sleep(2 * tick)
	takeIn(t, x)
	if _, err := x.Store([]UID{1}, Store{Op: Add, Flags: Flagged}); err != nil {
		t.Fatal(err)
	}
	scans := x.Stats().Scans
	time.Sleep(2 * tick)
	takeIn(t, x)
	want(t, "scans", x.Stats().Scans-scans, 2)
	takeIn(t, x)
	want(t, "scans, once more", x.Stats().Scans-scans, 2)
}

// TestExpungeFails: what cannot be deleted stays, with its UID.
func TestExpungeFails(t *testing.T) {
	m, dir := newBox(t, 2)
	x := open(t, m, Options{})
	file := dir + "/cur/1700000000.m000:2,"
	os.Remove(file)
	os.Mkdir(file, 0o700)
	for _, uids := range [][]UID{{1}, {1, 2}} {
		if err := x.Expunge(uids); err == nil {
			t.Errorf("expunge of %v, of which 1 is a folder: no error", uids)
		}
	}
	want(t, "messages", show(x.View()), "[1 m000 0]")
	if err := x.Sync(); err != nil {
		t.Errorf("then: %v", err)
	}
	var kinds []kind
	log, _ := os.ReadFile(filepath.Join(dir, logName(x.s.gen)))
	for b := log; len(b) > 0; {
		rec, n := nextRecord(b)
		if n == 0 {
			t.Fatal("bad record in the log")
		}
		if rec.kind == kindIntent || rec.kind == kindExpunge {
			kinds = append(kinds, rec.kind)
		}
		b = b[n:]
	}
	want(t, "intents and expunges in the log", kinds, []kind{kindIntent, kindIntent, kindIntent, kindExpunge})
}

func TestExpunge(t *testing.T) {
	m, dir := newBox(t, 4)
	x := open(t, m, Options{})
	v := x.View()
	os.Rename(dir+"/cur/1700000001.m001:2,", dir+"/cur/1700000001.m001:2,S")
	if err := x.Expunge([]UID{2, 4, 9}); err != nil {
		t.Fatal(err)
	}
	want(t, "events", brief(v.Update(true)), "[-2/2 -3/4]")
	want(t, "cur/", names(t, dir+"/cur"), "[1700000000.m000:2, 1700000002.m002:2,]")
	drop(t, dir, "new/1700000009.n")
	takeIn(t, x)
	want(t, "the next UID", brief(v.Update(true)), "[+3/5]")
	if _, err := x.File(2); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of an expunged message: %v", err)
	}
}

// TestExpungeCutOff: an intent that a crash left is done by the next, also when
// the file got another name meanwhile.
func TestExpungeCutOff(t *testing.T) {
	m, dir := newBox(t, 3)
	x := open(t, m, Options{})
	err := x.update(func() error {
		err := x.intend([]Range{{1, 2}})
		size, _ := x.logSize()
		if m, ok := readMark(x.lock); !ok || m.len != size || len(x.pend) > 0 {
			t.Errorf("the intent is not on disk: %d of %d bytes", m.len, size)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	os.Rename(dir+"/cur/1700000001.m001:2,", dir+"/cur/1700000001.m001:2,S")
	drop(t, dir, "new/1700000009.n")
	want(t, "messages", show(open(t, m, Options{}).View()), "[3 m002 0 4 n 0]")
	want(t, "cur/", names(t, dir+"/cur"), "[1700000002.m002:2,]")
}

func TestSettle(t *testing.T) {
	m, dir := newBox(t, 0)
	drop(t, dir, "new/1.a")
	drop(t, dir, "new/2.b")
	x := open(t, m, Options{})
	if err := x.Settle(uidMax); err != nil {
		t.Fatal(err)
	}
	want(t, "cur/", names(t, dir+"/cur"), "[1.a:2, 2.b:2,]")
	want(t, "new/", names(t, dir+"/new"), "[]")
}

// TestRotate: a long log becomes a snapshot, and other handles go along.
func TestRotate(t *testing.T) {
	m, dir := newBox(t, 2)
	opt := Options{logMin: 2000}
	x, y := open(t, m, opt), open(t, openBox(t, dir), opt)
	w := y.View()
	for i := range 61 {
		op := Add
		if i%2 == 1 {
			op = Remove
		}
		if _, err := x.Store([]UID{1}, Store{Op: op, Keywords: []string{"k"}, Flags: Seen}); err != nil {
			t.Fatal(err)
		}
	}
	if x.Stats().Rotates == 0 {
		t.Fatalf("no rotation in %d bytes of log", x.good)
	}
	takeIn(t, y)
	want(t, "events of the other", brief(w.Update(true)), "[*1/1]")
	want(t, "modseqs", w.HighestModSeq(), x.View().HighestModSeq())
	logs, _ := filepath.Glob(dir + "/qx.log.*")
	want(t, "logs", len(logs), 1)
	want(t, "rebuilds", y.Stats().Rebuilds+x.Stats().Rebuilds, 1)
	z := open(t, openBox(t, dir), Options{})
	want(t, "as read anew", show(z.View()), show(w))
}

// TestValidityGrows: also when indexes are made faster than the clock ticks, and
// for all folders of one root.
func TestValidityGrows(t *testing.T) {
	root, _ := newBox(t, 0)
	last := uint32(0)
	for range 3 {
		m, dir := newBox(t, 1)
		for range 2 {
			x := open(t, m, Options{Root: root})
			v := x.View().UIDValidity()
			if v <= last {
				t.Errorf("UIDVALIDITY %d after %d", v, last)
			}
			last = v
			x.Close()
			os.Remove(dir + "/qx.snap")
		}
	}
}

// TestDeletedUnderView: the index goes while a session has it open.
func TestDeletedUnderView(t *testing.T) {
	m, dir := newBox(t, 2)
	x := open(t, m, Options{})
	v := x.View()
	old := v.UIDValidity()
	for _, f := range []string{"qx.snap", "qx.lock"} {
		os.Remove(dir + "/" + f)
	}
	takeIn(t, x)
	want(t, "events", brief(v.Update(true)), "[!0/0]")
	if v.UIDValidity() <= old || v.Len() != 2 {
		t.Errorf("UIDVALIDITY %d after %d, %d messages", v.UIDValidity(), old, v.Len())
	}
}

// TestExpungeDeleted: who looked and then expunges takes no message from which the
// flag is gone meanwhile.
func TestExpungeDeleted(t *testing.T) {
	m, _ := newBox(t, 3)
	x, y := open(t, m, Options{}), open(t, m, Options{})
	if _, err := x.Store([]UID{1, 2}, Store{Op: Add, Flags: Deleted}); err != nil {
		t.Fatal(err)
	}
	if _, err := y.Store([]UID{2}, Store{Op: Remove, Flags: Deleted}); err != nil {
		t.Fatal(err)
	}
	if err := x.ExpungeDeleted([]UID{1, 2}); err != nil {
		t.Fatal(err)
	}
	v := x.View()
	if _, ok := v.Seq(2); v.Len() != 2 || !ok {
		t.Errorf("%d messages are left, UID 2 among them: %v; want 2, true", v.Len(), ok)
	}
}

func TestBusy(t *testing.T) {
	m, _ := newBox(t, 1)
	x, y := open(t, m, Options{}), open(t, m, Options{Wait: 20 * time.Millisecond})
	x.update(func() error {
		if err := y.Flush(); !errors.Is(err, ErrBusy) {
			t.Errorf("while another has the lock: %v", err)
		}
		return nil
	})
	if err := y.Flush(); err != nil {
		t.Errorf("then: %v", err)
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		in   []UID
		want []Range
	}{
		{nil, nil},
		{[]UID{3, 1, 2, 2, 7}, []Range{{1, 3}, {7, 7}}},
	} {
		if got := Ranges(c.in); !reflect.DeepEqual(got, c.want) {
			t.Errorf("Ranges(%v) = %v; want %v", c.in, got, c.want)
		}
	}
	if !slices.Equal(join([]Range{{5, 6}, {1, 2}, {3, 3}, {9, 9}}), []Range{{1, 3}, {5, 6}, {9, 9}}) {
		t.Error("join does not join")
	}
}
