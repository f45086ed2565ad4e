// SPDX-License-Identifier: ISC

// Package getopt reads options the way djb's programs do: single letters that
// may stand together (-vRHl0), an argument in the same word or the next (-c40,
// -c 40), the first word that is no option ends them, and so does "--". There
// are no long options: the words that follow are another program's.
package getopt

import "fmt"

// Parser walks through the options of one command line.
type Parser struct {
	args []string // words not yet looked at
	word string   // rest of the word being looked at
	spec map[byte]bool
	opt  byte
	arg  string
	err  error
}

// New reads args (without the program's name) by spec: each letter an option,
// one followed by ':' takes an argument.
func New(args []string, spec string) *Parser {
	p := &Parser{args: args, spec: make(map[byte]bool)}
	for i := 0; i < len(spec); i++ {
		if spec[i] != ':' {
			p.spec[spec[i]] = i+1 < len(spec) && spec[i+1] == ':'
		}
	}
	return p
}

// Next goes to the next option; it is false at the end and at the first error.
func (p *Parser) Next() bool {
	if p.err != nil || !p.fill() {
		return false
	}
	p.opt, p.arg = p.word[0], ""
	p.word = p.word[1:]
	takes, known := p.spec[p.opt]
	switch {
	case !known:
		p.err = fmt.Errorf("unknown option -%c", p.opt)
	case !takes:
		return true
	case p.word != "":
		p.arg, p.word = p.word, ""
		return true
	case len(p.args) > 0:
		p.arg, p.args = p.args[0], p.args[1:]
		return true
	default:
		p.err = fmt.Errorf("option -%c needs an argument", p.opt)
	}
	return false
}

// fill makes sure that word holds an option letter, and is false where the
// options end.
func (p *Parser) fill() bool {
	if p.word != "" {
		return true
	}
	if len(p.args) == 0 || len(p.args[0]) < 2 || p.args[0][0] != '-' {
		return false
	}
	w := p.args[0]
	p.args = p.args[1:]
	if w == "--" {
		p.spec = nil
		return false
	}
	p.word = w[1:]
	return true
}

// Opt is the option Next went to.
func (p *Parser) Opt() byte { return p.opt }

// Arg is its argument, empty where it takes none.
func (p *Parser) Arg() string { return p.arg }

// Rest is the words after the options.
func (p *Parser) Rest() []string { return p.args }

// Err is what was wrong with the options: an unknown letter, a missing argument.
func (p *Parser) Err() error { return p.err }
