// SPDX-License-Identifier: ISC

package index

import (
	"fmt"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// put applies a record, for commit to write.
func (x *Index) put(r record) error {
	x.dead = x.dead || r.kind == kindExpunge
	switch r.kind {
	case kindAdd, kindFlags, kindExpunge:
		r.modseq = x.s.modseq + 1
		r.msg.ModSeq = r.modseq
	}
	if err := x.s.apply(&r); err != nil {
		x.drop()
		return err
	}
	x.pend = appendRecord(x.pend, &r)
	return nil
}

// commit writes what was put and returns when it is on disk.
func (x *Index) commit() error {
	if x.s == nil || len(x.pend) == 0 && x.disk == x.good {
		return nil
	}
	if x.disk == 0 { // who made this generation may have been killed before its name was on disk
		if err := maildir.SyncFolder(x.m.Fd()); err != nil {
			x.drop()
			return err
		}
	}
	_, err := x.log.WriteAt(x.pend, x.good)
	if x.giveRoom(err) {
		_, err = x.log.WriteAt(x.pend, x.good)
	}
	if err != nil {
		return err
	}
	start := x.good
	x.good += int64(len(x.pend))
	x.pend = x.pend[:0]
	if err := unix.Fdatasync(int(x.log.Fd())); err != nil {
		x.log.Truncate(start) // the kernel may count it as written now: no later sync would tell
		x.drop()
		return fmt.Errorf("sync %s: %w", logPrefix, err)
	}
	return x.note()
}

// note marks the log as on disk.
func (x *Index) note() error {
	x.disk = x.good
	_, err := x.lock.WriteAt(mark{x.s.gen, x.good}.encode(), 0)
	return err
}
