// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"
)

func TestAdopt(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	date := time.Unix(1234567890, 0)
	for i := range 3 {
		name := fmt.Sprintf("17000000%02d.a", 10+i)
		drop(t, dir, "new/"+name)
		msg, err := x.Adopt(name, Attr{Flags: Seen, Keywords: []string{"x"}, Date: date})
		if err != nil || msg.UID != UID(i+2) || msg.Flags != Seen || msg.Keywords != 1 || !msg.InternalDate().Equal(date) || msg.New {
			t.Errorf("adopt %d = %+v, %v", i, msg, err)
		}
	}
	if _, err := x.Adopt("none", Attr{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("adopt of nothing: %v", err)
	}
	v := open(t, openBox(t, dir), Options{}).View()
	want(t, "date for another handle", v.Message(4).InternalDate().Unix(), date.Unix())
}

// TestAdoptAll: many under one lock get UIDs in the list's order, wherever others
// come in between, and what they are to have from the start.
func TestAdoptAll(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	seen := open(t, openBox(t, dir), Options{})
	drop(t, dir, "cur/1700000050.early:2,")
	takeIn(t, seen) // UID 2: another session was faster than its deliverer
	var list []Adoption
	for i := range 60 {
		list = append(list, Adoption{fmt.Sprintf("17000000%02d.c", 89-i), Attr{EmailID: uint64(i % 2 * 77), Keywords: []string{"k"}[:i%3/2]}})
		drop(t, dir, "cur/"+list[i].Name+":2,S")
	}
	drop(t, dir, "new/1700000070.foreign")
	list = append(list, Adoption{"1700000050.early:2,T", Attr{EmailID: 5}}, Adoption{Name: "gone"}, list[0])
	msgs, err := x.AdoptAll(list)
	if err != nil || len(msgs) != len(list) {
		t.Fatalf("%d messages, %v", len(msgs), err)
	}
	last := UID(2)
	for i, m := range msgs[:60] {
		email := x.emailID(m.Key())
		if i%2 == 1 {
			email = 77
		}
		if m.UID <= last || m.Key() != list[i].Name || m.EmailID != email || m.Keywords != uint64(i%3/2) || m.Flags != Seen {
			t.Errorf("adopt %d = %+v", i, m)
		}
		last = m.UID
	}
	want(t, "early, gone, again", []any{msgs[60].UID, msgs[60].EmailID, msgs[61].UID, msgs[62].UID}, []any{2, 5, 0, msgs[0].UID})
	takeIn(t, seen)
	v := seen.View()
	want(t, "for another handle", []any{v.Message(2).EmailID, v.Len()}, []any{5, 63})
	if _, err := x.AdoptAll([]Adoption{{"1700000050.early", Attr{Keywords: []string{"a b"}}}}); !errors.Is(err, ErrKeyword) {
		t.Errorf("a bad keyword: %v", err)
	}
}

// TestAdoptRenamed: a message whose file another program keeps renaming is taken
// in all the same.
func TestAdoptRenamed(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	var missed int
	for i := range 100 {
		key := fmt.Sprintf("17000001%02d.r", i)
		drop(t, dir, "cur/"+key+":2,")
		stop, ended := make(chan bool), make(chan bool)
		go func() {
			defer close(ended)
			from, to := dir+"/cur/"+key+":2,", dir+"/cur/"+key+":2,S"
			for os.Rename(from, to) == nil {
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Microsecond):
				}
				from, to = to, from
			}
		}()
		if _, err := x.Adopt(key+":2,", Attr{}); err != nil {
			missed++
		}
		close(stop)
		<-ended
	}
	if missed > 0 {
		t.Errorf("%d of 100 messages were not found", missed)
	}
}
