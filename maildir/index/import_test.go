// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func put(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// seenBy is what clients see of a folder: a line for each message.
func seenBy(v *View) string {
	var b strings.Builder
	fmt.Fprintf(&b, "V%d N%d\n", v.UIDValidity(), v.UIDNext())
	for i := 1; i <= v.Len(); i++ {
		m := v.Message(i)
		fmt.Fprintf(&b, "%d %s", m.UID, m.Key())
		for n, c := range letters {
			if m.Flags&(1<<n) != 0 {
				fmt.Fprintf(&b, " %c", c)
			}
		}
		for n, k := range v.Keywords() {
			if m.Keywords&(1<<n) != 0 {
				b.WriteString(" " + k)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// The three lists, as Dovecot 2.3 and Courier write them.
func TestTakeOver(t *testing.T) {
	box := func(t *testing.T) string {
		_, dir := newBox(t, 0)
		drop(t, dir, "cur/5.e,S=12,W=14:2,FSac")
		drop(t, dir, "cur/1.a:2,")
		drop(t, dir, "cur/3.c:2,Sb")
		drop(t, dir, "new/9.n")
		drop(t, dir, "cur/2.old:2,S")
		return dir
	}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"dovecot 3": {map[string]string{
			dovecotList:     "3 V1700000000 N40 Gbf5adf061ce6096bbb5e000083ecc375\n7 :5.e,S=12,W=14:2,S\n20 S12 W14 P7 O3 :1.a\n30 :gone:2,S\n44 G00 :3.c\n",
			dovecotKeywords: "0 $Label1\n2 $forwarded\n1 Foo\n",
		}, "V1700000000 N47\n7 5.e,S=12,W=14 S F P $Label1\n20 1.a\n44 3.c S Foo\n45 2.old S\n46 9.n\n"},
		"dovecot 1": {map[string]string{dovecotList: "1 1700000000 40\n7 3.c:2,S\n8 9.n\n"},
			"V1700000000 N43\n7 3.c S\n8 9.n\n40 1.a\n41 2.old S\n42 5.e,S=12,W=14 S F\n"},
		"courier": {map[string]string{
			courierList:                            "1 471382393 1000\n7 3.c\n8 5.e,S=12,W=14\n9 1.a\n10 2.old\n11 9.n\n",
			courierKeywords + "/:list":             "$Label1\nbad word\nJunk\n\n3.c:0 2\n5.e,S=12,W=14:2\ngone:0\n1.a:1 7 x\n2.old:0\n",
			courierKeywords + "/.7.5.e,S=12,W=14":  "Old\n",
			courierKeywords + "/.12.5.e,S=12,W=14": "New\nJunk\n",
			courierKeywords + "/2.old":             "\n",
			courierKeywords + "/.13.2.old":         "Old\n",
		}, "V471382393 N1000\n7 3.c S $Label1 Junk\n8 5.e,S=12,W=14 S F Junk New\n9 1.a\n10 2.old S\n11 9.n\n"},
		"a name twice, lines that are none, a line not finished": {map[string]string{
			dovecotList: "3 V1700000000 N4\n1 :3.c\n\nx\n2\n3 :\n4 :../x\n5 :1.a\n6 :3.c:2,S\n7 nocolon\n8 W9999 :5.e,S=12,W=14\n" +
				"9 " + strings.Repeat("X", lineMax) + " :9.n\n10 :2.o"},
			"V1700000000 N12\n5 1.a\n8 5.e,S=12,W=14 S F\n9 2.old S\n10 3.c S\n11 9.n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := box(t)
			for f, text := range tt.files {
				put(t, dir, f, text)
			}
			x := open(t, openBox(t, dir), Options{})
			if got := seenBy(x.View()); got != tt.want {
				t.Errorf("taken over:\n%swant\n%s", got, tt.want)
			}
			if err := x.Measure(); err != nil {
				t.Error(err)
			}
			for i := range x.s.msgs {
				if m := x.s.msgs[i]; m.Size != 12 || m.Wire != 14 {
					t.Errorf("%s has %d and %d bytes; want 12 and 14", m.Name, m.Size, m.Wire)
				}
			}
			if _, known := x.Vanished(20); known {
				t.Error("what was expunged before is said to be known")
			}
			again := open(t, openBox(t, dir), Options{})
			if got := seenBy(again.View()); got != tt.want {
				t.Errorf("opened again:\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// Lists that are refused as a whole: the folder gets a new UIDVALIDITY.
func TestTakeOverRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "no end": "3 V17 N9", "version": "2 17 9\n1 1.a\n", "nul": "\x00\x00\n",
		"zero validity": "3 V0 N9\n", "no validity": "3 N9 Gx\n", "zero next": "1 17 0\n", "no next": "3 V17 G00\n",
		"great validity": fmt.Sprintf("1 %d 9\n", uint64(validMax)+1), "validity": "1 4294967296 9\n", "sign": "1 +17 +9\n",
		"order": "1 17 9\n2 1.a\n1 1.b\n", "a UID twice": "1 17 9\n2 1.a\n2 1.b\n",
		"UID": fmt.Sprintf("1 17 9\n%d x\n", uint32(uidMax)), "next": fmt.Sprintf("1 17 %d\n", uint32(uidMax)),
	} {
		m, dir := newBox(t, 1)
		put(t, dir, dovecotList, text)
		x := open(t, m, Options{})
		if v := x.View(); v.UIDValidity() < uint32(time.Now().Add(-time.Hour).Unix()) || v.UIDNext() != 2 || v.Len() != 1 {
			t.Errorf("%s: V%d N%d, %d messages; want a new index", name, v.UIDValidity(), v.UIDNext(), v.Len())
		}
	}
}

// A list that cannot be a file, or lies elsewhere.
func TestTakeOverLinks(t *testing.T) {
	m, dir := newBox(t, 1)
	put(t, dir, "elsewhere/list", "1 17 9\n1 1700000000.m000\n")
	for _, name := range []string{dovecotList, dovecotKeywords, courierKeywords} {
		if err := os.Symlink("elsewhere/list", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, courierList), 0o700); err != nil {
		t.Fatal(err)
	}
	if v := open(t, m, Options{}).View(); v.UIDValidity() == 17 {
		t.Error("a list was read through a link")
	}
}

// Once we had an index, another server's list does not count: its UIDs are old.
func TestTakeOverOnce(t *testing.T) {
	text := "1 17 9\n5 1700000000.m000\n"
	for name, harm := range map[string]func(dir string) error{
		"snapshot gone": func(dir string) error { return os.Remove(filepath.Join(dir, snapFile)) },
		"snapshot cut":  func(dir string) error { return os.Truncate(filepath.Join(dir, snapFile), 100) },
		"log gone":      func(dir string) error { return os.Remove(filepath.Join(dir, logName(1))) },
		"all gone but logs": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, snapFile)), os.Remove(filepath.Join(dir, lockFile)))
		},
	} {
		m, dir := newBox(t, 1)
		x := open(t, m, Options{})
		if _, err := x.Store([]UID{1}, Store{Op: Add, Flags: Seen}); err != nil {
			t.Fatal(err)
		}
		x.Close()
		put(t, dir, dovecotList, text)
		if err := harm(dir); err != nil {
			t.Fatal(err)
		}
		if v := open(t, openBox(t, dir), Options{}).View(); v.UIDValidity() == 17 || v.Message(1).UID == 5 {
			t.Errorf("%s: the list was taken over", name)
		}
	}
	m, dir := newBox(t, 1)
	put(t, dir, dovecotList, text)
	put(t, dir, snapFile+".tmp", "cut off") // by a crash before anybody was told
	put(t, dir, logName(1), "")
	put(t, dir, lockFile, "") // a POP3 session's
	if v := open(t, m, Options{}).View(); v.UIDValidity() != 17 || v.Message(1).UID != 5 {
		t.Error("what a first try left behind keeps the list from being taken over")
	}
}

// Of two lists the one that was written last counts; the other is of a server
// that is used no more.
func TestTakeOverNewest(t *testing.T) {
	for _, last := range []string{dovecotList, courierList} {
		m, dir := newBox(t, 1)
		put(t, dir, dovecotList, "1 17 9\n5 1700000000.m000\n")
		put(t, dir, courierList, "1 18 9\n6 1700000000.m000\n")
		when := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(dir, last), when, when); err != nil {
			t.Fatal(err)
		}
		want := map[string]uint32{dovecotList: 17, courierList: 18}[last]
		if v := open(t, m, Options{}).View(); v.UIDValidity() != want {
			t.Errorf("%s was written last, and UIDVALIDITY is %d; want %d", last, v.UIDValidity(), want)
		}
	}
}

// The greatest UIDVALIDITY and UIDs that are taken over.
func TestTakeOverGreatest(t *testing.T) {
	for next, taken := range map[uint32]bool{uidMax - 1: true, uidMax: false} { // for one file without a UID
		m, dir := newBox(t, 1)
		put(t, dir, dovecotList, fmt.Sprintf("1 %d %d\n", uint32(validMax), next))
		if v := open(t, m, Options{}).View(); (v.UIDValidity() == validMax) != taken {
			t.Errorf("the next UID %d: UIDVALIDITY %d; taken over %v", next, v.UIDValidity(), taken)
		}
	}
}

// A UIDVALIDITY from now on is greater than all before.
func TestTakeOverValidity(t *testing.T) {
	m, dir := newBox(t, 1)
	put(t, dir, dovecotList, "1 4000000000 9\n")
	put(t, dir, dovecotValidity, "ee6b2805") // 4000000005
	open(t, m, Options{})
	sub := filepath.Join(dir, ".sub")
	for _, d := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(sub, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if v := open(t, openBox(t, sub), Options{Root: m}).View(); v.UIDValidity() != 4000000006 {
		t.Errorf("the next UIDVALIDITY is %d; want 4000000006", v.UIDValidity())
	}
}

// Letters of keywords stay in names when flags change.
func TestLettersStay(t *testing.T) {
	m, dir := newBox(t, 0)
	drop(t, dir, "cur/1.a:2,Sbz")
	put(t, dir, dovecotList, "1 17 9\n5 1.a\n")
	put(t, dir, dovecotKeywords, "1 Foo\n")
	x := open(t, m, Options{})
	if _, err := x.Store([]UID{5}, Store{Op: Replace, Flags: Flagged, Keywords: []string{"Bar"}}); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(filepath.Join(dir, "cur"))
	if err != nil || len(names) != 1 || names[0].Name() != "1.a:2,Fbz" {
		t.Errorf("cur/ has %v, %v; want 1.a:2,Fbz", names, err)
	}
	if got, want := seenBy(x.View()), "V17 N9\n5 1.a F Bar\n"; got != want {
		t.Errorf("told %q; want %q", got, want)
	}
}

// 100,000 entries.
func TestTakeOverMany(t *testing.T) {
	const n = 100_000
	var b strings.Builder
	fmt.Fprintf(&b, "3 V17 N%d\n", n+1)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "%d :%d.M1P2.host,S=4000,W=4100\n", i, 1700000000+i)
	}
	start := time.Now()
	l, err := parseList(strings.NewReader(b.String()), func(string) bool { return true })
	if err != nil || len(l.files) != n {
		t.Fatalf("%d files, %v; want %d", len(l.files), err, n)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("%d lines took %v", n, d)
	} else {
		t.Log(d)
	}
}

