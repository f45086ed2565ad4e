// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"quill/internal/control"
	"quill/internal/mailid"
	"quill/internal/trace"
)

func traceCommand() *cli.Command {
	return &cli.Command{
		Name: "trace", Usage: "tell the way of one message from the logs and the queue", ArgsUsage: "ID",
		Description: "ID is the number after qp in the 250 reply, in the Received line or in a file's name.\n\nexample: quill trace 1795479833123456789" + codes,
		Action: func(c *cli.Context) error {
			id, ok := mailid.Parse(c.Args().First())
			if !ok || c.NArg() != 1 {
				return usage("trace takes one id: the number after qp in the 250 reply")
			}
			events, err := trace.Find(control.Home(), id)
			if err != nil {
				return err
			}
			if len(events) == 0 {
				return no("message %v is neither in the logs nor in the queue of %s", id, control.Home())
			}
			p := newPrinter(os.Stdout)
			for _, e := range events {
				who := e.Service + strings.Repeat(" ", max(0, 8-len(e.Service)))
				p.line(p.paint(dim, e.At.UTC().Format("2006-01-02 15:04:05.000000")) + " " + p.paint(green, who) + e.Text)
			}
			return nil
		},
	}
}
