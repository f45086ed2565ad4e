// SPDX-License-Identifier: ISC

// Command maildirmake makes an empty Maildir.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"quill/internal/exit"
	"quill/maildir"
)

const prog = "maildirmake"

func main() {
	if len(os.Args) != 2 || os.Args[1] == "" {
		os.Stderr.WriteString(prog + ": usage: maildirmake name\n")
		os.Exit(exit.Permanent)
	}
	err := maildir.Make(os.Args[1])
	var at *fs.PathError
	if errors.As(err, &at) {
		err = fmt.Errorf("unable to %s %s: %w", at.Op, at.Path, reason(at.Err))
	}
	if err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// reason is the family's words where they are known to scripts.
func reason(err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return fs.ErrExist
	case errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist
	}
	return err
}
