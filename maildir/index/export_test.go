// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quill/internal/killtest"
	"quill/maildir"
)

func exportBox(t *testing.T, dir string) Exported {
	t.Helper()
	done, err := Export(openBox(t, dir), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func text(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What Export writes, and that it is taken over as it was.
func TestExport(t *testing.T) {
	m, dir := newBox(t, 0)
	drop(t, dir, "cur/1.a:2,Sbz")
	drop(t, dir, "cur/2.b,S=12,W=14:2,")
	drop(t, dir, "new/3.c")
	drop(t, dir, "new/4.d")
	put(t, dir, dovecotList, "3 V17 N9 Gbf5adf061ce6096bbb5e000083ecc375\n5 P77 G1 :1.a\n6 :gone\n7 P8 :2.b,S=12,W=14\n")
	put(t, dir, dovecotKeywords, "1 Foo\n")
	for _, old := range []string{"dovecot.index", "dovecot.index.log.2", "dovecot.list.index.log", "qx.cache"} {
		put(t, dir, old, "old")
	}
	x := open(t, m, Options{})
	for _, st := range []struct {
		uid UID
		Store
	}{{5, Store{Op: Add, Flags: Passed, Keywords: []string{"Bar"}}}, {10, Store{Op: Add, Keywords: []string{"Bar"}}},
		{7, Store{Op: Add, Keywords: []string{"Unused"}}}, {7, Store{Op: Remove, Keywords: []string{"Unused"}}}} {
		if _, err := x.Store([]UID{st.uid}, st.Store); err != nil {
			t.Fatal(err)
		}
	}
	before := seenBy(x.View())
	modseq := x.View().HighestModSeq()
	x.Close()
	done := exportBox(t, dir)
	if done.Messages != 4 || done.ModSeq < modseq || len(done.Lost) != 0 {
		t.Errorf("done %+v; want 4 messages, at least modseq %d, nothing lost", done, modseq)
	}
	if got, want := text(t, dir, dovecotKeywords), "0 $Forwarded\n1 Foo\n2 Bar\n"; got != want {
		t.Errorf("keywords %q; want %q", got, want)
	}
	want := "3 V17 N11 Gbf5adf061ce6096bbb5e000083ecc375\n5 S12 P77 G1 :1.a:2,Sabc\n7 P8 :2.b,S=12,W=14:2,\n9 S12 :3.c\n10 S12 :4.d:2,c\n"
	if got := text(t, dir, dovecotList); got != want {
		t.Errorf("list\n%swant\n%s", got, want)
	}
	names, err := filepath.Glob(dir + "/*")
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	if want := []string{"cur", dovecotKeywords, dovecotList, "new", exportedFile, lockFile, validFile, "tmp"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("left %v; want %v", names, want)
	}
	if _, err := Stat(openBox(t, dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat of no index: %v", err)
	}
	again := open(t, openBox(t, dir), Options{})
	if got := seenBy(again.View()); sorted(got) != sorted(before) {
		t.Errorf("taken over again:\n%swant\n%s", got, before)
	}
	if got := again.View().HighestModSeq(); got <= modseq {
		t.Errorf("HIGHESTMODSEQ went back from %d to %d", modseq, got)
	}
	if _, err := os.Stat(filepath.Join(dir, exportedFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s stays when there is an index again: %v", exportedFile, err)
	}
}

// sorted is a text of seenBy with the words of each line in order.
func sorted(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		words := strings.Fields(lines[i])
		slices.Sort(words)
		lines[i] = strings.Join(words, " ")
	}
	return strings.Join(lines, "\n")
}

// Letters are for 26 keywords; who loses one is said.
func TestExportTooMany(t *testing.T) {
	m, dir := newBox(t, 2)
	x := open(t, m, Options{})
	var words []string
	for i := range letterMax + 1 {
		words = append(words, fmt.Sprintf("k%02d", i))
	}
	if _, err := x.Store([]UID{1, 2}, Store{Op: Add, Keywords: words}); err != nil {
		t.Fatal(err)
	}
	x.Close()
	done := exportBox(t, dir)
	if want := []string{"keyword k26 of 2 messages: Dovecot's names have letters for 26"}; !slices.Equal(done.Lost, want) {
		t.Errorf("lost %q; want %q", done.Lost, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "cur/1700000000.m000:2,abcdefghijklmnopqrstuvwxyz")); err != nil {
		t.Error(err)
	}
}

func TestExportLocked(t *testing.T) {
	m, dir := newBox(t, 1)
	put(t, dir, dovecotList+".lock", "")
	if _, err := Export(m, Options{}); err == nil || !strings.Contains(err.Error(), "stop Dovecot") {
		t.Errorf("export beside Dovecot: %v", err)
	}
}

// A snapshot that was put aside counts only where there is no index.
func TestExportThenNew(t *testing.T) {
	m, dir := newBox(t, 1)
	open(t, m, Options{}).Close()
	exportBox(t, dir)
	put(t, dir, dovecotList, "broken")
	old := text(t, dir, exportedFile)
	v := open(t, openBox(t, dir), Options{}).View()
	if v.Len() != 1 || v.Message(1).UID != 1 {
		t.Errorf("a broken list after an export: %d messages", v.Len())
	}
	put(t, dir, exportedFile, old) // as after a crash
	put(t, dir, dovecotList, "1 17 9\n")
	if err := os.Remove(filepath.Join(dir, snapFile)); err != nil {
		t.Fatal(err)
	}
	if v := open(t, openBox(t, dir), Options{}).View(); v.UIDValidity() == 17 {
		t.Error("a list from before our index was taken over")
	}
}

// What Check finds, and that Rebuild mends it and keeps keywords.
func TestCheckRebuild(t *testing.T) {
	m, dir := newBox(t, 3)
	if wrong, pending, err := Check(m); err != nil || len(wrong) != 0 || pending != 0 {
		t.Fatalf("no index: %q, %d, %v", wrong, pending, err)
	}
	x := open(t, m, Options{Recheck: 1})
	if _, err := x.Store([]UID{2}, Store{Op: Add, Flags: Seen, Keywords: []string{"Foo"}}); err != nil {
		t.Fatal(err)
	}
	check := func(what string, want ...string) {
		t.Helper()
		wrong, _, err := Check(m)
		ok := err == nil && len(wrong) == len(want)
		for i := range want {
			ok = ok && strings.Contains(wrong[i], want[i])
		}
		if !ok {
			t.Errorf("%s: wrong %q, %v; want %q", what, wrong, err, want)
		}
	}
	check("whole")
	if err := x.Measure(); err != nil {
		t.Fatal(err)
	}
	check("whole and measured")
	drop(t, dir, "new/9.x")
	if wrong, pending, err := Check(m); err != nil || len(wrong) != 0 || pending != 1 {
		t.Errorf("a delivery: %q, %d, %v; want 1 to take in", wrong, pending, err)
	}
	put(t, dir, "cur/1700000000.m000:2,", "Subject: longer\n\n")
	check("a size", "UID 1: file 1700000000.m000:2, has 17 bytes, 19 with CRLF; the index says 12, 14")
	f, err := Stat(m)
	if err != nil || f.Messages != 3 || f.Unseen != 2 || f.Bytes != 36 || f.UIDNext != 4 || f.Generation != 1 || f.Snapshot == 0 || f.Log == 0 {
		t.Errorf("stat: %+v, %v", f, err)
	}
	x.Close()
	b := []byte(text(t, dir, logName(1)))
	b[len(b)-1] ^= 1
	put(t, dir, logName(1), string(b))
	check("a log", "qx.log.1 ends at")
	kept, err := Rebuild(m, Options{})
	if err != nil || kept != 1 {
		t.Fatalf("rebuild kept keywords of %d, %v; want 1", kept, err)
	}
	check("rebuilt")
	v := open(t, openBox(t, dir), Options{}).View()
	if got, want := seenBy(v), fmt.Sprintf("V%d N5\n1 9.x\n2 1700000000.m000\n3 1700000001.m001 S Foo\n4 1700000002.m002\n", v.UIDValidity()); got != want || v.UIDValidity() <= f.UIDValidity {
		t.Errorf("rebuilt, after UIDVALIDITY %d:\n%swant\n%s", f.UIDValidity, got, want)
	}
	if err := os.Remove(filepath.Join(dir, snapFile)); err != nil {
		t.Fatal(err)
	}
	check("no snapshot", "qx.snap: no such file")
}

// giver gives a folder back and takes it over, again and again.
func giver(dir string) error {
	m, err := maildir.Open(dir)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		for _, export := range []func(*maildir.Maildir, Options) (Exported, error){ExportCourier, Export} {
			x, err := Open(m, Options{})
			if err != nil {
				return err
			}
			if err := errors.Join(x.Flush(), x.Close()); err != nil { // the names say P again
				return err
			}
			if _, err := export(m, Options{}); err != nil {
				return err
			}
		}
	}
}

// Whenever an export or the taking over after it is killed, UIDVALIDITY, UIDs,
// flags and keywords stay.
func TestExportKilled(t *testing.T) {
	m, dir := newBox(t, 12)
	x := open(t, m, Options{})
	for i, word := range []string{"Foo", "Bar", "Foo"} {
		if _, err := x.Store([]UID{UID(2 + 3*i), 11}, Store{Op: Add, Flags: Passed, Keywords: []string{word}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Expunge([]UID{12}); err != nil {
		t.Fatal(err)
	}
	want := sorted(seenBy(x.View()))
	x.Close()
	for round := range 20 {
		killtest.Run(t, "gives back", dir, time.Duration(rand.IntN(30_000))*time.Microsecond)
		x := open(t, m, Options{})
		if got := sorted(seenBy(x.View())); got != want {
			t.Fatalf("round %d:\n%swant\n%s", round, got, want)
		}
		x.Close()
	}
}
