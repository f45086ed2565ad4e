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
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/mailid"
)

// ErrMoved says that a place holds nothing, or not this message: it has been
// moved, or is damaged.
var ErrMoved = errors.New("message is not at its place")

// OpenPlace opens the message id that lies at p in the queue of home: read-only,
// seekable, and nothing but this message. A message in the log is checked
// against its checksums and copied into a sealed memory file.
func OpenPlace(home string, p Place, id mailid.ID) (*os.File, error) {
	dir := filepath.Join(home, "queue")
	if p.File != "" {
		if p.File != id.String() {
			return nil, ErrMoved
		}
		f, err := os.OpenFile(filepath.Join(dir, "mess", p.File), os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if errors.Is(err, os.ErrNotExist) {
			return nil, ErrMoved
		}
		return f, err
	}
	body, err := readRecord(segmentPath(dir, p.Segment), p, id)
	if err != nil {
		return nil, err
	}
	return sealed(id, body)
}

// readRecord reads the message of the record at p.
func readRecord(path string, p Place, id mailid.ID) ([]byte, error) {
	if p.Length > maxSegment {
		return nil, ErrMoved
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrMoved
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, segmentHead)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	nonce, err := parseSegmentHeader(head)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b := make([]byte, p.Length)
	if _, err := f.ReadAt(b, p.Offset); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r, text, ok := parseHeader(b, nonce)
	if !ok || r.id != id || r.kind != Enqueue || blockSize+int64(text)+int64(r.length) != p.Length || crc32.Checksum(b[blockSize:], castagnoli()) != r.sum {
		return nil, ErrMoved
	}
	return b[blockSize+int64(text):], nil
}

// sealed is a memory file with these bytes that nobody can change any more.
func sealed(id mailid.ID, body []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("message-"+id.String(), unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "message")
	_, err = f.WriteAt(body, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Scan reads the log without its lock, as qmail-qread(8) and quill trace do,
// also while a writer is at work: fn is called with each record in order and the
// time it was written. A message that lives all the while is told of, or, where
// it ended in a bounce meanwhile, one of the two.
func Scan(home string, fn func(Event, time.Time)) error {
	files, err := openAll(filepath.Join(home, "queue"))
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if err != nil {
		return err
	}
	for _, f := range files {
		st, err := f.Stat()
		if err != nil {
			return err
		}
		_, _, err = scanSegment(f.File, st.Size(), func(off int64, r record) {
			at := ref{seg: f.number, off: off, text: uint32(len(r.text)), size: r.length, kind: r.kind, file: r.flags&flagFile != 0}
			fn(Event{Seq: r.seq, Kind: r.kind, ID: r.id, Rcpt: int(r.rcpt), At: at.place(r.id), Text: r.text}, r.at)
		}, func(damage) {})
		if err != nil && !errors.Is(err, errNoSegment) {
			return err
		}
	}
	return nil
}

// numbered is a segment's file.
type numbered struct {
	*os.File
	number uint64
}

// maxRelists is how often Scan looks for a moment in which the writer neither
// begins nor deletes a segment.
const maxRelists = 100

// openAll opens the segments there are at one moment. Were one deleted between
// listing and opening, what it told of might have gone on in one that was not
// listed.
func openAll(dir string) (files []numbered, err error) {
	for range maxRelists {
		for _, f := range files {
			f.Close()
		}
		files = files[:0]
		before, err := segmentNumbers(dir)
		if err != nil {
			return nil, err
		}
		for _, n := range before {
			f, err := os.Open(segmentPath(dir, n))
			if errors.Is(err, os.ErrNotExist) {
				break
			}
			if err != nil {
				return files, err
			}
			files = append(files, numbered{f, n})
		}
		after, err := segmentNumbers(dir)
		if err != nil || len(files) == len(before) && slices.Equal(before, after) {
			return files, err
		}
	}
	return files, nil
}

// Track keeps the set of living messages up to date while Scan goes through the
// log.
func Track(live map[mailid.ID]bool, e Event) {
	switch e.Kind {
	case Enqueue:
		live[e.ID] = true
		if ends := endsOf(e.Text); ends != 0 {
			delete(live, ends)
		}
	case Done:
		delete(live, e.ID)
	}
}
