// SPDX-License-Identifier: ISC

package index

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// news waits until an Index has told of some.
func news(t *testing.T, c chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("no news")
	}
}

// TestBackground: what others did in a large folder is taken in after Open and
// Sync have returned, what came to new/ before.
func TestBackground(t *testing.T) {
	m, dir := newBox(t, 30)
	open(t, m, Options{}).Close()
	os.Rename(dir+"/cur/1700000001.m001:2,", dir+"/cur/1700000001.m001:2,S")
	os.Remove(dir + "/cur/1700000002.m002:2,")
	told := make(chan struct{}, 100)
	opt := Options{Background: true, News: func() { told <- struct{}{} }, backgroundMin: 20, Recheck: time.Hour}
	x := open(t, m, opt)
	v := x.View()
	want(t, "at once", show(v)[1:3], "[2 m001 0 3 m002 0]")
	want(t, "of the one that is gone", readable(t, x, 2, 3), "[2]")
	news(t, told)
	takeIn(t, x)
	want(t, "events", brief(v.Update(true)), "[-3/3 *2/2]")
	time.Sleep(2 * tick)
	takeIn(t, x)
	drop(t, dir, "new/1800000000.n")
	takeIn(t, x)
	want(t, "a delivery", brief(v.Update(true)), "[+30/31]")
	want(t, "news of it", len(told), 0)

	os.Rename(dir+"/cur/1700000004.m004:2,", dir+"/cur/1700000004.m004:2,R")
	drop(t, dir, "cur/1800000001.c:2,F")
	msg, err := x.Adopt("1800000001.c:2,F", Attr{Keywords: []string{"k"}})
	if err != nil || msg.Flags != Flagged || msg.Keywords != 1 || msg.UID != 32 {
		t.Errorf("adopt = %+v, %v", msg, err)
	}
	if _, err := x.Store([]UID{5}, Store{Op: Add, Flags: Flagged}); err != nil {
		t.Fatal(err)
	}
	expunge(t, x, 6, 5)
	for v.Update(true); len(show(v)) != 29; v.Update(true) {
		news(t, told)
		takeIn(t, x)
	}
	x.Close()
	want(t, "nothing comes back", show(open(t, m, Options{}).View()), show(v))
	want(t, "files", len(names(t, dir+"/cur"))+len(names(t, dir+"/new")), 29)
}

// TestBackgroundBusy: a folder that changes all the time is taken in none the
// less, and an Index can be closed meanwhile.
func TestBackgroundBusy(t *testing.T) {
	m, dir := newBox(t, 30)
	told := make(chan struct{}, 1000)
	opt := Options{Background: true, News: func() { told <- struct{}{} }, backgroundMin: 20, Recheck: time.Millisecond}
	x := open(t, m, opt)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				a, b := fmt.Sprintf("%s/cur/1700000003.m003:2,%s", dir, "S"[:i%2]), fmt.Sprintf("%s/cur/1700000003.m003:2,%s", dir, "S"[:1-i%2])
				os.Rename(a, b)
			}
		}
	}()
	drop(t, dir, "cur/1800000000.c:2,")
	for v := x.View(); v.Len() != 31; v.Update(true) {
		takeIn(t, x)
		select {
		case <-told:
		case <-time.After(50 * time.Millisecond):
		}
	}
	for range 5 {
		y := open(t, openBox(t, dir), opt)
		drop(t, dir, filepath.Join("cur", fmt.Sprintf("1800000001.%p:2,", y)))
		takeIn(t, y)
		y.Close()
	}
	close(stop)
	<-done
	x.Close()
	z := open(t, m, Options{})
	want(t, "messages", z.View().Len(), 36)
}
