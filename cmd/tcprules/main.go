// SPDX-License-Identifier: ISC

// Program tcprules compiles rules for tcpserver into a cdb; see tcprules(1).
package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"quill/internal/cdb"
	"quill/internal/exit"
	"quill/internal/safefile"
	"quill/tcpserver"
)

const prog = "tcprules"

func main() {
	if len(os.Args) != 3 {
		exit.Usage("tcprules rules.cdb rules.tmp < rules")
	}
	code, err := compile(os.Stdin, os.Args[1], os.Args[2])
	if err != nil {
		exit.Die(prog, code, err)
	}
}

// compile writes tmp from the rules, syncs it, and moves it to its place.
func compile(in io.Reader, path, tmp string) (code int, err error) {
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return exit.Temporary, err
	}
	w := cdb.NewWriter(f)
	if err := tcpserver.Compile(in, w); err != nil {
		return exit.Permanent, errors.Join(err, f.Close())
	}
	err = w.Finish()
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = safefile.SyncDir(filepath.Dir(path))
	}
	return exit.Temporary, err
}
