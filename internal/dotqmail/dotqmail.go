// SPDX-License-Identifier: ISC

// Package dotqmail knows what a .qmail file says and which one holds for an
// address (dot-qmail(5) of qmail): the lines' meanings, the names that are
// looked for, and what programs and forwards are told of the address. It opens
// nothing: it is given file contents and asks for names by a function.
package dotqmail

import (
	"fmt"
	"strings"
)

// Limits of a .qmail file.
const (
	MaxSize  = 256 << 10 // bytes of a file
	MaxLines = 5000      // instructions in a file, comments not counted
)

// Kind is what a line asks for.
type Kind int

// The kinds of instructions.
const (
	Maildir Kind = iota // deliver into the Maildir Text, which ends in '/'
	Mbox                // append to the file Text
	Program             // give the message to the shell command Text
	Forward             // send the message on to the address Text
	List                // "+list": from here on neither files nor programs
)

// String is the kind's name as local-delivery -n prints it.
func (k Kind) String() string {
	return [...]string{"maildir", "mbox", "program", "forward", "+list"}[k]
}

// Instruction is one line that asks for something.
type Instruction struct {
	Kind Kind
	Text string // what follows the line's sign, without blanks at its end
}

// ErrBlank is the error of a file whose first line is blank: it was probably cut
// while somebody wrote it, so the mail waits.
var ErrBlank = fmt.Errorf("first line of .qmail file is blank")

// ErrTooBig is the error of a file above the limits.
var ErrTooBig = fmt.Errorf(".qmail file has more than %d bytes or %d instructions", MaxSize, MaxLines)

// Parse reads a .qmail file's instructions. A NUL in a line ends it, as the
// family has it. An empty text has none, and ErrBlank too.
func Parse(text string) ([]Instruction, error) {
	if len(text) > MaxSize {
		return nil, ErrTooBig
	}
	var all []Instruction
	first := true
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimRight(strings.TrimSuffix(line, "\n"), " \t"), "\x00")
		if first && line == "" {
			return nil, ErrBlank
		}
		first = false
		if in, ok := instruction(line); ok {
			all = append(all, in)
		}
		if len(all) > MaxLines {
			return nil, ErrTooBig
		}
	}
	if first {
		return nil, ErrBlank
	}
	return all, nil
}

// instruction reads one line; ok is false for comments, blank lines and what
// begins with '+' but is unknown.
func instruction(line string) (in Instruction, ok bool) {
	if line == "" {
		return in, false
	}
	switch line[0] {
	case '#':
		return in, false
	case '+':
		return Instruction{Kind: List}, line == "+list"
	case '.', '/':
		if strings.HasSuffix(line, "/") {
			return Instruction{Maildir, line}, true
		}
		return Instruction{Mbox, line}, true
	case '|':
		return Instruction{Program, line[1:]}, true
	case '&':
		return Instruction{Forward, line[1:]}, true
	}
	return Instruction{Forward, line}, true
}

// ForwardOnlyError is the error of a file or program line where only forwards are
// allowed: the file has its x bit set, or +list stood before.
type ForwardOnlyError struct{ Kind Kind }

func (e ForwardOnlyError) Error() string {
	what := "file"
	if e.Kind == Program {
		what = "prog"
	}
	return ".qmail has " + what + " delivery but has x bit set"
}

// Guard tells, instruction by instruction, whether it is allowed.
type Guard struct{ ForwardOnly bool }

// Allow is ForwardOnlyError where in may not be done; +list makes the guard strict.
func (g *Guard) Allow(in Instruction) error {
	switch {
	case in.Kind == List:
		g.ForwardOnly = true
	case g.ForwardOnly && in.Kind != Forward:
		return ForwardOnlyError{in.Kind}
	}
	return nil
}
