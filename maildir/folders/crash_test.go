// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quill/internal/imap"
	"quill/internal/killtest"
	"quill/maildir"
	"quill/maildir/index"
)

func TestMain(m *testing.M) {
	killtest.Main(m, map[string]func(dir string) error{"changes": child})
}

// child changes the folders at random until it is killed, and says before each
// step what it is about to do ("?") and after it that it is done ("!"). Messages
// are known by their text.
func child(dir string) error {
	m, err := maildir.Open(dir)
	if err != nil {
		return err
	}
	a, err := Open(m, Options{Encode: imap.EncodeUTF7, Decode: imap.DecodeUTF7})
	if err != nil {
		return err
	}
	fmt.Println("! open")
	for n := 0; ; n++ {
		if err := step(a, fmt.Sprintf("%d_%d", os.Getpid(), n)); err != nil {
			return err
		}
	}
}

// step is one change; id is used for no other.
func step(a *Account, id string) error {
	list, err := a.List()
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	from, to := names[rand.IntN(len(names))], names[rand.IntN(len(names))]
	switch k := rand.IntN(8); {
	case k == 0 && len(names) < 12:
		return said("create f"+id, func() error { return a.Create("f"+id, nil) })
	case k == 1:
		tree := names[slices.IndexFunc(names, func(s string) bool { return s[0] == 't' })]
		return said("rename t"+id, func() error { return a.Rename(tree, "t"+id) })
	case k < 4:
		return said("append "+id+" "+to, func() error { _, err := appendPair(a, to, id); return err })
	}
	b, err := a.Box(from)
	if err != nil {
		return err
	}
	defer b.Close()
	target, err := a.Box(to)
	if err != nil {
		return err
	}
	defer target.Close()
	v := b.Index().View()
	defer v.Close()
	if v.Len() == 0 {
		return nil
	}
	uids := []index.UID{v.Message(1 + rand.IntN(v.Len())).UID, v.Message(1 + rand.IntN(v.Len())).UID}
	if v.Len() < 8 && rand.IntN(2) == 0 {
		return said("copy x", func() error { _, err := a.Copy(b, uids, target); return err })
	}
	return said("move x", func() error { _, err := a.Move(b, uids, target); return err })
}

func said(what string, f func() error) error {
	fmt.Println("?", what)
	err := f()
	if err == nil {
		fmt.Println("!", what)
	}
	return err
}

// addPair adds the messages id-a and id-b.
func addPair(p *Append, id string) error {
	for _, part := range []string{"a", "b"} {
		text := id + "-" + part + "\nend\n"
		if err := p.Add(New{Size: int64(len(text)), Keywords: []string{part}}, strings.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}

// told is what the killed programs were told, all in all.
type told struct {
	there map[string]bool // messages that must be somewhere
	begun map[string]bool // that may be
	boxes map[string]bool // true: must be there; false: may be
	count map[string]int  // of "!" by verb
}

func (c *told) hear(line string) {
	f := strings.Fields(line)
	if f[0] == "!" {
		c.count[f[1]]++
	}
	switch f[0] + f[1] {
	case "?append":
		c.begun[f[2]+"-a"], c.begun[f[2]+"-b"] = true, true
	case "!append":
		c.there[f[2]+"-a"], c.there[f[2]+"-b"] = true, true
	case "?create":
		c.boxes[f[2]] = false
	case "!create":
		c.boxes[f[2]] = true
	}
}

// check compares what was told with what is there.
func (c *told) check(t *testing.T, dir string) {
	t.Helper()
	a := openAccount(t, dir, nil)
	all, err := a.List()
	must(t, err)
	var names, rest []string
	found := make(map[string]bool)
	for _, f := range all {
		names = append(names, f.Name)
		if f.NoSelect {
			t.Fatalf("%s has become a level: %v", f.Name, all)
		}
		if _, known := c.boxes[f.Name]; !known && f.Name != Inbox && f.Name[0] != 't' {
			t.Fatalf("nobody made %s", f.Name)
		}
		if f.Name[0] == 't' {
			_, below, _ := strings.Cut(f.Name, ".")
			rest = append(rest, below)
		}
		c.messages(t, a, f.Name, found)
	}
	if slices.Sort(rest); !slices.Equal(rest, []string{"", "a", "a.b"}) {
		t.Fatalf("the tree that is renamed: %v", names)
	}
	for name, made := range c.boxes {
		if made && !slices.Contains(names, name) {
			t.Fatalf("%s is lost: %v", name, names)
		}
	}
	for id := range c.there {
		if !found[id] {
			t.Fatalf("message %s is lost", id)
		}
	}
}

// messages looks at each message of a mailbox: whole, and known.
func (c *told) messages(t *testing.T, a *Account, name string, found map[string]bool) {
	t.Helper()
	b, err := a.Box(name)
	must(t, err)
	defer b.Close()
	v := b.Index().View()
	defer v.Close()
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.Message(seq)
		f, err := b.Index().File(m.UID)
		must(t, err)
		text := make([]byte, m.Size)
		_, err = f.ReadAt(text, 0)
		must(t, errors.Join(err, f.Close()))
		id, ok := strings.CutSuffix(string(text), "\nend\n")
		if !ok || !c.begun[id] {
			t.Fatalf("%s, UID %d: %q", name, m.UID, text)
		}
		found[id] = true
	}
	files, _ := filepath.Glob(filepath.Join(b.Maildir().Path(), "cur", "*"))
	if name == Inbox && len(files) != v.Len() {
		t.Fatalf("%s: %d messages, %d files", name, v.Len(), len(files))
	}
}

// TestKill: kill -9 at any moment loses no message and no mailbox that was told
// of, shows nothing in part, and leaves no rename half done.
func TestKill(t *testing.T) {
	a, dir := newAccount(t)
	must(t, a.Create("t0.a.b", nil))
	c := &told{there: make(map[string]bool), begun: make(map[string]bool), boxes: make(map[string]bool), count: make(map[string]int)}
	r := rand.New(rand.NewPCG(1, 2))
	kills, begun := 0, time.Now()
	// On a busy machine children are killed before they have done much: then more
	// of them are.
	enough := func() bool {
		return kills >= 100 && c.count["append"] >= 20 && c.count["move"] >= 20 && c.count["copy"] >= 5 && c.count["rename"] >= 5 && c.count["create"] >= 2
	}
	for ; !enough() && time.Since(begun) < time.Minute; kills++ {
		for _, line := range killtest.Run(t, "changes", dir, time.Duration(r.IntN(20_000))*time.Microsecond) {
			c.hear(line)
		}
		if r.IntN(3) > 0 { // else the next child finds what this one left
			c.check(t, dir)
		}
	}
	must(t, a.Create("last", nil))
	c.boxes["last"] = true
	c.check(t, dir)
	if left, _ := filepath.Glob(filepath.Join(dir, "qx.[ndr]*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	t.Logf("%d kills, %v", kills, c.count)
	if !enough() {
		t.Errorf("%d kills, %v; the test proves little", kills, c.count)
	}
}
