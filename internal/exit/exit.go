// SPDX-License-Identifier: ISC

// Package exit names the exit codes that the programs owe each other and ends a
// program that cannot go on. qmail-queue has a table of its own.
package exit

import "os"

// The classes of exit codes, after qmail's: what a caller may conclude.
const (
	OK        = 0   // done
	Stop      = 99  // done, and the .qmail lines that follow are not to be obeyed
	Permanent = 100 // will never work: usage, refusal
	Temporary = 111 // may work later; whatever is not proven permanent
)

// Die says "prog: fatal: err" on descriptor 2 and exits with code. Only main
// functions call it.
func Die(prog string, code int, err error) {
	os.Stderr.WriteString(prog + ": fatal: " + err.Error() + "\n")
	os.Exit(code)
}

// Usage prints a usage line on descriptor 2 and exits 100.
func Usage(line string) {
	os.Stderr.WriteString("usage: " + line + "\n")
	os.Exit(Permanent)
}