// The limits of what others have written, at their edges.
func TestForeignLimits(t *testing.T) {
	lines := &repeat{text: strings.Repeat("x\n", 1<<16), left: linesMax/(1<<16) + 1}
	err := eachLine(lines, listMax, func([]byte, bool) error { return nil })
	if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "lines") {
		t.Errorf("more than %d lines: %v", linesMax, err)
	}
	seen := 0
	count := func(line []byte, long bool) error { seen += len(line); return nil }
	if err := eachLine(strings.NewReader("12\n45\n"), 6, count); err != nil || seen != 4 {
		t.Errorf("6 bytes of 6: %v", err)
	}
	if err := eachLine(strings.NewReader("12\n456\n"), 6, count); !errors.Is(err, errRefused) {
		t.Errorf("7 bytes of 6: %v; want refused", err)
	}
	for n, want := range map[int]bool{lineMax - 1: false, lineMax: true} {
		eachLine(strings.NewReader(strings.Repeat("x", n)+"\n"), 1<<20, func(line []byte, long bool) error {
			if long != want || long == (len(line) == n) {
				t.Errorf("a line of %d bytes: long %v, %d shown", n, long, len(line))
			}
			return nil
		})
	}
}

// repeat reads a head, then a text some times.
type repeat struct {
	head, text string
	left       int
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.head == "" && r.left > 0 {
		r.head, r.left = r.text, r.left-1
	}
	n := copy(p, r.head)
	r.head = r.head[n:]
	if n == 0 {
		return 0, os.ErrClosed
	}
	return n, nil
}

