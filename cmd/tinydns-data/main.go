// SPDX-License-Identifier: ISC

// Program tinydns-data compiles the file data in the current folder into
// data.cdb; see tinydns-data(8).
package main

import (
	"errors"
	"fmt"
	"os"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/exit"
	"quill/internal/safefile"
)

const prog = "tinydns-data"

func main() {
	if len(os.Args) != 1 {
		exit.Usage(prog)
	}
	if err := compile(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// compile writes data.tmp, syncs it, and moves it to data.cdb; on any error the
// old data.cdb stays.
func compile() error {
	in, err := os.Open("data")
	if err != nil {
		return fmt.Errorf("unable to open data: %w", errors.Unwrap(err))
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	serial := uint32(st.ModTime().Unix())
	if serial == 0 {
		serial = 1
	}
	out, err := os.OpenFile("data.tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("unable to create data.tmp: %w", errors.Unwrap(err))
	}
	w := cdb.NewWriter(out)
	err = dnsdata.Compile(in, serial, w.Put)
	if err == nil {
		err = w.Finish()
	}
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename("data.tmp", "data.cdb")
	}
	if err == nil {
		err = safefile.SyncDir(".")
	}
	return err
}
