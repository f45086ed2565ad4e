// SPDX-License-Identifier: ISC

// Program dnsmx prints the mail hosts of names; see dnsmx(1).
package main

import (
	"bufio"
	"fmt"
	"os"

	"quill/internal/dnsclient"
	"quill/internal/dnswire"
	"quill/internal/exit"
)

const prog = "dnsmx"

func main() {
	if err := run(os.Args[1:]); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// run prints the hosts of each name. As with djb's, an error ends it all.
func run(names []string) error {
	c, err := dnsclient.Recursive(os.Getenv)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, name := range names {
		hosts, err := c.MX(name)
		if err != nil {
			return fmt.Errorf("unable to find MX records for %s: %w", name, err)
		}
		if len(hosts) == 0 {
			self, err := dnswire.Name(name)
			if err != nil {
				return fmt.Errorf("unable to find MX records for %s: %w", name, err)
			}
			hosts = []dnsclient.MX{{Host: dnswire.Text(self)}} // RFC 5321 §5.1
		}
		for _, h := range hosts {
			fmt.Fprintf(out, "%d %s\n", h.Distance, h.Host)
		}
	}
	return out.Flush()
}
