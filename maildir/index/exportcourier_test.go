// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func exportCourier(t *testing.T, dir string) Exported {
	t.Helper()
	done, err := ExportCourier(openBox(t, dir), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func mkdir(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
}

// namesOf is what matches the pattern in dir.
func namesOf(t *testing.T, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i], _ = filepath.Rel(dir, names[i])
	}
	return names
}

// What ExportCourier writes of a folder that was Dovecot's and Courier's before,
// and that it is taken over as it was.
func TestExportCourier(t *testing.T) {
	m, dir := newBox(t, 0)
	for _, name := range []string{"cur/1.a:2,PSbz", "cur/2.b,S=12,W=14", "new/3.c", "new/4.d:2,F", "cur/5.e:2,S:x"} {
		drop(t, dir, name)
	}
	put(t, dir, courierList, "1 17 9\n5 1.a\n6 gone\n7 2.b,S=12,W=14\n")
	put(t, dir, dovecotKeywords, "1 Foo\n")
	mkdir(t, dir, courierKeywords)
	put(t, dir, courierKeywords+"/:list", "Old\nLate\n\n2.b,S=12,W=14:0\n3.c:1 0\n")
	put(t, dir, courierKeywords+"/.1.3.c", "Foo\nOld\n")
	put(t, dir, courierKeywords+"/5.e", "")
	x := open(t, m, Options{})
	for _, st := range []struct {
		uid UID
		Store
	}{{9, Store{Op: Add, Keywords: []string{"Bar"}}}, {9, Store{Op: Remove, Keywords: []string{"Old"}}},
		{7, Store{Op: Add, Flags: Flagged | Passed}}, {5, Store{Op: Add, Keywords: []string{"bar"}}}} {
		if _, err := x.Store([]UID{st.uid}, st.Store); err != nil {
			t.Fatal(err)
		}
	}
	before, modseq := seenBy(x.View()), x.View().HighestModSeq()
	x.Close()
	for _, old := range []string{"dovecot.index", "dovecot.list.index.log", dovecotList} {
		put(t, dir, old, "old")
	}
	done := exportCourier(t, dir)
	if done.Messages != 5 || done.ModSeq < modseq || len(done.Lost) != 0 {
		t.Errorf("done %+v; want 5 messages, at least modseq %d, nothing lost", done, modseq)
	}
	if got, want := text(t, dir, courierList), "1 17 12\n5 1.a\n7 2.b,S=12,W=14\n9 3.c\n10 4.d\n11 5.e\n"; got != want {
		t.Errorf("list\n%swant\n%s", got, want)
	}
	if got, want := text(t, dir, courierKeywords+"/:list"), "$Forwarded\nFoo\nBar\nOld\n\n1.a:0 1 2\n2.b,S=12,W=14:0 3\n3.c:1 2\n"; got != want {
		t.Errorf("keywords\n%swant\n%s", got, want)
	}
	if got, want := namesOf(t, dir, "???/*"), []string{"cur/1.a:2,S", "cur/2.b,S=12,W=14:2,F", "cur/3.c:2,", "cur/4.d:2,F", "cur/5.e:2,S"}; !slices.Equal(got, want) {
		t.Errorf("messages %q; want %q", got, want)
	}
	if got, want := namesOf(t, dir, "*"), []string{courierKeywords, courierList, "cur", "new", exportedFile, lockFile, validFile, "tmp"}; !slices.Equal(got, want) {
		t.Errorf("left %q; want %q", got, want)
	}
	again := open(t, openBox(t, dir), Options{})
	if got := seenBy(again.View()); sorted(got) != sorted(before) {
		t.Errorf("taken over again:\n%swant\n%s", got, before)
	}
	if got := again.View().HighestModSeq(); got <= modseq {
		t.Errorf("HIGHESTMODSEQ went back from %d to %d", modseq, got)
	}
}

// Whatever was given back to one server, what the other kept before counts no more.
func TestExportToTheOther(t *testing.T) {
	m, dir := newBox(t, 2)
	x := open(t, m, Options{})
	store := func(op Op, words ...string) {
		t.Helper()
		if _, err := x.Store([]UID{1}, Store{Op: op, Keywords: words}); err != nil {
			t.Fatal(err)
		}
	}
	store(Add, "A", "B")
	for round, export := range []func(*testing.T, string) Exported{exportCourier, exportBox, exportCourier} {
		store(Remove, "A")
		store(Add, fmt.Sprintf("k%d", round))
		want := sorted(seenBy(x.View()))
		x.Close()
		export(t, dir)
		x = open(t, openBox(t, dir), Options{})
		if got := sorted(seenBy(x.View())); got != want {
			t.Errorf("round %d:\n%swant\n%s", round, got, want)
		}
		store(Add, "A")
	}
	store(Replace)
	x.Close()
	exportCourier(t, dir)
	if got := namesOf(t, dir, courierKeywords+"/*"); len(got) != 0 {
		t.Errorf("without any keyword: %q", got)
	}
}

