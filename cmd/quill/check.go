// SPDX-License-Identifier: ISC

package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"quill/internal/control"
	"quill/internal/homecheck"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "look a home (QMAILHOME) over and name its defects",
		Description: "each defect comes with what to do.\n\nexample: QMAILHOME=/var/qmail quill check" + codes,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("check takes no words: QMAILHOME names the home")
			}
			home := control.Home()
			defects := homecheck.Check(home)
			p := newPrinter(os.Stdout)
			for _, d := range defects {
				p.line(d.What)
				p.line("    " + p.paint(dim, "to do: ") + d.Do)
			}
			if len(defects) > 0 {
				return no("%s has %d defects", home, len(defects))
			}
			p.line(home + " is in order")
			return nil
		},
	}
}
