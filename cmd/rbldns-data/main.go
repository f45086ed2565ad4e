// SPDX-License-Identifier: ISC

// Program rbldns-data compiles the file data in the current folder into data.cdb;
// see rbldns-data(8).
package main

import (
	"errors"
	"io"
	"os"
	"syscall"

	"quill/internal/cdb"
	"quill/internal/dnsrbl"
	"quill/internal/exit"
	"quill/internal/safefile"
)

const prog = "rbldns-data"

// What could not be done, in djb's words.
const (
	opening  = "unable to open "
	reading  = "unable to read line"
	creating = "unable to create data.tmp"
	moving   = "unable to move data.tmp to data.cdb"
)

func main() {
	args := os.Args[1:]
	var err error
	switch {
	case len(args) == 0:
		syscall.Umask(0o022) // data.cdb is read by another user
		err = compile()
	case args[0] == "--check" && len(args) == 1:
		err = check("data")
	case args[0] == "--check" && len(args) == 2:
		err = check(args[1])
	default:
		exit.Usage(prog + " [ --check [ file ] ]")
	}
	if err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// open opens a file of lines; a fifo holds nobody up.
func open(path string) (*os.File, error) {
	if path == "-" {
		return os.Stdin, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	return f, trouble(opening+path, err)
}

// compile writes data.tmp, syncs it, and moves it to data.cdb; on any error the
// old data.cdb stays.
func compile() error {
	in, err := open("data")
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile("data.tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return trouble(creating, err)
	}
	err = write(out, in)
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
func write(out *os.File, in io.Reader) error {
	w := cdb.NewWriter(out)
	put := func(key, val []byte) error { return trouble(creating, w.Put(key, val)) }
	if err := dnsrbl.Compile(in, put); err != nil {
		return read(err)
	}
	if err := w.Finish(); err != nil {
		return trouble(creating, err)
	}
	return trouble(creating, out.Sync())
}

// read says in djb's words that a line could not be read from its file.
func read(err error) error {
	if errors.Is(err, dnsrbl.ErrRead) {
		return trouble(reading, err)
	}
	return err
}
