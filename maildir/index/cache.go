// SPDX-License-Identifier: ISC

package index

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// DigestMax is the bytes of a digest that is kept.
const DigestMax = 64 << 10

const (
	cacheHead  = 16      // bytes before the first digest
	blobHead   = 16      // bytes before each
	cacheMax   = 4 << 30 // bytes of qx.cache
	placesMax  = 50_000  // places in one log record
	gatherMax  = 1 << 20 // bytes of digests that are gathered before they are written
	compactMin = 1 << 20 // bytes of a cache that is left as it is
	placeBits  = 40      // of Message.Cache that say where; those above say how long
	saveWait   = 20 * time.Millisecond
	closeWait  = time.Second
)

const cacheMagic = "qxcache\n\x01\x00\x00\x00\x00\x00\x00\x00" // version 1

// placed is where a message's digest is, as Message.Cache says it.
type placed struct {
	uid   UID
	cache uint64
}

// appendBlob puts a message's digest at the end of b: length, UIDVALIDITY, UID,
// CRC32C, digest. The CRC is of MAILBOXID too, which no sender of mail knows.
func appendBlob(b []byte, s *state, uid UID, digest []byte) []byte {
	le := binary.LittleEndian
	start := len(b)
	b = le.AppendUint32(b, uint32(len(digest)))
	b = le.AppendUint32(b, s.valid)
	b = le.AppendUint32(b, uint32(uid))
	b = le.AppendUint32(b, sum(s.box[:], b[start:], digest))
	return append(b, digest...)
}

// owner is whose digests may be taken from a cache.
type owner struct {
	valid uint32
	seed  uint32 // CRC of MAILBOXID
}

func (s *state) owner() owner { return owner{s.valid, sum(s.box[:])} }

// check takes the digest from a blob; nil where it is not whole, or not this
// message's.
func (o owner) check(b []byte, uid UID) []byte {
	le := binary.LittleEndian
	head, digest := b[:blobHead], b[blobHead:]
	if le.Uint32(head) != uint32(len(digest)) || le.Uint32(head[4:]) != o.valid || le.Uint32(head[8:]) != uint32(uid) {
		return nil
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	if crc32.Update(crc32.Update(o.seed, table, head[:12]), table, digest) != le.Uint32(head[12:]) {
		return nil
	}
	return digest
}

// gathered is digests that are not yet in the cache.
type gathered struct {
	valid  uint32
	buf    []byte         // as they will be there
	places []placed       // in buf
	at     map[UID]placed // the same
	due    int            // bytes of buf at which they are written; 0: gatherMax
}

func (g *gathered) blob(uid UID) []byte {
	p, ok := g.at[uid]
	if !ok {
		return nil
	}
	off := p.cache & (1<<placeBits - 1)
	return g.buf[off : off+blobHead+p.cache>>placeBits]
}

// keep is View.Keep under this UIDVALIDITY; 0: any.
func (x *Index) keep(valid uint32, uid UID, digest []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.s == nil || valid != 0 && valid != x.s.valid {
		return
	}
	x.gather(uid, digest)
	if g := &x.kept; len(g.buf) >= max(g.due, gatherMax) {
		x.save(saveWait)
	}
}

func (x *Index) gather(uid UID, digest []byte) {
	i, g := x.s.at(uid), &x.kept
	if len(digest) == 0 || len(digest) > DigestMax || i == len(x.s.msgs) || x.s.msgs[i].UID != uid {
		return
	}
	if g.valid != x.s.valid {
		*g = gathered{valid: x.s.valid, at: make(map[UID]placed)}
	}
	if _, twice := g.at[uid]; twice {
		return
	}
	p := placed{uid, uint64(len(digest))<<placeBits | uint64(len(g.buf))}
	g.buf = appendBlob(g.buf, x.s, uid, digest)
	g.places, g.at[uid] = append(g.places, p), p
}

// save writes what was gathered, and neither merges nor waits long for the lock.
func (x *Index) save(wait time.Duration) {
	if x.take(wait) != nil {
		if x.kept.due = len(x.kept.buf) + gatherMax/4; x.kept.due > 4*gatherMax {
			x.kept = gathered{}
		}
		return
	}
	defer unlockByte(x.lock, indexByte)
	if x.reread() != nil {
		x.drop() // who needs it next sees to it
		x.kept = gathered{}
		return
	}
	x.writeKept()
	if x.commit() != nil {
		x.drop()
	}
}

// writeKept puts what was gathered into the cache, and then records where. It is
// under the lock. A cache that cannot be written is done without.
func (x *Index) writeKept() {
	g := x.kept
	x.kept = gathered{}
	if len(g.places) == 0 || g.valid != x.s.valid {
		return
	}
	size, err := x.openCache()
	if err != nil || size+int64(len(g.buf)) > cacheMax {
		return
	}
	if _, err := x.cache.WriteAt(g.buf, size); err != nil {
		return
	}
	for i := range g.places {
		g.places[i].cache += uint64(size)
	}
	slices.SortFunc(g.places, func(a, b placed) int { return int(int64(a.uid) - int64(b.uid)) })
	x.dead = true
	x.putPlaces(g.places)
}

func (x *Index) putPlaces(all []placed) {
	for part := range slices.Chunk(all, placesMax) {
		if x.put(record{kind: kindCache, places: part}) != nil {
			return
		}
	}
}

// openCache opens the cache, which is made anew where it is not one, and says
// how long it is. It is under the lock.
func (x *Index) openCache() (int64, error) {
	var st unix.Stat_t
	if x.cache != nil {
		if err := unix.Fstat(int(x.cache.Fd()), &st); err == nil && st.Nlink > 0 && st.Size >= cacheHead {
			return st.Size, nil
		}
		x.cache.Close()
		x.cache = nil
	}
	f, err := maildir.OpenRegular(x.m.Fd(), cacheFile, unix.O_RDWR)
	if err == nil {
		head := make([]byte, cacheHead)
		if _, err = f.ReadAt(head, 0); err == nil && string(head) == cacheMagic {
			x.cache = f
			return x.openCache()
		}
		f.Close()
	}
	if f, err = x.newCache(); err != nil {
		return 0, err
	}
	return cacheHead, x.placeCache(f)
}

// giveRoom empties the cache, which can be done without, where err says that the
// disk or a quota is full: who cannot note anything cannot delete mail either. It
// tells whether that gave room.
func (x *Index) giveRoom(err error) bool {
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return false
	}
	f, err := maildir.OpenRegular(x.m.Fd(), cacheFile, unix.O_WRONLY)
	if err != nil {
		return false
	}
	defer f.Close()
	if f.Truncate(0) != nil { // others have it open too
		return false
	}
	return unix.Unlinkat(x.m.Fd(), cacheFile, 0) == nil
}

