// SPDX-License-Identifier: ISC

// Program dnstxt prints the texts of names; see dnstxt(1).
package main

import (
	"bufio"
	"fmt"
	"os"

	"quill/internal/dnsclient"
	"quill/internal/exit"
)

const prog = "dnstxt"

func main() {
	if err := run(os.Args[1:]); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// run prints a line for each name. As with djb's, an error ends it all.
func run(names []string) error {
	c, err := dnsclient.Recursive(os.Getenv)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, name := range names {
		text, err := c.TXT(name)
		if err != nil {
			return fmt.Errorf("unable to find TXT records for %s: %w", name, err)
		}
		fmt.Fprintln(out, text)
	}
	return out.Flush()
}
