// SPDX-License-Identifier: ISC

package index

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// digestFor is what the tests keep of a message: it is told by its key.
func digestFor(key string) []byte {
	return []byte(strings.Repeat("digest of "+key+"; ", 1+len(key)%5))
}

// keepAll keeps a digest of each message.
func keepAll(x *Index) {
	v := x.View()
	defer v.Close()
	for seq := 1; seq <= v.Len(); seq++ {
		x.Keep(v.Message(seq).UID, digestFor(v.Message(seq).Key()))
	}
}

// kept counts the digests there are; one that is another message's is an error.
func kept(t testing.TB, x *Index) (n int) {
	t.Helper()
	d := x.Digests()
	defer d.Close()
	v := x.View()
	defer v.Close()
	for seq := 1; seq <= v.Len(); seq++ {
		b := d.Of(v.Message(seq).UID)
		if b != nil {
			n++
		}
		if key := v.Message(seq).Key(); b != nil && !bytes.Equal(b, digestFor(key)) {
			t.Errorf("digest of %s is %q", key, b)
		}
	}
	return n
}

// TestKeep: what is kept is given at once, to other handles when it is written,
// and after a new snapshot.
func TestKeep(t *testing.T) {
	m, dir := newBox(t, 5)
	x, y := open(t, m, Options{}), open(t, openBox(t, dir), Options{})
	want(t, "at first", kept(t, x), 0)
	keepAll(x)
	x.Keep(99, []byte("of none"))
	want(t, "at once, for x and y", []int{kept(t, x), kept(t, y)}, []int{5, 0})
	if _, err := y.Store([]UID{2}, Store{Op: Add, Flags: Seen}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Store([]UID{1}, Store{Op: Add, Flags: Seen}); err != nil {
		t.Fatal(err)
	}
	modseq := x.View().HighestModSeq()
	takeIn(t, y)
	want(t, "written, for y", []any{kept(t, y), y.View().HighestModSeq()}, []any{5, modseq})
	y.Keep(3, []byte("replaced"))
	want(t, "a Close writes", y.Close(), nil)
	takeIn(t, x)
	d := x.Digests()
	defer d.Close()
	want(t, "digest of 3", string(d.Of(3)), "replaced")
	if err := x.update(x.rotate); err != nil {
		t.Fatal(err)
	}
	want(t, "after a rotation", string(open(t, m, Options{}).digest(3)), "replaced")
	want(t, "of none", d.Of(99), []byte(nil))
	drop(t, dir, "new/1800000000.n")
	msg, err := x.Adopt("1800000000.n", Attr{Digest: []byte("from the start")})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "of a new one, elsewhere", string(open(t, m, Options{}).digest(msg.UID)), "from the start")
}

func (x *Index) digest(uid UID) []byte {
	d := x.Digests()
	defer d.Close()
	return bytes.Clone(d.Of(uid))
}

// TestKeepLimits: at the edge and beyond; 1 MB is written without being asked.
func TestKeepLimits(t *testing.T) {
	m, dir := newBox(t, 20)
	x := open(t, m, Options{})
	big := bytes.Repeat([]byte("x"), DigestMax+1)
	x.Keep(1, big)
	x.Keep(1, nil)
	want(t, "too large, empty", x.digest(1), []byte(nil))
	for uid := range UID(15) {
		x.Keep(uid+1, big[:DigestMax])
	}
	_, err := os.Stat(filepath.Join(dir, cacheFile))
	want(t, "written before 1 MB", os.IsNotExist(err), true)
	x.Keep(16, big[:DigestMax])
	x.Keep(17, big[:7])
	y := open(t, openBox(t, dir), Options{})
	want(t, "for another", []int{len(y.digest(1)), len(y.digest(16)), len(y.digest(17))}, []int{DigestMax, DigestMax, 0})

	os.Truncate(filepath.Join(dir, cacheFile), cacheMax-100)
	x.Keep(18, big[:100-blobHead+1])
	want(t, "flush", x.Flush(), nil)
	want(t, "beyond the end", x.digest(18), []byte(nil))
	x.Keep(19, big[:100-blobHead])
	want(t, "flush", x.Flush(), nil)
	want(t, "up to the end", len(x.digest(19)), 100-blobHead)
}

// TestKeepBusy: a lock that others have delays no Keep for long and loses
// nothing but what is very much.
func TestKeepBusy(t *testing.T) {
	m, dir := newBox(t, 90)
	x, y := open(t, m, Options{}), open(t, openBox(t, dir), Options{})
	big := bytes.Repeat([]byte("x"), DigestMax)
	begun := time.Now()
	y.update(func() error {
		for uid := range UID(20) {
			x.Keep(uid+1, big)
		}
		return nil
	})
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("20 Keeps took %v", d)
	}
	want(t, "flush", x.Flush(), nil)
	want(t, "for another", len(open(t, m, Options{}).digest(20)), DigestMax)
	y.update(func() error {
		for uid := range UID(70) {
			x.Keep(uid+21, big)
		}
		return nil
	})
	if n := len(x.kept.buf); n > 5*gatherMax {
		t.Errorf("%d bytes are gathered", n)
	}
}