// newCache is an empty cache without its name.
func (x *Index) newCache() (*os.File, error) {
	if err := unix.Unlinkat(x.m.Fd(), cacheTmp, 0); err != nil && err != unix.ENOENT {
		return nil, err
	}
	f, err := maildir.OpenRegular(x.m.Fd(), cacheTmp, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt([]byte(cacheMagic), 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// placeCache gives a new cache its name.
func (x *Index) placeCache(f *os.File) error {
	if err := unix.Renameat(x.m.Fd(), cacheTmp, x.m.Fd(), cacheFile); err != nil {
		f.Close()
		return err
	}
	if x.cache != nil {
		x.cache.Close()
	}
	x.cache = f
	return nil
}

// compact makes a new cache of what is alive, where that is less than half of it.
// Who crashes on the way loses digests, and nothing else.
func (x *Index) compact() {
	if !x.dead {
		return
	}
	x.dead = false
	if x.cache == nil && unix.Faccessat(x.m.Fd(), cacheFile, unix.F_OK, 0) != nil {
		return
	}
	size, err := x.openCache()
	if err != nil || size <= compactMin {
		return
	}
	live := int64(0)
	for i := range x.s.msgs {
		if c := x.s.msgs[i].Cache; c != 0 {
			live += blobHead + int64(c>>placeBits)
		}
	}
	if live*2 >= size {
		return
	}
	f, err := x.newCache()
	if err != nil {
		return
	}
	places, err := x.copyCache(f)
	if err != nil {
		f.Close()
		return
	}
	if x.placeCache(f) == nil {
		x.stats.Compacts++
		x.putPlaces(places)
	}
}

// copyCache copies to f what is alive, and says where it is there.
func (x *Index) copyCache(f *os.File) (places []placed, err error) {
	w, own := window{f: x.cache}, x.s.owner()
	var buf []byte
	end := int64(cacheHead)
	write := func() error {
		n, err := f.WriteAt(buf, end)
		buf, end = buf[:0], end+int64(n)
		return err
	}
	for i := range x.s.msgs {
		m := x.s.msgs[i]
		if m.Cache == 0 {
			continue
		}
		digest := w.digest(own, m.UID, m.Cache)
		if digest == nil {
			places = append(places, placed{m.UID, 0})
			continue
		}
		places = append(places, placed{m.UID, uint64(len(digest))<<placeBits | uint64(end+int64(len(buf)))})
		if buf = appendBlob(buf, x.s, m.UID, digest); len(buf) >= gatherMax {
			if err := write(); err != nil {
				return nil, err
			}
		}
	}
	return places, write()
}
