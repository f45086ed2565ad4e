// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"

	"quill/internal/procuse"
)

// use prints what a process and what it started have in use: the proportional
// set size in KiB, and the CPU time in seconds.
func use(args []string) error {
	if len(args) != 1 {
		return usage
	}
	pid, err := number("pid", args[0], 1, 1<<22)
	if err != nil {
		return err
	}
	all := procuse.Tree(pid)
	if len(all) == 0 {
		return errors.New("there is no process " + args[0])
	}
	kib, err := procuse.Memory(all...)
	if err == nil {
		fmt.Printf("%d %.6f\n", kib, procuse.Clock(all).Seconds())
	}
	return err
}
