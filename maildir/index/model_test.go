// SPDX-License-Identifier: ISC

package index

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// client is what a session's client believes, from events alone.
type client struct {
	x    *Index
	v    *View
	msgs []Message
}

func newClient(t *testing.T, dir string, opt Options) *client {
	x := open(t, openBox(t, dir), opt)
	c := &client{x: x, v: x.View()}
	for seq := 1; seq <= c.v.Len(); seq++ {
		c.msgs = append(c.msgs, *c.v.Message(seq))
	}
	return c
}

// hear takes the events in and compares what the client believes with its view.
func (c *client) hear(t *testing.T, expunges bool) {
	t.Helper()
	for _, e := range c.v.Update(expunges) {
		switch i := e.Seq - 1; e.Kind {
		case Added:
			if i != len(c.msgs) {
				t.Fatalf("added as %d of %d", e.Seq, len(c.msgs)+1)
			}
			c.msgs = append(c.msgs, e.Msg)
		case Changed:
			if c.msgs[i].UID != e.Msg.UID {
				t.Fatalf("change of UID %d told for %d", e.Msg.UID, c.msgs[i].UID)
			}
			c.msgs[i] = e.Msg
		case Expunged:
			if !expunges || c.msgs[i].UID != e.Msg.UID {
				t.Fatalf("expunge of UID %d told for %d (may be told: %v)", e.Msg.UID, c.msgs[i].UID, expunges)
			}
			c.msgs = slices.Delete(c.msgs, i, i+1)
		default:
			t.Fatalf("event %d: the index was made anew", e.Kind)
		}
	}
	if s := c.x.s; s != nil {
		again := (&state{msgs: s.msgs}).byKey()
		if !slices.Equal(s.keys.hash, again.hash) || s.keys.fresh != again.fresh {
			t.Fatalf("keys are %v, would be made as %v", s.keys, again)
		}
	}
	if len(c.msgs) != c.v.Len() {
		t.Fatalf("client has %d messages, view %d", len(c.msgs), c.v.Len())
	}
	for i := range c.msgs {
		a, b := &c.msgs[i], c.v.Message(i+1)
		if a.UID != b.UID || a.Flags != b.Flags || a.Keywords != b.Keywords || a.ModSeq != b.ModSeq || a.Key() != b.Key() {
			t.Fatalf("message %d: client believes %+v, view shows %+v", i+1, a, b)
		}
	}
}

// ledger holds that a key has one UID and a UID one key, for ever.
type ledger struct {
	key map[UID]string
	uid map[string]UID
}

func (l *ledger) check(t *testing.T, v *View) {
	t.Helper()
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.Message(seq)
		key := m.Key()
		if was, ok := l.key[m.UID]; ok && was != key {
			t.Fatalf("UID %d is %s and was %s", m.UID, key, was)
		}
		if was, ok := l.uid[key]; ok && was != m.UID {
			t.Fatalf("%s has UID %d and had %d", key, m.UID, was)
		}
		l.key[m.UID], l.uid[key] = key, m.UID
	}
}

func newLedger() *ledger { return &ledger{make(map[UID]string), make(map[string]UID)} }

// foreign is a program that knows nothing of an index.
type foreign struct {
	dir  string
	rand *rand.Rand
	n    int
}

// act does one thing to a message by chance; its key is returned when it is
// removed.
func (f *foreign) act(t *testing.T, what int) (removed string) {
	if what == 0 {
		f.n++
		to := []string{"new/%d.f", "cur/%d.f:2,"}[f.rand.IntN(2)]
		drop(t, f.dir, fmt.Sprintf(to, 1700001000+f.n))
		return ""
	}
	all, _ := filepath.Glob(f.dir + "/[nc][eu][wr]/*")
	if len(all) == 0 {
		return ""
	}
	file := all[f.rand.IntN(len(all))]
	key, _, _ := strings.Cut(filepath.Base(file), ":")
	if what == 1 {
		if os.Remove(file) == nil {
			return key
		}
		return ""
	}
	os.Rename(file, filepath.Join(f.dir, "cur", flagName(key, Flags(f.rand.UintN(64)))))
	return ""
}

// uids is some of the client's, by chance.
func (c *client) uids(r *rand.Rand) (out []UID) {
	for i := range c.msgs {
		if r.IntN(4) == 0 {
			out = append(out, c.msgs[i].UID)
		}
	}
	return out
}

