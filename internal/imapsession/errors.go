// SPDX-License-Identifier: ISC

package imapsession

import (
	"errors"
	"io/fs"

	"quill/internal/imap"
	"quill/internal/mailbox"
)

// mailboxGone says that the session's numbers mean nothing any more.
type mailboxGone struct{ name string }

func (m *mailboxGone) Error() string { return "mailbox " + m.name + " was made anew under the session" }

// refusals is the response codes (RFC 9051 §7.1) of what an account says.
var refusals = []struct {
	err        error
	code, text string
}{
	{mailbox.ErrNoMailbox, "NONEXISTENT", "no such mailbox"},
	{mailbox.ErrNotOpen, "NONEXISTENT", "only the mailboxes below this one are there"},
	{mailbox.ErrExists, "ALREADYEXISTS", "a mailbox of this name is there already"},
	{mailbox.ErrName, "CANNOT", "no mailbox can have this name"},
	{mailbox.ErrChildren, "HASCHILDREN", "there are mailboxes below this one"},
	{mailbox.ErrUse, "USEATTR", "special use is not known, or another mailbox has it"},
	{mailbox.ErrKeywords, "LIMIT", "the mailbox has as many keywords as it can have"},
	{mailbox.ErrQuota, "OVERQUOTA", "there is no room for more mail"},
	{mailbox.ErrBusy, "INUSE", "the mailbox is in use by others, please try later"},
}

// refusalOf is how an error is told; nil where it is not one of the account's but
// of the connection.
func refusalOf(err error) *imap.Error {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return &imap.Error{Status: "NO", Code: r.code, Text: r.text}
		}
	}
	if isTimeout(err) || errors.As(err, new(connError)) {
		return nil
	}
	return &imap.Error{Status: "NO", Code: "UNAVAILABLE", Text: "trouble on our side, nothing is lost, please try later"}
}

// connError is an error of the connection, not of the mail.
type connError struct{ error }

func (c connError) Unwrap() error { return c.error }

// isTimeout tells whether a deadline has passed.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// isGone tells whether a message was deleted meanwhile.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
