// SPDX-License-Identifier: ISC

package folders

import "quill/maildir/index"

// For tests: CopyOf and MoveOf of whatever has the UIDs now.

func (a *Account) Copy(from *Box, uids []index.UID, to *Box) (*Copied, error) {
	return a.CopyOf(0, from, uids, to)
}

func (a *Account) Move(from *Box, uids []index.UID, to *Box) (*Copied, error) {
	return a.MoveOf(0, from, uids, to)
}
