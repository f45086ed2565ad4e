// SPDX-License-Identifier: ISC

package index

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quill/internal/killtest"
	"quill/maildir"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(noSyncEnv); dir != "" {
		fmt.Println("error:", noSync(dir))
		os.Exit(1)
	}
	killtest.Main(m, map[string]func(dir string) error{"changes": child, "gives back": giver})
}

// child changes the Maildir at random until it is killed, and says before each
// step what it is about to do ("?") and after it what it was told ("!").
func child(dir string) error {
	m, err := maildir.Open(dir)
	if err != nil {
		return err
	}
	x, err := Open(m, Options{Recheck: 10 * time.Millisecond, logMin: 3000})
	if err != nil {
		return err
	}
	v := x.View() // which dies with the program
	fmt.Println("! open", v.UIDValidity())
	for n := 0; ; n++ {
		v.Update(true)
		var uid UID
		if v.Len() > 0 {
			uid = v.Message(1 + rand.IntN(v.Len())).UID
		}
		switch k := rand.IntN(5); {
		case k < 2 && v.Len() < 40 || uid == 0:
			name := fmt.Sprintf("%d.p%d_%d", time.Now().Unix(), os.Getpid(), n)
			fmt.Println("? add", name)
			if err := os.WriteFile(filepath.Join(dir, "tmp", name), []byte("x\n"), 0o600); err != nil {
				return err
			}
			if err := os.Rename(filepath.Join(dir, "tmp", name), filepath.Join(dir, "new", name)); err != nil {
				return err
			}
			msg, err := x.Adopt(name, Attr{Digest: digestFor(name)})
			if err != nil {
				return err
			}
			fmt.Println("! add", name, msg.UID)
		case k == 2:
			fmt.Println("? expunge", uid)
			if err := x.Expunge([]UID{uid}); err != nil {
				return err
			}
			fmt.Println("! expunge", uid)
		default:
			flags, kw := Flags(rand.UintN(64)), fmt.Sprint("k", rand.IntN(5))
			fmt.Println("? flags", uid)
			if _, err := x.Store([]UID{uid}, Store{Flags: flags, Keywords: []string{kw}}); err != nil {
				return err
			}
			fmt.Println("! flags", uid, uint16(flags), kw)
		}
	}
}

// told is what the killed programs were told, all in all.
type told struct {
	valid   string
	added   map[string]UID  // by key
	ended   map[UID]bool    // true: told; false: begun, may be done or not
	flags   map[UID]string  // "" after a change was begun
	begun   map[string]bool // keys of messages that may be there
	anew    bool            // the index was once made anew
	unread  int             // expunged messages that could be read, all in all
	digests int             // seen, all in all
}

func (c *told) hear(line string) {
	f := strings.Fields(line)
	var uid UID
	fmt.Sscan(f[2], &uid)
	switch f[0] + f[1] {
	case "!open":
		if c.valid == "" {
			c.valid = f[2]
		}
		if c.valid != f[2] {
			c.anew = true
		}
	case "?add":
		c.begun[f[2]] = true
	case "!add":
		fmt.Sscan(f[3], &uid)
		c.added[f[2]] = uid
	case "?expunge":
		c.ended[uid] = false
	case "!expunge":
		c.ended[uid] = true
	case "?flags":
		c.flags[uid] = ""
	case "!flags":
		c.flags[uid] = f[3] + " " + f[4]
	}
}

// check compares what was told with what an index shows now.
func (c *told) check(t *testing.T, x *Index, v *View, l *ledger) {
	t.Helper()
	for seq := 1; seq <= v.Len(); seq++ { // whatever others have expunged
		f, err := x.File(v.Message(seq).UID)
		if err != nil {
			t.Fatalf("UID %d is shown and cannot be read: %v", v.Message(seq).UID, err)
		}
		f.Close()
	}
	c.unread += len(gone(t, x.m.Path()))
	takeIn(t, x)
	v.Update(true)
	l.check(t, v)
	c.digests += kept(t, x)
	there := make(map[UID]bool)
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.Message(seq)
		there[m.UID] = true
		if c.ended[m.UID] {
			t.Fatalf("UID %d (%s) was expunged and is back", m.UID, m.Key())
		}
		if !c.begun[m.Key()] {
			t.Fatalf("UID %d: nobody added %s", m.UID, m.Key())
		}
		var kw []string
		for i, k := range v.Keywords() {
			if m.Keywords&(1<<i) != 0 {
				kw = append(kw, k)
			}
		}
		if got := fmt.Sprintf("%d %s", m.Flags, strings.Join(kw, " ")); c.flags[m.UID] != "" && c.flags[m.UID] != got {
			t.Fatalf("UID %d has flags %s; told %s", m.UID, got, c.flags[m.UID])
		}
	}
	for key, uid := range c.added {
		if was, ok := l.uid[key]; ok && was != uid {
			t.Fatalf("%s was told UID %d and had %d", key, uid, was)
		}
		if _, maybe := c.ended[uid]; !maybe && !there[uid] {
			t.Fatalf("UID %d (%s) is lost", uid, key)
		}
	}
	files := 0
	for _, sub := range []string{"new", "cur"} {
		files += len(names(t, filepath.Join(x.m.Path(), sub)))
	}
	if files != v.Len() {
		t.Fatalf("%d messages, %d files", v.Len(), files)
	}
}

// TestKill: kill -9 at any moment loses nothing that was told, gives no UID twice
// and brings nothing back.
func TestKill(t *testing.T) {
	_, dir := newBox(t, 0)
	c := &told{added: make(map[string]UID), ended: make(map[UID]bool), flags: make(map[UID]string), begun: make(map[string]bool)}
	l := newLedger()
	opt := Options{Recheck: time.Millisecond, logMin: 3000}
	x := open(t, openBox(t, dir), opt)
	v := x.View()
	r := rand.New(rand.NewPCG(1, 2))
	kills, begun := 0, time.Now()
	// On a busy machine children are killed before they have done much: then more
	// of them are.
	enough := func() bool { return len(c.added) >= 50 && len(c.ended) > 0 && c.unread > 0 && c.digests > 0 }
	for ; kills < 220 && time.Since(begun) < 8*time.Second || !enough() && time.Since(begun) < time.Minute; kills++ {
		for _, line := range killtest.Run(t, "changes", dir, time.Duration(r.IntN(12_000))*time.Microsecond) {
			c.hear(line)
		}
		if c.anew {
			t.Fatalf("made anew after %d kills", kills)
		}
		if r.IntN(3) > 0 { // else the next child finds what this one left
			c.check(t, x, v, l)
		}
	}
	c.check(t, x, v, l)
	want(t, "in qx.gone", gone(t, dir), "[]")
	if logs, _ := filepath.Glob(filepath.Join(dir, logPrefix+"*")); len(logs) > logsBack {
		t.Errorf("left behind: %v", logs)
	}
	t.Logf("%d kills, %d added, %d expunged, generation %d", kills, len(c.added), len(c.ended), x.s.gen)
	if !enough() {
		t.Errorf("%d kills, %d added, %d expunged; the test proves little", kills, len(c.added), len(c.ended))
	}
}
