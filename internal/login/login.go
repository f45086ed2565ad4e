// SPDX-License-Identifier: ISC

// Package login is what the dialogues before a login (POP3, IMAP) and those who
// check passwords agree on: credentials, verdicts, and the limits on guessing.
package login

import (
	"io"
	"time"
)

// Limits before a login; popup(8) and imapup(8) list them.
const (
	Time      = time.Minute // for the whole login
	MaxTries  = 3           // wrong passwords
	MaxErrors = 20          // commands that are not understood or not allowed
	MaxBytes  = 512         // of credentials on descriptor 3, checkpassword(8)
)

// Pause is how long the answer to the nth wrong password waits, n from 1.
func Pause(n int) time.Duration { return time.Second << (n - 1) }

// Verdict is what came of a login.
type Verdict int

// Verdicts.
const (
	Taken     Verdict = iota // the session has been had by somebody else
	Refused                  // wrong user or password
	Temporary                // nobody can tell now
	Crashed                  // who was asked died
)

// Credentials is what a client logs in with. With a Timestamp that is not empty
// the Secret may be an APOP digest.
type Credentials struct {
	User, Secret, Timestamp string
}

// Bytes is the credentials as descriptor 3 has them: each ended by NUL.
func (c Credentials) Bytes() []byte {
	return []byte(c.User + "\x00" + c.Secret + "\x00" + c.Timestamp + "\x00")
}

// Conn is a client's connection.
type Conn interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Single reads one byte at a time, so that none is taken from who has the
// connection next.
type Single struct{ Conn }

// Read reads at most one byte.
func (s Single) Read(p []byte) (int, error) { return s.Conn.Read(p[:min(1, len(p))]) }
