// SPDX-License-Identifier: ISC

package index

import (
	"os"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

const (
	windowMin = 8 << 10
	windowMax = 256 << 10 // bytes read at once
)

// Digests reads what was kept of messages. It is one goroutine's.
type Digests struct {
	x    *Index
	v    *View // nil: of the messages that have the UIDs now
	w    window
	hint int // where in the state the next one is, when they are asked for in order
}

// Close gives back the descriptor and the memory.
func (d *Digests) Close() {
	if d.w.f != nil {
		d.w.f.Close()
	}
	d.w = window{}
}

// Of is what was kept of the message; nil where that is nothing, or damaged. It
// is good until the next call.
func (d *Digests) Of(uid UID) []byte {
	x := d.x
	x.mu.Lock()
	cache, own, blob := d.find(uid)
	x.mu.Unlock()
	switch {
	case blob != nil:
		return own.check(blob, uid)
	case cache == 0:
		return nil
	case d.w.f == nil && !d.open():
		return nil
	}
	digest := d.w.digest(own, uid, cache)
	if digest == nil && d.replaced() && d.open() {
		digest = d.w.digest(own, uid, cache)
	}
	return digest
}

// find says where the digest is, or gives it where it is not yet written.
func (d *Digests) find(uid UID) (cache uint64, own owner, blob []byte) {
	s := d.x.s
	if s == nil || d.v != nil && d.v.valid != s.valid {
		return 0, own, nil
	}
	if d.hint >= len(s.msgs) || s.msgs[d.hint].UID != uid {
		if d.hint = s.at(uid); d.hint == len(s.msgs) || s.msgs[d.hint].UID != uid {
			return 0, own, nil
		}
	}
	cache, own = s.msgs[d.hint].Cache, s.owner()
	d.hint++
	if d.x.kept.valid == s.valid {
		blob = d.x.kept.blob(uid)
	}
	return cache, own, blob
}

func (d *Digests) open() bool {
	d.Close()
	f, err := maildir.OpenRegular(d.x.m.Fd(), cacheFile, unix.O_RDONLY)
	if err == nil {
		d.w.f = f
	}
	return err == nil
}

// replaced tells whether the open cache is not the one that has the name.
func (d *Digests) replaced() bool {
	var st unix.Stat_t
	return unix.Fstat(int(d.w.f.Fd()), &st) != nil || st.Nlink == 0
}

// window is a part of a cache that was read.
type window struct {
	f    *os.File
	b    []byte
	at   int64 // where b begins in f
	want int   // bytes to read at once: more while they are asked for in order
}

// digest takes a message's digest from its place, or gives nil.
func (w *window) digest(own owner, uid UID, cache uint64) []byte {
	off, size := int64(cache&(1<<placeBits-1)), blobHead+int(cache>>placeBits)
	if off < cacheHead || size > blobHead+DigestMax {
		return nil
	}
	if off >= w.at && off+int64(size) <= w.at+int64(len(w.b)) {
		if d := own.check(w.b[off-w.at:][:size], uid); d != nil {
			return d
		}
	}
	if !w.fill(off, size) { // also what was read while it was written
		return nil
	}
	return own.check(w.b[:size], uid)
}

// fill reads from off on, and tells whether that is at least size bytes.
func (w *window) fill(off int64, size int) bool {
	if end := w.at + int64(len(w.b)); w.want > 0 && off > w.at && off <= end {
		w.want = min(4*w.want, windowMax)
	} else {
		w.want = windowMin
	}
	n := max(w.want, size)
	if cap(w.b) < n {
		w.b = make([]byte, n)
	}
	n, _ = w.f.ReadAt(w.b[:n], off)
	w.b, w.at = w.b[:n], off
	return n >= size
}
