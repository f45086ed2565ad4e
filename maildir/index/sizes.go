// SPDX-License-Identifier: ISC

package index

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"

	"quill/maildir"
)

// Measure reads the messages whose names do not tell their sizes and that nobody
// has measured yet, and records their Wire, which Views made from now on have.
// One that is gone, or that its owner may not read, stays as it is, and so does one
// that cannot be read for another reason, which is an error after the others were
// read.
func (x *Index) Measure() error {
	valid, found, err := x.unmeasured()
	if len(found) == 0 {
		return err
	}
	return errors.Join(err, x.recordSizes(valid, found))
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
		f, ferr := x.File(m.UID)
		if errors.Is(ferr, fs.ErrNotExist) || errors.Is(ferr, fs.ErrPermission) || errors.Is(ferr, maildir.ErrNotRegular) {
			continue
		}
		wire := int64(0)
		if ferr == nil {
			_, wire, ferr = maildir.Sizes(f, m.Size)
			f.Close()
		}
		if ferr != nil {
			err = cmp.Or(err, ferr)
			continue
		}
		found = append(found, placed{m.UID, uint64(max(wire, m.Size))}) // less, where somebody has cut it, would not count as measured
	}
	return valid, found, err
}