func FuzzForeign(f *testing.F) {
	f.Add([]byte("3 V1700000000 N40 Gbf5adf061ce6096bbb5e000083ecc375\n7 :a:2,S\n20 S12 W14 P7 O3 :b\n"))
	f.Add([]byte("1 471382393 1000\n7 a\n8 b c\n"))
	f.Add([]byte("$Label1\n\na:0 0\n"))
	f.Add([]byte("0 $Label1\n25 x\n26 y\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all := func(string) bool { return true }
		l, err := parseList(strings.NewReader(string(b)), all)
		if err == nil {
			uids := slices.Sorted(maps.Keys(l.files))
			seen := make(map[UID]bool)
			for _, key := range uids {
				e := l.files[key]
				if e.uid == 0 || e.uid >= l.next || seen[e.uid] || !validName(key) || strings.Contains(key, ":") {
					t.Errorf("%q: UID %d of %d", key, e.uid, l.next)
				}
				seen[e.uid] = true
			}
			if l.valid == 0 || l.next == 0 || uint32(l.next) > uidMax {
				t.Errorf("V%d N%d", l.valid, l.next)
			}
		}
		parseCourier(strings.NewReader(string(b)), all)
		names, _ := parseLetters(strings.NewReader(string(b)))
		for _, name := range names {
			if name != "" && !ValidKeyword(name) {
				t.Errorf("keyword %q", name)
			}
		}
	})
}
