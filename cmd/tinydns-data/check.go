// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"quill/internal/dnsdata"
	"quill/internal/exit"
)

// checkFile says on descriptor 1 what there is to say about a data file, and is
// the exit code: 100 where there are errors.
func checkFile(name string, ipv6 bool) int {
	var in io.Reader = os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			exit.Die(prog, exit.Temporary, trouble("unable to open "+name, err))
		}
		defer f.Close()
		in = f
	}
	found, err := dnsdata.Compiler{IPv6: ipv6, Serial: 1}.Check(in)
	if err != nil {
		exit.Die(prog, exit.Temporary, trouble(reading, err))
	}
	code := exit.OK
	out := bufio.NewWriter(os.Stdout)
	for _, f := range found {
		if f.Error {
			code = exit.Permanent
		}
		fmt.Fprintf(out, "%s:%s\n", name, f)
	}
	if err := out.Flush(); err != nil {
		exit.Die(prog, exit.Temporary, trouble("unable to write", err))
	}
	return code
}
