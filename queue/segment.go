// SPDX-License-Identifier: ISC

package queue

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"quill/internal/random"
	"quill/internal/safefile"
)

// Sizes of segments.
const (
	maxSegment = 16 << 20
	minSegment = 2 << 20
	// maxRecord fits into the smallest segment.
	maxRecord = minSegment - segmentHead
	// segmentShare is the part of the free space that one segment takes at
	// most.
	segmentShare = 8
)

// segment is one file of the log.
type segment struct {
	number uint64
	nonce  [8]byte
	file   *os.File
	size   int64 // preallocated bytes
	end    int64 // where the next record goes
	virgin bool  // found at the start with nothing but zeros in it

	live   int              // records of messages that live
	tombs  int              // records here that end messages of other segments
	guards map[*segment]int // segments whose records end messages of this one
}

// segmentPath is a segment's file.
func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, "log", fmt.Sprintf("%010d", number))
}

// segmentNumbers lists the segments in dir in order; what is no segment's name
// is passed over.
func segmentNumbers(dir string) ([]uint64, error) {
	names, err := os.ReadDir(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	var all []uint64
	for _, n := range names {
		if number, err := strconv.ParseUint(n.Name(), 10, 63); err == nil && len(n.Name()) == 10 {
			all = append(all, number)
		}
	}
	slices.Sort(all)
	return all, nil
}

// segmentSize is how large a new segment is to be on this file system.
func segmentSize(dir string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return maxSegment
	}
	share := int64(st.Bavail) * st.Bsize / segmentShare
	return roundUp(min(max(share, minSegment), maxSegment))
}

// createSegment makes a segment of size bytes, filled with written zeros: data
// written into it later needs no new blocks. It is synced before it gets its
// name, and its directory after.
func createSegment(dir string, number uint64, size int64) (*segment, error) {
	s, err := prepareSegment(dir, number, size)
	if err != nil {
		return nil, err
	}
	if err := s.publish(dir); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	return s, nil
}

// prepareSegment makes a segment's file under a temporary name.
func prepareSegment(dir string, number uint64, size int64) (*segment, error) {
	s := &segment{number: number, size: size, end: segmentHead, guards: make(map[*segment]int)}
	random.Fill(s.nonce[:])
	f, err := os.OpenFile(filepath.Join(dir, "log", "next.tmp"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, err
	}
	s.file = f
	if err := fillSegment(f, s); err != nil {
		return nil, errors.Join(fmt.Errorf("new segment %d: %w", number, err), f.Close(), removeIfThere(f.Name()))
	}
	return s, nil
}

// publish syncs the segment's file, gives it its name, and syncs the directory.
func (s *segment) publish(dir string) error {
	err := s.file.Sync()
	if err == nil {
		err = os.Rename(s.file.Name(), segmentPath(dir, s.number))
	}
	if err == nil {
		err = safefile.SyncDir(filepath.Join(dir, "log"))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("new segment %d: %w", s.number, err), removeIfThere(s.file.Name()))
	}
	return nil
}

func fillSegment(f *os.File, s *segment) error {
	if _, err := f.Write(appendSegmentHeader(nil, s.number, s.nonce)); err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at := int64(segmentHead); at < s.size; {
		n, err := f.Write(zeros[:min(int64(len(zeros)), s.size-at)])
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// damage is a stretch of a segment that holds no readable record though
// something was written there.
type damage struct {
	from, to int64
	tail     bool // nothing readable follows: a write that a crash cut off
}

// scanSegment reads all records of a segment in order. Each good one goes to
// on with its offset; each stretch of damage to bad.
func scanSegment(f io.ReaderAt, size int64, on func(off int64, r record), bad func(damage)) (nonce [8]byte, end int64, err error) {
	head := make([]byte, segmentHead)
	n, _ := f.ReadAt(head, 0)
	nonce, err = parseSegmentHeader(head[:n])
	if err != nil {
		return nonce, 0, err
	}
	w := &window{f: f, size: size}
	off, lost := int64(segmentHead), int64(-1)
	for off+blockSize <= size {
		r, ok := w.record(off, nonce)
		if ok {
			if lost >= 0 {
				bad(damage{lost, off, false})
				lost = -1
			}
			on(off, r)
			off += r.size()
			end = off
			continue
		}
		if lost < 0 && !w.zero(off) {
			lost = off
		}
		if lost < 0 && w.zeroToEnd(off) {
			break
		}
		off += blockSize
	}
	if off < size && lost < 0 && !w.zero(off) {
		lost = off
	}
	if lost >= 0 {
		bad(damage{lost, size, true})
	}
	return nonce, max(end, segmentHead), nil
}

// window reads a segment in large pieces.
type window struct {
	f    io.ReaderAt
	size int64
	at   int64
	buf  []byte
}

// bytes is n bytes at off, fewer at the end; valid until the next call.
func (w *window) bytes(off, n int64) []byte {
	n = min(n, w.size-off)
	if n <= 0 {
		return nil
	}
	if off < w.at || off+n > w.at+int64(len(w.buf)) {
		buf := make([]byte, min(max(n, 4<<20), w.size-off))
		got, _ := w.f.ReadAt(buf, off)
		w.at, w.buf = off, buf[:got]
	}
	return w.buf[off-w.at : min(off-w.at+n, int64(len(w.buf)))]
}

// record reads and checks the record at off.
func (w *window) record(off int64, nonce [8]byte) (record, bool) {
	r, text, ok := parseHeader(w.bytes(off, blockSize), nonce)
	if !ok {
		return record{}, false
	}
	n := int64(text) + int64(r.length)
	payload := w.bytes(off+blockSize, n)
	if int64(len(payload)) != n || crc32.Checksum(payload, castagnoli()) != r.sum {
		return record{}, false
	}
	r.text = slices.Clone(payload[:text])
	return r, true
}

func (w *window) zero(off int64) bool { return allZero(w.bytes(off, blockSize)) }

// zeroToEnd says whether nothing but zeros follows.
func (w *window) zeroToEnd(off int64) bool {
	for off < w.size {
		b := w.bytes(off, 1<<20)
		if len(b) == 0 {
			return true
		}
		if !allZero(b) {
			return false
		}
		off += int64(len(b))
	}
	return true
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
