// SPDX-License-Identifier: ISC

// Program quill is the administrator's command: the lab, accounts, checks and
// traces; see quill(1). Rules of its output: no capitalized initials, no
// periods at the end, errors say what to do, colours only on a terminal.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"quill/internal/exit"
)

// codes is at the end of every command's help.
const codes = "\n\nEXIT STATUS:\n   0 done; 1 the answer is no (a defect, a failed step); 100 usage or refused for good; 111 trouble that may pass"

// failure is an error with its exit code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// no is the answer no.
func no(format string, a ...any) error { return &failure{1, fmt.Errorf(format, a...)} }

// errSaid is of a child that has said what was wrong.
var errSaid = errors.New("said already")

// usage is a command line that cannot be meant.
func usage(format string, a ...any) error { return &failure{exit.Permanent, fmt.Errorf(format, a...)} }

// strict gives all commands one answer to options that are none of theirs.
func strict(before string, commands []*cli.Command) []*cli.Command {
	for _, c := range commands {
		name := before + c.Name
		c.HideHelpCommand = true
		c.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
			return usage("%s: %w; quill %s --help shows what there is", name, err, name)
		}
		strict(name+" ", c.Subcommands)
	}
	return commands
}

func main() {
	app := &cli.App{
		Name:                 "quill",
		Usage:                "mail and names as a Unix toolchain: lab, accounts, checks, traces, zones, mailboxes",
		Description:          "example: quill lab --demo" + codes,
		EnableBashCompletion: true,
		HideHelpCommand:      true,
		Commands:             strict("", []*cli.Command{labCommand(), userCommand(), checkCommand(), traceCommand(), zoneCommand(), mailboxCommand(), completionCommand()}),
		ExitErrHandler:       func(*cli.Context, error) {},
		OnUsageError: func(c *cli.Context, err error, _ bool) error {
			return usage("%w; quill --help shows the commands", err)
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("unknown command %q; quill --help shows the commands", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
	err := app.Run(os.Args)
	if err == nil {
		return
	}
	if !errors.Is(err, errSaid) {
		fmt.Fprintln(os.Stderr, "quill: "+err.Error())
	}
	var f *failure
	if errors.As(err, &f) {
		os.Exit(f.code)
	}
	os.Exit(exit.Temporary)
}
