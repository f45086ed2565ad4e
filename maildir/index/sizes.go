// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"io/fs"
	"slices"

	"quill/maildir"
)

// Measure reads the messages whose names do not tell their sizes and that nobody
// has measured yet, and records their Wire, which Views made from now on have.
// One that is gone, or cannot be read by its owner, stays as it is.
func (x *Index) Measure() error {
	valid, found, err := x.unmeasured()
	if len(found) == 0 || err != nil {
		return err
	}
	return x.recordSizes(valid, found)
}

func (x *Index) recordSizes(valid uint32, found []placed) error {
	return x.update(func() error {
		if x.s.valid != valid {
			return nil // these UIDs are others' now
		}
		for part := range slices.Chunk(found, placesMax) {
			if err := x.put(record{kind: kindSizes, places: part}); err != nil {
				return err
			}
		}
		return nil
	})
}

// unmeasured reads those messages, in the order of their UIDs, which are those of
// this UIDVALIDITY.
func (x *Index) unmeasured() (valid uint32, found []placed, err error) {
	x.mu.Lock()
	var msgs []*Message
	if x.s != nil {
		valid = x.s.valid
		for _, m := range x.s.msgs {
			if !m.Measured() {
				msgs = append(msgs, m)
			}
		}
	}
	x.mu.Unlock()
	for _, m := range msgs {
		f, err := x.File(m.UID)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, maildir.ErrNotRegular) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		_, wire, err := maildir.Sizes(f, m.Size)
		f.Close()
		if err != nil {
			return 0, nil, err
		}
		found = append(found, placed{m.UID, uint64(wire)})
	}
	return valid, found, nil
}
