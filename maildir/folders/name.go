// SPDX-License-Identifier: ISC

package folders

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Inbox is the root's name.
const Inbox = "INBOX"

// dots is what looks like a '.' and is none.
const dots = "․‥…．｡。"

// canonical is the one spelling of a name: INBOX, also as the first level, is in
// capitals. A name that no mailbox can have is an ErrName.
func (a *Account) canonical(name string) (string, error) {
	first, rest, below := strings.Cut(name, ".")
	if strings.EqualFold(first, Inbox) {
		name = Inbox
		if below {
			name += "." + rest
		}
	}
	if why := a.flaw(name); why != "" {
		return "", fmt.Errorf("%w: %s", ErrName, why)
	}
	return name, nil
}

// flaw is what is wrong with a name, or "".
func (a *Account) flaw(name string) string {
	switch {
	case len(name) > dirNameMax*2:
		return "too long"
	case !utf8.ValidString(name):
		return "not UTF-8"
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == '/' || r == utf8.RuneError }):
		return "it has a slash or a control character"
	case strings.Count(name, ".") >= LevelsMax:
		return fmt.Sprintf("more than %d levels", LevelsMax)
	case len(a.coded(name)) > dirNameMax:
		return "too long"
	}
	for level := range strings.SplitSeq(name, ".") {
		if strings.Trim(level, dots+" ") == "" {
			return "a level is empty"
		}
	}
	return ""
}

// fresh is canonical for a name that is to be made: it has nothing in it that
// clients or people take for something else.
func (a *Account) fresh(name string) (string, error) {
	name, err := a.canonical(name)
	switch {
	case err != nil:
	case strings.ContainsAny(name, "*%"):
		err = fmt.Errorf("%w: it has a wildcard", ErrName)
	case name[0] == '~' || name[0] == '#':
		err = fmt.Errorf("%w: it begins with %c", ErrName, name[0]) // RFC 3501 §5.1.2
	case name == Inbox:
		err = fmt.Errorf("%w: %s", ErrExists, name)
	}
	return name, err
}

// coded is where a mailbox lies below the root by Maildir++; not for INBOX.
func (a *Account) coded(name string) string { return "." + a.opt.Encode(name) }

// dirName is where it does lie: Courier-IMAP since 5 has names in UTF-8, and who
// comes from it has such folders. New ones are made as coded says.
func (a *Account) dirName(name string) string {
	coded, plain := a.coded(name), "."+name
	if plain == coded || len(plain) > dirNameMax {
		return coded
	}
	if is, err := isDir(a.dir(), plain); !is && err == nil { // who uses a name that could not be looked at meets the error
		return coded
	}
	if there, _ := exists(a.dir(), coded); there {
		return coded
	}
	return plain
}

// nameOf is the mailbox that a folder of the root is; false where it is none,
// or one that has another spelling.
func (a *Account) nameOf(dirName string) (string, bool) {
	coded, ok := strings.CutPrefix(dirName, ".")
	if !ok || coded == "" || len(dirName) > dirNameMax {
		return "", false
	}
	plain := a.decode(coded)
	name, err := a.canonical(plain)
	return name, err == nil && name == plain && name != Inbox
}

// decode is the name that is coded so. What is no modified UTF-7 is the name
// itself.
func (a *Account) decode(coded string) string {
	if plain, ok := a.opt.Decode(coded); ok {
		return plain
	}
	return coded
}