// All keywords that a message can have are taken there and back.
func TestExportCourierMany(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	var words []string
	for i := range KeywordsMax {
		words = append(words, fmt.Sprintf("k%02d", i))
	}
	if _, err := x.Store([]UID{1}, Store{Op: Add, Flags: Passed, Keywords: words}); err != nil {
		t.Fatal(err)
	}
	want := sorted(seenBy(x.View()))
	x.Close()
	exportCourier(t, dir)
	again := open(t, openBox(t, dir), Options{})
	if got := sorted(seenBy(again.View())); got != want || strings.Count(want, " k") != KeywordsMax {
		t.Errorf("%d keywords and $Forwarded:\n%swant\n%s", KeywordsMax, got, want)
	}
}

// A name with a newline has no line; that its UID is lost is said.
func TestExportCourierNewline(t *testing.T) {
	m, dir := newBox(t, 1)
	drop(t, dir, "cur/9.x\n8 9.y:2,")
	x := open(t, m, Options{})
	if _, err := x.Store([]UID{1}, Store{Op: Add, Keywords: []string{"Foo"}}); err != nil {
		t.Fatal(err)
	}
	valid := x.View().UIDValidity()
	x.Close()
	if got, want := exportCourier(t, dir).Lost, []string{`UID 1: its file's name "9.x\n8 9.y:2," has a newline`}; !slices.Equal(got, want) {
		t.Errorf("lost %q; want %q", got, want)
	}
	if got, want := text(t, dir, courierList), fmt.Sprintf("1 %d 3\n2 1700000000.m000\n", valid); got != want {
		t.Errorf("list %q; want %q", got, want)
	}
	if got := namesOf(t, dir, courierKeywords+"/*"); len(got) != 0 {
		t.Errorf("keywords: %q", got)
	}
}

// After an error the folder is ours, with all flags and keywords, and the export
// can be done again.
func TestExportCourierFails(t *testing.T) {
	m, dir := newBox(t, 2)
	x := open(t, m, Options{})
	if _, err := x.Store([]UID{1, 2}, Store{Op: Add, Flags: Passed, Keywords: []string{"Foo"}}); err != nil {
		t.Fatal(err)
	}
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	want := seenBy(x.View())
	x.Close()
	stays := func(what string) {
		t.Helper()
		x := open(t, openBox(t, dir), Options{})
		defer x.Close()
		if got := seenBy(x.View()); got != want {
			t.Errorf("after an error for %s:\n%swant\n%s", what, got, want)
		}
		if err := x.Flush(); err != nil {
			t.Error(err)
		}
	}
	remove := func(name string) {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ what, name, want string }{
		{"Courier's lock", courierLock, "tmp/courier.lock is there: stop Courier"},
		{"a file in place of a folder", courierKeywords, "not a directory"},
		{"a folder in place of a list", courierList + "/", "rename " + courierList},
		{"a folder in place of what goes aside", exportedFile + "/", "rename " + snapFile},
	} {
		if name, ok := strings.CutSuffix(c.name, "/"); ok {
			os.Remove(filepath.Join(dir, name)) // of the one before
			mkdir(t, dir, name)
		} else {
			put(t, dir, c.name, "")
		}
		if _, err := ExportCourier(openBox(t, dir), Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.what, err, c.want)
		}
		stays(c.what)
		remove(strings.TrimSuffix(c.name, "/"))
	}
	exportCourier(t, dir)
	if _, err := Stat(openBox(t, dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat of no index: %v", err)
	}
	stays("nothing")
}

// A crash amid the renames costs no $Forwarded, and brings none back.
func TestExportCutOff(t *testing.T) {
	for _, name := range []func(*Message) string{courierName, func(m *Message) string { return letterName(m, 1) }} {
		m, dir := newBox(t, 3)
		x := open(t, m, Options{})
		if _, err := x.Store([]UID{1, 2, 3}, Store{Op: Add, Flags: Passed}); err != nil {
			t.Fatal(err)
		}
		if err := x.Flush(); err != nil {
			t.Fatal(err)
		}
		cleared := record{kind: kindFlags, change: change{off: Passed}, uids: []Range{{3, 3}}} // which the name does not say yet
		if err := x.update(func() error { return x.put(cleared) }); err != nil {
			t.Fatal(err)
		}
		want := seenBy(x.View())
		crash := errors.New("crash")
		err := x.update(func() error {
			moves := x.respellings(name)
			if len(moves) != 3 {
				t.Errorf("%d files get names; want 3", len(moves))
			}
			if err := x.unsayPassed(moves); err != nil {
				return err
			}
			if err := m.Rename(moves[0].from, moves[0].fresh, moves[0].to); err != nil {
				return err
			}
			return crash
		})
		if !errors.Is(err, crash) {
			t.Fatal(err)
		}
		x.drop()
		if got := seenBy(open(t, openBox(t, dir), Options{}).View()); got != want {
			t.Errorf("after a crash:\n%swant\n%s", got, want)
		}
	}
}
