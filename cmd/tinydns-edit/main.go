// SPDX-License-Identifier: ISC

// Program tinydns-edit adds a line to a data file of tinydns; see
// tinydns-edit(8).
package main

import (
	"errors"
	"os"
	"syscall"

	"quill/internal/dnsdata"
	"quill/internal/exit"
)

const prog = "tinydns-edit"

// kinds of lines by their words.
var kinds = map[string]byte{"ns": '.', "childns": '&', "host": '=', "alias": '+', "mx": '@'}

func main() {
	syscall.Umask(0o077)
	fn, fnnew, add, f := arguments(os.Args[1:])
	if f == nil {
		f = edit(fn, fnnew, add)
	}
	if f != nil {
		exit.Die(prog, f.code, errors.New(f.text))
	}
}

// arguments reads the command line, one word after the other; more words do not
// count.
func arguments(args []string) (fn, fnnew string, add dnsdata.Addition, f *failure) {
	var ok bool
	if len(args) < 5 || args[2] != "add" || kinds[args[3]] == 0 {
		usage()
	}
	add.Kind = kinds[args[3]]
	if add.Domain, ok = dnsdata.ParseName(args[4]); !ok {
		return "", "", add, &failure{exit.Temporary, "out of memory"}
	}
	if len(args) < 6 {
		usage()
	}
	if add.IP, ok = dnsdata.ParseIP(args[5]); !ok {
		usage()
	}
	return args[0], args[1], add, nil
}

func usage() {
	os.Stderr.WriteString("tinydns-edit: usage: tinydns-edit data data.new add [ns|childns|host|alias|mx] domain a.b.c.d\n")
	os.Exit(exit.Permanent)
}
