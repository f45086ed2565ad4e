// SPDX-License-Identifier: ISC

package queue

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"quill/internal/mailid"
	"quill/internal/safefile"
)

var padding [blockSize]byte

func fdatasync(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.Fdatasync(int(fd)) }); cerr != nil {
		return cerr
	}
	return os.NewSyscallError("fdatasync", err)
}

// write makes a batch durable, in as many pieces as it needs segments, and
// takes note of what it did.
func (l *Log) write(batch []*request) {
	for len(batch) > 0 {
		n := l.writeSome(batch)
		batch = batch[n:]
	}
}

// writeSome makes the first requests of a batch durable, as many as fit into
// the current segment, and says how many those were.
func (l *Log) writeSome(batch []*request) (n int) {
	l.mu.Lock()
	seg := l.current
	off := seg.end
	var vec [][]byte
	var written []*request
	for n < len(batch) {
		r := batch[n]
		if off+r.weight() > seg.size || r.mail && l.reserved(off+r.weight()) {
			break
		}
		n++
		if l.admit(r, off) {
			vec = r.encode(vec, seg.nonce)
			off += r.rec.size()
			written = append(written, r)
		}
	}
	l.mu.Unlock()
	if n == 0 {
		return l.turn(batch[0])
	}
	if len(written) == 0 {
		return n
	}
	err := writeAll(seg.file, vec, seg.end)
	if err == nil {
		err = l.sync(seg.file)
	}
	if err != nil {
		l.fail(written, err)
		return n
	}
	l.settle(seg, off, written)
	return n
}

// encode appends the record's bytes to a vector of pieces.
func (r *request) encode(vec [][]byte, nonce [8]byte) [][]byte {
	r.rec.length = uint32(r.length())
	sum := crc32.Update(0, castagnoli(), r.rec.text)
	for _, p := range r.bodies {
		sum = crc32.Update(sum, castagnoli(), p)
	}
	r.rec.sum = sum
	vec = append(vec, append(r.rec.appendHeader(make([]byte, 0, blockSize+len(r.rec.text)), nonce), r.rec.text...))
	for _, p := range r.bodies {
		if len(p) > 0 {
			vec = append(vec, p)
		}
	}
	if pad := r.rec.size() - blockSize - int64(len(r.rec.text)) - int64(r.rec.length); pad > 0 {
		vec = append(vec, padding[:pad])
	}
	return vec
}

// writeAll writes the pieces at off.
func writeAll(f *os.File, vec [][]byte, off int64) error {
	const most = 1024 // IOV_MAX
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	for len(vec) > 0 {
		part := vec[:min(len(vec), most)]
		want := int64(0)
		for _, p := range part {
			want += int64(len(p))
		}
		var n int
		if cerr := raw.Control(func(fd uintptr) { n, err = unix.Pwritev(int(fd), part, off) }); cerr != nil {
			return cerr
		}
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("pwritev", err)
		}
		off += int64(n)
		if int64(n) == want {
			vec = vec[len(part):]
			continue
		}
		for n >= len(vec[0]) {
			n -= len(vec[0])
			vec = vec[1:]
		}
		vec = append([][]byte{vec[0][n:]}, vec[1:]...)
	}
	return nil
}

// reserved says whether mail up to end would take room that is kept for results
// while there is no spare segment. It runs with the lock held.
func (l *Log) reserved(end int64) bool {
	return len(l.spares) == 0 && !l.full && end > l.current.size/2
}

// turn waits for the spare segment, if it is only being made, and goes to it; or
// refuses the request when none can be made.
func (l *Log) turn(r *request) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.spares) == 0 && !l.full {
		l.changed.Wait()
	}
	if l.current.end+r.weight() <= l.current.size {
		return 0
	}
	if r.weight() > maxRecord || len(l.spares) == 0 {
		r.err = fmt.Errorf("record of %d bytes: %w", r.weight(), ErrFull)
		return 1
	}
	l.current, l.spares = l.spares[0], l.spares[1:]
	select {
	case l.need <- true:
	default:
	}
	return 0
}

// fail answers a batch that the disk did not take. The segment is never
// written again: after a failed sync the kernel may call pages clean that are
// not on disk. What was written may be there after a crash, or not.
func (l *Log) fail(written []*request, err error) {
	l.logf("alert: log segment: %v; %d records are refused and the segment is closed", err, len(written))
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range written {
		r.err = fmt.Errorf("%w: %v", ErrSync, err)
	}
	seg := l.current
	if terr := seg.file.Truncate(seg.end); terr != nil {
		l.logf("alert: log segment %d: cannot cut off what was not acknowledged: %v", seg.number, terr)
	}
	seg.size = seg.end // full: the next record turns to the spare
}

// settle takes note of durable records, and tells the followers.
func (l *Log) settle(seg *segment, end int64, written []*request) {
	var files []mailid.ID
	l.mu.Lock()
	seg.end = end
	for _, r := range written {
		files = append(files, l.x.apply(&r.rec, seg, r.off)...)
	}
	for w := range l.watchers {
		w.offer(written)
	}
	sweep := false
	for _, s := range l.segments {
		sweep = sweep || s.number < l.current.number && s.dead()
	}
	l.mu.Unlock()
	for _, id := range files {
		l.removeFile(id)
	}
	if sweep {
		l.sweep()
	}
}

// removeFile removes the file of a message that has ended.
func (l *Log) removeFile(id mailid.ID) {
	if err := removeIfThere(filepath.Join(l.dir, "mess", id.String())); err != nil {
		l.logf("warning: unable to remove the file of message %v: %v", id, err)
	}
}

// sweep deletes the segments in which nothing lives. Each removal is durable
// before the next: a segment that held the end of a message may only go after
// those that hold the message.
func (l *Log) sweep() {
	for {
		l.mu.Lock()
		var s *segment
		for _, c := range l.segments {
			if c.dead() && (s == nil || c.number < s.number) && c.number < l.current.number {
				s = c
			}
		}
		if s != nil {
			delete(l.segments, s.number)
		}
		l.mu.Unlock()
		if s == nil {
			return
		}
		err := os.Remove(segmentPath(l.dir, s.number))
		if err == nil {
			err = safefile.SyncDir(filepath.Join(l.dir, "log"))
		}
		if err != nil {
			l.logf("warning: unable to remove segment %d: %v", s.number, err)
		}
		s.file.Close()
		l.mu.Lock()
		s.bury()
		l.mu.Unlock()
	}
}