// TestCompact: a cache that is mostly of dead messages is made anew, also while
// others read the old one.
func TestCompact(t *testing.T) {
	m, dir := newBox(t, 60)
	x, y := open(t, m, Options{}), open(t, openBox(t, dir), Options{})
	for uid := range UID(60) {
		x.Keep(uid+1, bytes.Repeat([]byte{byte(uid)}, DigestMax/2))
	}
	want(t, "flush", x.Flush(), nil)
	takeIn(t, y)
	d := y.Digests()
	defer d.Close()
	of := func(uid UID) bool { return bytes.Equal(d.Of(uid), bytes.Repeat([]byte{byte(uid - 1)}, DigestMax/2)) }
	want(t, "before", of(41), true)
	var most []UID
	for uid := UID(1); uid <= 40; uid++ {
		most = append(most, uid)
	}
	want(t, "expunge", x.Expunge(most[:20]), nil)
	want(t, "compacts", x.Stats().Compacts, 0)
	want(t, "expunge", x.Expunge(most[20:]), nil)
	want(t, "compacts", x.Stats().Compacts, 1)
	st, _ := os.Stat(filepath.Join(dir, cacheFile))
	want(t, "bytes", st.Size(), cacheHead+20*(blobHead+DigestMax/2))
	want(t, "from the old file", of(42), true)
	takeIn(t, y)
	for uid := UID(41); uid <= 60; uid++ {
		want(t, fmt.Sprint("after: ", uid), of(uid), true)
	}
	y.Keep(60, []byte("new"))
	want(t, "flush", y.Flush(), nil)
	takeIn(t, x)
	want(t, "written by another", string(x.digest(60)), "new")
}

// TestCacheDamage: whatever happens to the cache, the log or the snapshot, no
// digest is another message's, and the mailbox opens.
func TestCacheDamage(t *testing.T) {
	m, dir := newBox(t, 3)
	x := open(t, m, Options{})
	keepAll(x)
	want(t, "flush", x.Flush(), nil)
	want(t, "rotate", x.update(x.rotate), nil)
	drop(t, dir, "new/1800000000.late")
	if _, err := x.Adopt("1800000000.late", Attr{Digest: digestFor("1800000000.late")}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * tick) // so that an opening has nothing to take in
	takeIn(t, x)
	want(t, "whole", kept(t, x), 4)
	x.Close()
	whole := saved(t, dir)
	if len(whole[cacheFile]) < 100 {
		t.Fatalf("the cache has %d bytes", len(whole[cacheFile]))
	}
	all, some, noticed := 0, 0, 0
	check := func(what string) {
		if damaged(t, m) {
			if noticed++; noticed%60 != 1 {
				return
			}
		}
		x, err := Open(m, Options{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		defer x.Close()
		n := kept(t, x)
		if some++; n == 4 {
			all++
		}
		if some%20 > 0 {
			return
		}
		if keepAll(x); kept(t, x) != 4 || x.Flush() != nil || kept(t, x) != 4 {
			t.Errorf("%s: cannot be kept anew", what)
		}
	}
	spoil(t, dir, whole, func(name string) int {
		switch name {
		case lockFile, validFile:
			return 0
		case cacheFile:
			return 1
		}
		return 3
	}, check)
	t.Logf("%d noticed, %d opened, %d of these with all digests", noticed, some, all)
	if some < 300 || all > 100 {
		t.Errorf("%d opened, %d with all digests; the test proves nothing", some, all)
	}
}

// TestForeignCache: a cache of another folder, or of one before, has nothing for
// this one, though UIDs and places are the same.
func TestForeignCache(t *testing.T) {
	m, dir := newBox(t, 3)
	x := open(t, m, Options{})
	keepAll(x)
	x.Close()
	mine := saved(t, dir)
	m2, dir2 := newBox(t, 0)
	for i := range 3 {
		drop(t, dir2, fmt.Sprintf("cur/%d.o%03d:2,", 1700000000+i, i))
	}
	x = open(t, m2, Options{})
	keepAll(x)
	want(t, "close", x.Close(), nil)
	other := saved(t, dir2)[cacheFile]
	want(t, "length", len(other), len(mine[cacheFile]))
	os.WriteFile(filepath.Join(dir, cacheFile), other, 0o600)
	x = open(t, m, Options{})
	want(t, "of another folder", kept(t, x), 0)
	keepAll(x)
	want(t, "flush", x.Flush(), nil)
	os.Remove(filepath.Join(dir, cacheFile))
	y := open(t, openBox(t, dir), Options{})
	want(t, "deleted", []int{kept(t, x), kept(t, y)}, []int{0, 0})
	keepAll(x)
	want(t, "flush", x.Flush(), nil)
	os.Remove(filepath.Join(dir, snapFile))
	want(t, "a new UIDVALIDITY", kept(t, open(t, m, Options{})), 0)
}

// TestGiveRoom: on a full disk the digests go, for all who read them, and can be
// kept again.
func TestGiveRoom(t *testing.T) {
	m, dir := newBox(t, 5)
	x := open(t, m, Options{})
	y := open(t, openBox(t, dir), Options{})
	keepAll(x)
	want(t, "written", x.update(func() error { return nil }), nil)
	takeIn(t, y)
	want(t, "digests", kept(t, y), 5)
	want(t, "for want of a descriptor", x.giveRoom(unix.EMFILE), false)
	want(t, "for want of room", x.giveRoom(fmt.Errorf("write: %w", unix.EDQUOT)), true)
	want(t, "twice", x.giveRoom(unix.ENOSPC), false)
	want(t, "digests", kept(t, y), 0)
	keepAll(x)
	want(t, "written", x.update(func() error { return nil }), nil)
	takeIn(t, y)
	want(t, "digests again", kept(t, y), 5)
}
