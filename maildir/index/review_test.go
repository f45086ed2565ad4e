// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDeliverDamaged: who only delivers leaves it to others to see that what was
// committed is gone.
func TestDeliverDamaged(t *testing.T) {
	for what, harm := range map[string]func(log []byte) []byte{
		"cut":     func(log []byte) []byte { return log[:len(log)-5] },
		"bad bit": func(log []byte) []byte { log[len(log)-100] ^= 1; return log },
	} {
		m, dir := newBox(t, 3)
		x := open(t, m, Options{})
		v := x.View()
		old := v.UIDValidity()
		if _, err := x.Adopt(deliver(t, dir, "late"), Attr{}); err != nil {
			t.Fatal(err)
		}
		name := x.log.Name()
		want(t, what+": close", x.Close(), nil)
		log, err := os.ReadFile(dir + "/" + name)
		if err == nil {
			err = os.WriteFile(dir+"/"+name, harm(log), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(m, Options{Deliver: true}); err == nil {
			t.Errorf("%s: a delivery takes it for whole", what)
		}
		if got := open(t, m, Options{}).View().UIDValidity(); got <= old {
			t.Errorf("%s: UIDVALIDITY %d after %d, once a delivery has looked", what, got, old)
		}
	}
}

// deliver puts a message of this text into new/.
func deliver(t testing.TB, dir, text string) (name string) {
	t.Helper()
	name = "1700000000.M" + text + "P1.host"
	if err := os.WriteFile(dir+"/new/"+name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestNewUIDs: a session whose folder gets other UIDs under it does nothing to the
// messages that have its UIDs now, and still reads its own.
func TestNewUIDs(t *testing.T) {
	m, dir := newBox(t, 0)
	for _, text := range []string{"A", "B", "C"} {
		deliver(t, dir, text)
	}
	x := open(t, m, Options{})
	v := x.View()
	old := v.UIDValidity()
	d := v.Digests()
	defer d.Close()
	read := func() (all string) {
		for seq := 1; seq <= v.Len(); seq++ {
			f, err := v.File(seq)
			if err != nil {
				return all + err.Error()
			}
			b, err := io.ReadAll(f)
			all += string(b)
			want(t, "read", errors.Join(err, f.Close()), nil)
		}
		return all
	}
	want(t, "remove", os.Remove(dir+"/new/1700000000.MAP1.host"), nil)
	deliver(t, dir, "D")
	if _, err := Rebuild(openBox(t, dir), Options{}); err != nil {
		t.Fatal(err)
	}
	_, serr := v.Store([]UID{1}, Store{Op: Add, Flags: Deleted})
	_, terr := v.Take([]UID{1})
	for what, err := range map[string]error{"store": serr, "take": terr, "expunge": v.ExpungeDeleted([]UID{1}), "expunge of": x.ExpungeOf(old, []UID{1})} {
		if !errors.Is(err, ErrReset) {
			t.Errorf("%s: %v", what, err)
		}
	}
	now := x.View() // x knows the new UIDs; the session has not been told
	want(t, "after all that", show(now), "[1 MBP1.host 0 2 MCP1.host 0 3 MDP1.host 0]")
	now.Keep(2, []byte("of C"))
	v.Keep(1, []byte("of A"))
	want(t, "digest", string(d.Of(2)), "")
	nd := now.Digests()
	defer nd.Close()
	want(t, "digests now", string(nd.Of(1))+string(nd.Of(2)), "of C")
	f, err := v.File(1)
	if err == nil {
		f.Close()
		t.Error("A is gone and can be read")
	}
	drop(t, dir, "new/1700000000.MAP1.host")
	want(t, "what it shows", read(), "Subject: x\n\nB\nC\n")
	want(t, "events", brief(v.Update(true)), "[!0/0]")
}

// TestReadWithoutState: a call that failed keeps nobody from reading what is there.
func TestReadWithoutState(t *testing.T) {
	m, _ := newBox(t, 1)
	x := open(t, m, Options{})
	v := x.View()
	x.mu.Lock()
	x.drop() // as where a commit finds no room
	x.mu.Unlock()
	f, err := v.File(1)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "close", f.Close(), nil)
	now, err := x.Show()
	if err != nil || now.Len() != 1 || now.UIDValidity() != v.UIDValidity() {
		t.Errorf("Show: %v", err)
	}
}

// TestRenamedWhileRead: a folder that was quiet until it was read, and is changed
// all the time while it is, loses no UIDs.
func TestRenamedWhileRead(t *testing.T) {
	const n = 4000
	m, dir := newBox(t, n)
	x := open(t, m, Options{Recheck: time.Millisecond})
	takeIn(t, x)
	v := x.View()
	for round := range 5 {
		time.Sleep(2 * tick)
		stop, done := make(chan bool), make(chan bool)
		go func() {
			defer close(done)
			from, to := dir+"/cur/%d.m%03d:2,", dir+"/cur/%d.m%03d:2,S"
			for {
				for i := range n {
					select {
					case <-stop:
						return
					default:
						a, b := fmt.Sprintf(from, 1700000000+i, i), fmt.Sprintf(to, 1700000000+i, i)
						if os.Rename(a, b) != nil {
							os.Rename(b, a)
						}
					}
				}
			}
		}()
		takeIn(t, x)
		close(stop)
		<-done
		for _, e := range v.Update(true) {
			if e.Kind != Changed {
				t.Fatalf("round %d: event %v of UID %d", round, e.Kind, e.Msg.UID)
			}
		}
	}
}

// TestNoRename: a file that cannot be renamed is not the cause to read the folders
// again and again.
func TestNoRename(t *testing.T) {
	m, dir := newBox(t, 1)
	long := "1700000005.M" + strings.Repeat("x", 240)
	drop(t, dir, "cur/"+long)
	x := open(t, m, Options{Recheck: time.Millisecond})
	if _, err := x.Store([]UID{2}, Store{Op: Add, Flags: Seen | Flagged}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		time.Sleep(2 * tick)
		takeIn(t, x)
	}
	scans, log := x.Stats().Scans, x.good
	for range 3 {
		time.Sleep(2 * tick)
		takeIn(t, x)
	}
	want(t, "scans", x.Stats().Scans-scans, 0)
	want(t, "bytes of log", x.good-log, int64(0))
	want(t, "messages", x.View().Message(2).Flags, Seen|Flagged)
}

// TestFullSurvey: where UIDs are used up by what was read in the background, the
// index that is made anew has all messages.
func TestFullSurvey(t *testing.T) {
	m, dir := newBox(t, 3)
	x := open(t, m, Options{backgroundMin: 1})
	err := x.update(func() error {
		x.s.next = uidMax - 1
		return x.rotate()
	})
	want(t, "rotate", err, nil)
	for _, key := range []string{"p", "q", "r"} {
		drop(t, dir, "cur/1700000009."+key)
	}
	time.Sleep(2 * tick)
	s, err := x.survey()
	if err != nil {
		t.Fatal(err)
	}
	x.compare(s)
	want(t, "merge", x.updateFor(&task{survey: s}, func() error { return nil }), nil)
	want(t, "messages", show(x.View()), "[1 m000 0 2 m001 0 3 m002 0 4 p 0 5 q 0 6 r 0]")
}

// TestClockBack: a clock that is set back puts no reading off for long.
func TestClockBack(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{Recheck: 10 * time.Millisecond})
	drop(t, dir, "cur/1700000009.p")
	err := x.update(func() error {
		d, err := x.mtimes() // as where the file came in the moment of a change of our own
		if err != nil {
			return err
		}
		if err := x.put(record{kind: kindExpunge, uids: []Range{{2, 2}}}); err != nil {
			return err
		}
		d.recheck = time.Now().Add(time.Hour).UnixNano() // that was before the clock was set
		return x.put(record{kind: kindDirState, dirs: d})
	})
	want(t, "set", err, nil)
	takeIn(t, x)
	want(t, "messages", x.View().Len(), 2)
}

// TestRebuildNoRoom: where there is no room for a new index, the old one stays.
func TestRebuildNoRoom(t *testing.T) {
	m, dir := newBox(t, 5)
	x := open(t, m, Options{})
	if _, err := x.Store([]UID{1, 3}, Store{Op: Add, Keywords: []string{"k"}}); err != nil {
		t.Fatal(err)
	}
	was := seenBy(x.View())
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var lim unix.Rlimit
	want(t, "limit", unix.Getrlimit(unix.RLIMIT_FSIZE, &lim), nil)
	for _, bytes := range []uint64{0, 100, 200, 400, 600} {
		want(t, "limit", unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: lim.Max}), nil)
		_, err := Rebuild(openBox(t, dir), Options{})
		want(t, "limit", unix.Setrlimit(unix.RLIMIT_FSIZE, &lim), nil)
		if err == nil {
			t.Fatalf("%d bytes are enough", bytes)
		}
		takeIn(t, x)
		if now := seenBy(x.View()); now != was {
			t.Fatalf("after a try with %d bytes:\n%s\nwas\n%s", bytes, now, was)
		}
	}
	kept, err := Rebuild(openBox(t, dir), Options{})
	want(t, "kept", fmt.Sprint(kept, err), "2 <nil>")
}

// TestMarkUnreadable: a mark that cannot be read now is not one that is gone, which
// would cost UIDs where the last writer did not finish.
func TestMarkUnreadable(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	log, err := os.OpenFile(dir+"/"+x.log.Name(), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = log.WriteString("cut off")
		log.Close()
	}
	want(t, "write", err, nil)
	x.mu.Lock()
	defer x.mu.Unlock()
	was := x.lock
	defer func() { x.lock = was }()
	if x.lock, err = os.OpenFile(dir+"/"+lockFile, os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	defer x.lock.Close()
	if err := x.replay(); err == nil || errors.Is(err, errDamaged) {
		t.Errorf("replay: %v", err)
	}
}