// act does one thing a session does.
func (c *client) act(t *testing.T, r *rand.Rand, dir string, n int) {
	t.Helper()
	var err error
	switch r.IntN(8) {
	case 0:
		some := c.uids(r)
		err = c.x.Expunge(some[:min(2, len(some))])
	case 1, 2:
		name := fmt.Sprintf("%d.o%p", 1700002000+n, c)
		drop(t, dir, "new/"+name)
		_, err = c.x.Adopt(name, Attr{Flags: Flags(r.UintN(2)), Keywords: []string{"k"}})
	case 3:
		err = c.x.Settle(uidMax)
	case 4, 5:
		_, err = c.x.Store(c.uids(r), Store{Op: Op(r.IntN(3)), Flags: Flags(r.UintN(64)), Keywords: []string{fmt.Sprint("k", r.IntN(9))}[:r.IntN(2)]})
	default:
		err = c.x.Sync()
	}
	if err != nil && !strings.Contains(err.Error(), "adopt") { // a foreign remove may have been faster
		t.Fatal(err)
	}
}

// TestModel: two sessions and a foreign program take turns at random; no UID is
// given twice or changes, each client's belief is its view at every step, and in
// the end all agree with the folder.
func TestModel(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 6))
		_, dir := newBox(t, 5)
		opt := Options{Recheck: time.Millisecond, logMin: 2000}
		cs := []*client{newClient(t, dir, opt), newClient(t, dir, opt)}
		f, l := &foreign{dir: dir, rand: r}, newLedger()
		for n := range 60 {
			c := cs[r.IntN(2)]
			if r.IntN(3) == 0 {
				f.act(t, min(r.IntN(5), 2))
			} else {
				c.act(t, r, dir, n)
			}
			c.hear(t, r.IntN(3) > 0)
			l.check(t, c.v)
		}
		agree(t, dir, cs, l)
	}
}

// agree wants all to show what is in the folder, once they have read it again after
// their own last changes.
func agree(t *testing.T, dir string, cs []*client, l *ledger) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		time.Sleep(2 * tick)
		var of []string
		for _, c := range cs {
			takeIn(t, c.x)
			c.hear(t, true)
			l.check(t, c.v)
			of = append(of, fmt.Sprint(inView(c.v), c.v.HighestModSeq()))
		}
		in := fmt.Sprint(inFolder(t, dir), cs[0].v.HighestModSeq())
		wrong := slices.IndexFunc(of, func(s string) bool { return s != in })
		if wrong < 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("client %d has %s; want %s", wrong, of[wrong], in)
		}
	}
}

// inFolder is keys and flags by the names of the files, inView those of a View.
func inFolder(t *testing.T, dir string) (list []string) {
	t.Helper()
	for _, sub := range []string{"new", "cur"} {
		for _, name := range names(t, filepath.Join(dir, sub)) {
			key, _, _ := strings.Cut(name, ":")
			list = append(list, fmt.Sprintf("%s %b", key, nameFlags(name)))
		}
	}
	slices.Sort(list)
	return list
}

func inView(v *View) (list []string) {
	for seq := 1; seq <= v.Len(); seq++ {
		list = append(list, fmt.Sprintf("%s %b", v.Message(seq).Key(), v.Message(seq).Flags))
	}
	slices.Sort(list)
	return list
}

// TestStorm: the same at the same time: two sessions of a process and a foreign
// program that renames as fast as it can.
func TestStorm(t *testing.T) {
	_, dir := newBox(t, 30)
	opt := Options{Recheck: 20 * time.Millisecond, logMin: 10_000}
	cs := []*client{newClient(t, dir, opt), newClient(t, dir, opt)}
	end := time.Now().Add(1500 * time.Millisecond)
	var wg sync.WaitGroup
	ls := []*ledger{newLedger(), newLedger()}
	for i, c := range cs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(i), 7))
			for n := 0; time.Now().Before(end) && !t.Failed(); n++ {
				c.act(t, r, dir, n)
				c.hear(t, r.IntN(3) > 0)
				ls[i].check(t, c.v)
			}
		}()
	}
	f := &foreign{dir: dir, rand: rand.New(rand.NewPCG(9, 9))}
	for n := 0; time.Now().Before(end) && !t.Failed(); n++ {
		f.act(t, []int{2, 2, 2, 2, 2, 2, 2, 2, 0, 1}[n%10])
	}
	wg.Wait()
	for uid, key := range ls[1].key {
		if was, ok := ls[0].key[uid]; ok && was != key {
			t.Errorf("UID %d is %s for one, %s for the other", uid, was, key)
		}
	}
	if !t.Failed() {
		agree(t, dir, cs, ls[0])
	}
}
