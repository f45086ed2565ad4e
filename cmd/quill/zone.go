// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/zonefile"
)

func zoneCommand() *cli.Command {
	return &cli.Command{
		Name: "zone", Usage: "bring zones into tinydns's data and out of it, and check it",
		Description: "example: quill zone check data" + codes,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("zone: unknown command %q; quill zone --help shows the commands", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
		Subcommands: []*cli.Command{
			{
				Name: "import", Usage: "write a zone file, or a zone from another server, as data lines", ArgsUsage: "FILE | - | --axfr HOST:PORT ZONE",
				Description: "example: quill zone import --origin example.org example.org.zone >> data" + codes,
				Flags: []cli.Flag{&cli.StringFlag{Name: "origin", Usage: "what names without a dot at their end are in"},
					&cli.StringFlag{Name: "axfr", Usage: "ask this server (HOST:PORT) for the zone"}},
				Action: zoneImport,
			},
			{
				Name: "export", Usage: "write a zone of data.cdb as a zone file", ArgsUsage: "ZONE",
				Description: "example: quill zone export --cdb /var/lib/tinydns/data.cdb example.org" + codes,
				Flags:       []cli.Flag{&cli.StringFlag{Name: "cdb", Value: "data.cdb", Usage: "the compiled data"}},
				Action:      zoneExport,
			},
			{
				Name: "check", Usage: "name all that is wrong in a data file", ArgsUsage: "[FILE | -]",
				Description: "example: quill zone check data" + codes,
				Flags:       []cli.Flag{&cli.BoolFlag{Name: "6", Usage: "ip fields may hold IPv6 addresses, as for tinydns-data -6"}},
				Action:      zoneCheck,
			},
		},
	}
}

// input opens a file, or descriptor 0 for "-".
func input(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(name)
}

// spool is an unnamed file for output that is to come whole or not at all.
func spool() (*os.File, error) {
	f, err := os.CreateTemp("", "quill-zone")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

func zoneImport(c *cli.Context) error {
	server, origin := c.String("axfr"), c.String("origin")
	switch {
	case c.NArg() != 1:
		return usage("zone import takes one word: a file, -, or with --axfr a zone")
	case server != "" && origin != "":
		return usage("--origin is for files: with --axfr the zone is the origin")
	}
	lines, err := spool()
	if err != nil {
		return err
	}
	defer lines.Close()
	left, err := zoneLines(lines, c.Args().First(), server, origin)
	if err != nil {
		return err
	}
	if left.Signatures > 0 {
		fmt.Fprintf(os.Stderr, "quill: left out %d RRSIG, NSEC, NSEC3 and NSEC3PARAM records: whoever signs the zone makes its own\n", left.Signatures)
	}
	if left.Outside > 0 {
		fmt.Fprintf(os.Stderr, "quill: left out %d records of names outside the zone\n", left.Outside)
	}
	if _, err = lines.Seek(0, io.SeekStart); err == nil {
		_, err = io.Copy(os.Stdout, lines)
	}
	return err
}

// zoneLines writes the data lines of a file, or of a server's zone.
func zoneLines(w io.Writer, name, server, origin string) (left zonefile.Left, err error) {
	if server != "" {
		return zonefile.Transfer(server, name, w)
	}
	in, err := input(name)
	if err != nil {
		return left, err
	}
	defer in.Close()
	if left, err = zonefile.Import(in, name, origin, w); err != nil {
		err = no("%w", err)
	}
	return left, err
}

func zoneExport(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("zone export takes one word: the zone")
	}
	zone, ok := dnsdata.ParseName(c.Args().First())
	if !ok {
		return usage("zone %q is too long for a name", c.Args().First())
	}
	m, err := cdb.Open(c.String("cdb"))
	if err != nil {
		return err
	}
	defer m.Close()
	skipped, err := zonefile.Export(m, zone, time.Now(), os.Stdout)
	for _, s := range skipped {
		fmt.Fprintln(os.Stderr, "quill: left out "+s)
	}
	if errors.Is(err, zonefile.ErrNoZone) {
		return no("%s: %w", c.Args().First(), err)
	}
	return err
}

func zoneCheck(c *cli.Context) error {
	name := "data"
	if c.NArg() > 1 {
		return usage("zone check takes one word: a data file, or -")
	}
	if c.NArg() == 1 {
		name = c.Args().First()
	}
	in, err := input(name)
	if err != nil {
		return err
	}
	defer in.Close()
	found, err := dnsdata.Compiler{Serial: 1, IPv6: c.Bool("6")}.Check(in)
	if err != nil {
		return err
	}
	errs, out := 0, bufio.NewWriter(os.Stdout)
	for _, f := range found {
		if f.Error {
			errs++
		}
		fmt.Fprintf(out, "%s:%s\n", name, f)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if errs > 0 {
		return no("%s has %s", name, strings.TrimSuffix(fmt.Sprintf("%d errors", errs), map[bool]string{true: "s"}[errs == 1]))
	}
	return nil
}
