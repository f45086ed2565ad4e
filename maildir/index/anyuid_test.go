// SPDX-License-Identifier: ISC

package index

// For tests: what a View does, of whatever has the UIDs now.

func (x *Index) Store(uids []UID, st Store) (modified []UID, err error) {
	return x.storeOf(0, uids, st)
}

func (x *Index) Expunge(uids []UID) error { return x.ExpungeOf(0, uids) }

func (x *Index) Take(uids []UID) (there []UID, err error) { return x.expunge(0, uids, 0) }

func (x *Index) ExpungeDeleted(uids []UID) error {
	_, err := x.expunge(0, uids, Deleted)
	return err
}

func (x *Index) Keep(uid UID, digest []byte) { x.keep(0, uid, digest) }

func (x *Index) Digests() *Digests { return &Digests{x: x} }
