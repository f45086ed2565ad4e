// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"quill/internal/privilege"
)

// keeps says whether a chain is to be kept that root starts: link by link it
// gives up root.
func (o *options) keeps() bool { return o.server.Keep && privilege.Root() }

// prepare makes sure that there is somebody to become before a resident chain
// is started by root, and tells the chain who by UID and GID, where these name
// nobody else. died is called when the chain dies, for it cannot be started
// again.
func (o *options) prepare(died func()) error {
	if !o.keeps() {
		return nil
	}
	if o.uid <= 0 || o.gid < 0 {
		return errors.New("started by root, a resident chain needs somebody to become: give -u and -g, or -U with UID and GID set, and not 0")
	}
	if _, err := privilege.FromEnv(); err != nil {
		os.Setenv("UID", strconv.Itoa(o.uid))
		os.Setenv("GID", strconv.Itoa(o.gid))
	}
	o.server.Once = died
	return nil
}

// drop gives up root for the uid and gid of the options: at once in the spawned
// shape, and when the chain runs in the resident one.
func (o *options) drop() error {
	if o.keeps() {
		o.server.Foreign() // it waits
		return privilege.ID{UID: o.uid, GID: o.gid}.Drop()
	}
	if o.uid > 0 && o.gid >= 0 && privilege.Root() {
		return privilege.ID{UID: o.uid, GID: o.gid}.Drop()
	}
	if o.gid >= 0 {
		if err := errors.Join(syscall.Setgroups([]int{o.gid}), syscall.Setgid(o.gid)); err != nil {
			return fmt.Errorf("unable to set gid %d: %w", o.gid, err)
		}
	}
	if o.uid >= 0 {
		if err := syscall.Setuid(o.uid); err != nil {
			return fmt.Errorf("unable to set uid %d: %w", o.uid, err)
		}
	}
	return nil
}
