// SPDX-License-Identifier: ISC

// Program tinydns-data compiles the file data in the current folder into
// data.cdb; see tinydns-data(8).
package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"syscall"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/exit"
	"quill/internal/safefile"
)

const prog = "tinydns-data"

// What could not be done, in djb's words.
const (
	opening  = "unable to open data"
	looking  = "unable to stat data"
	reading  = "unable to read line"
	creating = "unable to create data.tmp"
	moving   = "unable to move data.tmp to data.cdb"
)

func main() {
	if len(os.Args) != 1 {
		exit.Usage(prog)
	}
	syscall.Umask(0o022) // data.cdb is read by another user
	if err := compile(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// compile writes data.tmp, syncs it, and moves it to data.cdb; on any error the
// old data.cdb stays.
func compile() error {
	in, err := os.Open("data")
	if err != nil {
		return trouble(opening, err)
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return trouble(looking, err)
	}
	serial := max(uint32(st.ModTime().Unix()), 1)
	out, err := os.OpenFile("data.tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return trouble(creating, err)
	}
	err = write(out, in, serial)
	if cerr := out.Close(); err == nil {
		err = trouble(creating, cerr)
	}
	if err != nil {
		return err
	}
	if err := os.Rename("data.tmp", "data.cdb"); err != nil {
		return trouble(moving, err)
	}
	return trouble(moving, safefile.SyncDir("."))
}

// write compiles in to out and syncs it.
func write(out *os.File, in io.Reader, serial uint32) error {
	w := cdb.NewWriter(out)
	put := func(key, val []byte) error { return trouble(creating, w.Put(key, val)) }
	if err := dnsdata.Compile(bufio.NewReaderSize(in, 64<<10), serial, put); err != nil {
		if errors.Is(err, dnsdata.ErrRead) {
			return trouble(reading, err)
		}
		return err
	}
	if err := w.Finish(); err != nil {
		return trouble(creating, err)
	}
	return trouble(creating, out.Sync())
}
