// SPDX-License-Identifier: ISC

package dotqmail

import "strings"

// Candidate is a name that may hold for an extension.
type Candidate struct {
	Name       string // of the file, below the home
	Default    string // what programs get as DEFAULT
	HasDefault bool   // DEFAULT is set
}

// SafeExt is an extension as it stands in file names: lower case (ASCII), and
// ':' for each dot, so that ".." cannot come about.
func SafeExt(ext string) string {
	b := []byte(ext)
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case c == '.':
			b[i] = ':'
		}
	}
	return string(b)
}

// Candidates is the names to be looked for, in their order: the whole extension,
// then for each '-' from the right what stands before it and "default".
func Candidates(dash, ext string) []Candidate {
	safe := SafeExt(ext)
	whole := Candidate{Name: ".qmail" + dash + safe}
	if strings.HasSuffix(safe, "default") {
		whole.Default, whole.HasDefault = ext[len(ext)-len("default"):], true
	}
	all := []Candidate{whole}
	for i := len(safe); i >= 0; i-- {
		if i == 0 || safe[i-1] == '-' {
			all = append(all, Candidate{".qmail" + dash + safe[:i] + "default", ext[i:], true})
		}
	}
	return all
}

// Owner is the files whose presence changes the sender of what is sent on.
func Owner(dash, ext string) (owner, ownerDefault string) {
	base := ".qmail" + dash + SafeExt(ext)
	return base + "-owner", base + "-owner-default"
}

// NewSender is the envelope sender of what a delivery to local@host sends on:
// the -owner address where .qmail…-owner exists, with VERP marks where
// .qmail…-owner-default does too; bounces ("" and "#@[]") keep theirs. exists is
// asked only when it matters.
func NewSender(sender, local, host, dash, ext string, exists func(name string) (bool, error)) (string, error) {
	if sender == "" || sender == "#@[]" {
		return sender, nil
	}
	owner, ownerDefault := Owner(dash, ext)
	found, err := exists(owner)
	if err != nil || !found {
		return sender, err
	}
	verp, err := exists(ownerDefault)
	if err != nil {
		return "", err
	}
	if verp {
		return local + "-owner-@" + host + "-@[]", nil
	}
	return local + "-owner@" + host, nil
}
