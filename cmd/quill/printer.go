// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// printer writes for people: with colours on a terminal, unless NO_COLOR says
// no.
type printer struct {
	w      io.Writer
	colour bool
}

// colours by what they mark.
const (
	bold  = "\x1b[1m"
	green = "\x1b[32m"
	blue  = "\x1b[34m"
	dim   = "\x1b[2m"
	plain = "\x1b[0m"
)

func newPrinter(f *os.File) *printer {
	return &printer{f, terminal(f) && os.Getenv("NO_COLOR") == ""}
}

// terminal says whether f is one.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func (p *printer) paint(colour, text string) string {
	if !p.colour {
		return text
	}
	return colour + text + plain
}

func (p *printer) title(text string) { fmt.Fprintln(p.w, p.paint(bold, text)) }
func (p *printer) line(text string)  { fmt.Fprintln(p.w, text) }

// said shows a line of a dialogue: C: or S:.
func (p *printer) said(who, text string) {
	colour := blue
	if who == "S:" {
		colour = green
	}
	fmt.Fprintln(p.w, "  "+p.paint(colour, who)+" "+text)
}

// note explains.
func (p *printer) note(text string) { fmt.Fprintln(p.w, "     "+p.paint(dim, text)) }
