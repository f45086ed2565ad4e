// SPDX-License-Identifier: ISC

// Program dnstracesort puts dnstrace's output into an order for people; see
// dnstracesort(1).
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"quill/internal/exit"
)

const prog = "dnstracesort"

// maxInput is how many bytes are sorted; all are held in memory.
const maxInput = 256 << 20

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func run(in io.Reader, to io.Writer) error {
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	switch {
	case err != nil:
		return fmt.Errorf("unable to read: %w", err)
	case len(text) > maxInput:
		return errors.New("unable to sort: more than 256 megabytes")
	}
	var all []entry
	for line := range strings.Lines(string(text)) {
		if e := parse(strings.TrimSuffix(line, "\n")); e.what() != "tx" {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, compare)
	out := bufio.NewWriter(to)
	last := ""
	for _, e := range slices.CompactFunc(all, func(a, b entry) bool { return a.line == b.line }) {
		if e.field(1) != last {
			last = e.field(1)
			fmt.Fprintln(out)
		}
		fmt.Fprintln(out, e.pretty())
	}
	return out.Flush()
}
