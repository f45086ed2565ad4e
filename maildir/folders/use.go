// SPDX-License-Identifier: ISC

package folders

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// useFile is in a folder that has special uses: one line, the uses with a space
// between them.
const useFile = "qx.use"

// useMax is the bytes of useFile that are read.
const useMax = 256

// uses is the special uses (RFC 6154 §2) that a mailbox can have, each with the
// name of the one that has it where none is said to. \All and \Flagged are not
// mailboxes of their own here.
func uses() map[string]string {
	return map[string]string{`\Archive`: "Archive", `\Drafts`: "Drafts", `\Junk`: "Junk", `\Sent`: "Sent", `\Trash`: "Trash"}
}

// spelled is the one spelling of a use, "" where it is not known.
func spelled(use string) string {
	for known := range uses() {
		if strings.EqualFold(known, use) {
			return known
		}
	}
	return ""
}

// addUses says who has which use.
func (a *Account) addUses(list []Folder) {
	left := uses()
	for i := range list {
		if list[i].NoSelect || list[i].Name == Inbox {
			continue
		}
		for _, use := range a.usesOf(list[i].Name) {
			if _, ok := left[use]; ok {
				list[i].Use = append(list[i].Use, use)
				delete(left, use)
			}
		}
	}
	for use, name := range left {
		i, ok := slices.BinarySearchFunc(list, name, func(f Folder, name string) int { return strings.Compare(f.Name, name) })
		if ok && !list[i].NoSelect && len(list[i].Use) == 0 {
			list[i].Use = []string{use}
		}
	}
}

// usesOf reads a folder's useFile.
func (a *Account) usesOf(name string) (known []string) {
	f, err := maildir.OpenRegular(a.dir(), a.dirName(name)+"/"+useFile, unix.O_RDONLY)
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, useMax)
	n, _ := f.ReadAt(b, 0)
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	for _, word := range strings.Fields(line) {
		if use := spelled(word); use != "" && !slices.Contains(known, use) {
			known = append(known, use)
		}
	}
	return known
}

// checkUses is the uses in their one spelling, in order; ErrUse where one is not
// known or another mailbox was given it.
func (a *Account) checkUses(use []string) ([]string, error) {
	var want []string
	for _, u := range use {
		known := spelled(u)
		if known == "" {
			return nil, fmt.Errorf("%w: %q", ErrUse, u)
		}
		want = append(want, known)
	}
	if len(want) == 0 {
		return nil, nil
	}
	slices.Sort(want)
	want = slices.Compact(want)
	names, err := a.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		for _, has := range a.usesOf(name) {
			if slices.Contains(want, has) {
				return nil, fmt.Errorf("%w: %s has %s", ErrUse, name, has)
			}
		}
	}
	return want, nil
}
