// SPDX-License-Identifier: ISC

package main

import (
	"fmt"

	"quill/internal/dnsrbl"
)

// check prints what there is to say of each line. It is an error that a line would
// be refused.
func check(path string) error {
	in, err := open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	bad := 0
	err = dnsrbl.Check(in, func(f dnsrbl.Finding) {
		kind := "hint"
		if f.Bad {
			kind = "error"
			bad++
		}
		if f.Line == 0 {
			fmt.Printf("%s: %s: %s\n", path, kind, f.Text)
			return
		}
		fmt.Printf("%s:%d: %s: %s\n", path, f.Line, kind, f.Text)
	})
	if err == nil && bad > 0 {
		err = fmt.Errorf("%s: lines that cannot be read: %d", path, bad)
	}
	return read(err)
}
