// SPDX-License-Identifier: ISC

package folders

import (
	"strings"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// GiveSubscriptions leaves the names subscribed to with the server that the
// mailboxes were given back to (package index): in Courier's file, and then
// without one of Dovecot's, which would count more here; or else in Dovecot's.
// Lines that are no names are given too.
func (a *Account) GiveSubscriptions(courier bool) error {
	return a.change(func() error {
		ours, err := exists(a.dir(), subscribedFile)
		if err != nil || ours != courier { // it is where it belongs
			return err
		}
		s, err := a.subscriptions()
		if err != nil || len(s.lines) == 0 && !ours {
			return err
		}
		if !courier {
			return replace(a.dir(), subscribedFile, []byte(s.text()))
		}
		if err := replace(a.dir(), courierFile, []byte(s.courierText())); err != nil {
			return err
		}
		if err := unix.Unlinkat(a.dir(), subscribedFile, 0); err != nil {
			return err
		}
		return maildir.SyncFolder(a.dir())
	})
}

// courierText is Courier's file, which has INBOX before each name.
func (s *subscriptions) courierText() string {
	var b strings.Builder
	for _, line := range s.lines {
		switch plain := s.plain(line); {
		case plain == "":
		case strings.EqualFold(plain, Inbox):
			b.WriteString(Inbox + "\n")
		default:
			b.WriteString(Inbox + "." + plain + "\n")
		}
	}
	return b.String()
}
