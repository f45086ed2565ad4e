// SPDX-License-Identifier: ISC

package queue

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"quill/internal/safefile"
)

// ErrRunning says that queued holds the log.
var ErrRunning = errors.New("queued is running")

// AppendOnce commits one message where no queued runs and the caller may write
// the queue: it takes the log's lock and adds a segment that holds this message
// alone. Nothing waits for it, and nothing is replayed.
func AppendOnce(dir string, e *Envelope, m *Message, uid uint32) (err error) {
	lock, err := safefile.TryLock(filepath.Join(dir, "lock", "log"))
	if errors.Is(err, safefile.ErrLocked) {
		return ErrRunning
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	l := &Log{dir: dir, x: newIndex(nil)}
	number, seq, err := newest(dir)
	if err != nil {
		return err
	}
	r := &request{mail: true, rec: record{kind: Enqueue, id: m.id, seq: seq + 1, at: time.Now()}}
	e.Params = finalParams(e.Params, m, uid)
	r.rec.text = e.Encode()
	if err := l.store(r, m); err != nil {
		return err
	}
	err = writeAlone(dir, number+1, r)
	if err != nil && r.rec.flags&flagFile != 0 {
		err = errors.Join(err, removeIfThere(filepath.Join(dir, "mess", m.id.String())))
	}
	return err
}

// newest is the numbers of the newest segment and the newest record.
func newest(dir string) (number, seq uint64, err error) {
	numbers, err := segmentNumbers(dir)
	if err != nil {
		return 0, 0, err
	}
	for i := len(numbers) - 1; i >= 0; i-- {
		number = max(number, numbers[i])
		f, err := os.Open(segmentPath(dir, numbers[i]))
		if err != nil {
			return 0, 0, err
		}
		st, err := f.Stat()
		if err == nil {
			_, _, err = scanSegment(f, st.Size(), func(_ int64, r record) { seq = max(seq, r.seq) }, func(damage) {})
		}
		f.Close()
		if err != nil && !errors.Is(err, errNoSegment) {
			return 0, 0, err
		}
		if seq > 0 {
			break
		}
	}
	return number, seq, nil
}

// writeAlone makes a segment of one record, durable under its name at once.
func writeAlone(dir string, number uint64, r *request) error {
	size := segmentHead + r.weight()
	s, err := prepareSegment(dir, number, size)
	if err != nil {
		return err
	}
	if err := writeAll(s.file, r.encode(nil, s.nonce), segmentHead); err != nil {
		return errors.Join(err, s.file.Close(), removeIfThere(s.file.Name()))
	}
	return errors.Join(s.publish(dir), s.file.Close())
}
