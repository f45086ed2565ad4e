// SPDX-License-Identifier: ISC

package main

import (
	"io/fs"
	"net/netip"
	"os"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsanswer"
	"quill/internal/dnswire"
	"quill/internal/transferfiles"
)

// answers answers questions that are no transfers, each from data.cdb as it is
// then.
type answers struct {
	warn     func(error)
	composer *dnsanswer.Composer
	m        *cdb.Map
	data     *dnsanswer.Data // nil: there are none
	file     fs.FileInfo     // what they were read from
}

// answer appends the answer to a packet to out. Without data, or where these are
// cut short meanwhile, it is the composer's for no data.
func (a *answers) answer(out, packet []byte, from netip.AddrPort, q *dnswire.Query) (said []byte) {
	if err := transferfiles.Guard(a.refresh); err != nil {
		a.warn(err)
	}
	err := transferfiles.Guard(func() error {
		said, _ = a.composer.Answer(a.data, out, packet, from.Addr(), true, time.Now(), q)
		return nil
	})
	if err != nil {
		a.warn(err)
		said, _ = a.composer.Answer(nil, out, packet, from.Addr(), true, time.Now(), q)
	}
	return said
}

// refresh takes data.cdb, if it is not the one that is in use. One that cannot
// be read is none.
func (a *answers) refresh() error {
	st, err := os.Stat(transferfiles.DataFile)
	if err == nil && a.file != nil && os.SameFile(st, a.file) && st.ModTime().Equal(a.file.ModTime()) && st.Size() == a.file.Size() {
		return nil
	}
	if a.m != nil {
		a.m.Close()
	}
	a.m, a.data, a.file = nil, nil, nil
	if err != nil {
		return err
	}
	if a.m, err = cdb.Open(transferfiles.DataFile); err != nil {
		return err
	}
	if a.data, err = dnsanswer.Open(a.m); err == nil {
		a.file = st
	}
	return err
}
