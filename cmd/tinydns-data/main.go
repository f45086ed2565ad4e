// SPDX-License-Identifier: ISC

// Program tinydns-data compiles the file data in the current folder into
// data.cdb; see tinydns-data(8).
package main

import (
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
	check, ipv6, file := options(os.Args[1:])
	if check {
		os.Exit(checkFile(file, ipv6))
	}
	syscall.Umask(0o022) // data.cdb is read by another user
	if err := compile(ipv6); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// options reads the command line.
func options(args []string) (check, ipv6 bool, file string) {
	for len(args) > 0 && (args[0] == "-6" || args[0] == "--check") {
		check = check || args[0] == "--check"
		ipv6 = ipv6 || args[0] == "-6"
		args = args[1:]
	}
	file = "data"
	if check && len(args) == 1 && (args[0] == "-" || args[0][:min(1, len(args[0]))] != "-") {
		file, args = args[0], nil
	}
	if len(args) > 0 {
		exit.Usage(prog + " [ -6 ] [ --check [ file ] ]")
	}
	return check, ipv6, file
}

// compile writes data.tmp, syncs it, and moves it to data.cdb; on any error the
// old data.cdb stays. Nothing waits at a fifo.
func compile(ipv6 bool) error {
	in, err := os.OpenFile("data", os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return trouble(opening, err)
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return trouble(looking, err)
	}
	c := dnsdata.Compiler{Serial: max(uint32(st.ModTime().Unix()), 1), IPv6: ipv6}
	out, err := os.OpenFile("data.tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return trouble(creating, err)
	}
	err = write(out, in, c)
	if cerr := out.Close(); err == nil {
		err = trouble(creating, cerr)
	}
	if err != nil {
		return err
	}
	if err := syscall.Rename("data.tmp", "data.cdb"); err != nil {
		return trouble(moving, err)
	}
	return trouble(moving, safefile.SyncDir("."))
}

// write compiles in to out and syncs it.
func write(out *os.File, in io.Reader, c dnsdata.Compiler) error {
	w := cdb.NewWriter(out)
	put := func(key, val []byte) error {
		if err := w.Put(key, val); err != nil {
			return trouble(creating, err)
		}
		return nil
	}
	err := c.Compile(in, put)
	switch {
	case errors.Is(err, dnsdata.ErrRead):
		err = trouble(reading, err)
	case err == nil:
		if err := w.Finish(); err != nil {
			return trouble(creating, err)
		}
		return trouble(creating, out.Sync())
	}
	w.Abandon()
	return err
}
