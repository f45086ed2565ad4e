// SPDX-License-Identifier: ISC

// Package mailhome is what the programs that serve a user's mail (pop3d, imapd)
// begin with: which mailbox it is, and what the process gives up.
package mailhome

import (
	"os"
	"path/filepath"

	"quill/internal/chain"
	"quill/internal/sandbox"
	"quill/maildir"
)

// Confine takes from a resident program what lies outside the folder of all its
// mailboxes, where checkpassword(8) has named it. A spawned one waits until it
// knows its mailbox.
func Confine(prog string) error {
	root := os.Getenv("QUILLROOT")
	switch {
	case !chain.Resident():
		return nil
	case root == "":
		return confine(prog, nil)
	}
	return confine(prog, &sandbox.Files{Write: []string{root}})
}

// ConfineTo leaves a spawned program the files of its mailbox.
func ConfineTo(prog string, s *chain.Session, m *maildir.Maildir) error {
	if s.Resident() {
		return nil
	}
	return confine(prog, &sandbox.Files{At: []int{m.Fd()}})
}

// confine leaves the process these files, the connections it has and will be
// given, and nothing more.
func confine(prog string, f *sandbox.Files) error {
	return sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoBackdoor | sandbox.NoExec | sandbox.NoSocket, Files: f, Hidden: true})
}

// Open opens a session's mailbox: MAILBOX where somebody has set it, else the
// program's argument, beneath HOME; without a home, where we are.
func Open(s *chain.Session, mailbox string) (*maildir.Maildir, error) {
	if v := s.Env.Value("MAILBOX"); v != "" {
		mailbox = v
	}
	home := s.Env.Value("HOME")
	if home == "" {
		return maildir.Open(mailbox)
	}
	return maildir.OpenBeneath(home, filepath.Clean(mailbox))
}
