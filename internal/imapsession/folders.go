// SPDX-License-Identifier: ISC

package imapsession

import (
	"errors"
	"math"
	"slices"
	"strings"

	"quill/internal/imap"
	"quill/internal/mailbox"
)

// doCreate: RFC 9051 §6.3.4; a separator at the end says that others will be
// below, which every mailbox can have.
func (s *session) doCreate(c *imap.Command) (string, string, error) {
	name := strings.TrimSuffix(c.Mailbox, string(mailbox.Separator))
	if strings.EqualFold(name, "INBOX") {
		return "", "", mailbox.ErrExists
	}
	return "", "", s.Account.Create(name, c.Use)
}

// doDelete: RFC 9051 §6.3.5.
func (s *session) doDelete(c *imap.Command) (string, string, error) {
	if c.Mailbox == "INBOX" {
		return "", "", no("CANNOT", "INBOX stays")
	}
	if s.box != nil && c.Mailbox == s.name {
		return "", "", no("INUSE", "the mailbox is selected here")
	}
	return "", "", s.Account.Delete(c.Mailbox)
}

// doRename: RFC 9051 §6.3.6. The selected mailbox goes on under its new name.
func (s *session) doRename(c *imap.Command) (string, string, error) {
	to := strings.TrimSuffix(c.NewName, string(mailbox.Separator))
	if strings.EqualFold(to, "INBOX") {
		return "", "", mailbox.ErrExists
	}
	if err := s.Account.Rename(c.Mailbox, to); err != nil {
		return "", "", err
	}
	below, ok := strings.CutPrefix(s.name+string(mailbox.Separator), c.Mailbox+string(mailbox.Separator))
	if s.box != nil && ok && c.Mailbox != "INBOX" {
		s.name = strings.TrimSuffix(to+string(mailbox.Separator)+below, string(mailbox.Separator))
	}
	return "", "", nil
}

func (s *session) doSubscribe(c *imap.Command) (string, string, error) {
	return "", "", s.Account.Subscribe(c.Mailbox, c.Name == "SUBSCRIBE")
}

// doStatus: RFC 9051 §6.3.11.
func (s *session) doStatus(c *imap.Command) (string, string, error) {
	st, err := s.Account.Status(c.Mailbox, slices.Contains(c.Status, "SIZE"))
	if err != nil {
		return "", "", err
	}
	if slices.Contains(c.Status, "HIGHESTMODSEQ") {
		s.wantModSeq()
	}
	s.tellStatus(c.Mailbox, c.Status, &st)
	return "", "", nil
}

func (s *session) tellStatus(name string, items []string, st *mailbox.Status) {
	s.w.Untagged("STATUS ").Mailbox(name).Raw(" (")
	for i, item := range items {
		if i > 0 {
			s.w.Raw(" ")
		}
		if s.w.Raw(item).Raw(" "); item == "APPENDLIMIT" && st.AppendLimit <= 0 {
			s.w.Raw("NIL") // RFC 7889 §5: 0 would say that nothing is taken
			continue
		}
		s.w.Number(statusItem(item, st))
	}
	s.w.Raw(")").End()
}

func statusItem(item string, st *mailbox.Status) uint64 {
	switch item {
	case "MESSAGES":
		return uint64(st.Messages)
	case "RECENT":
		return uint64(st.Recent)
	case "UNSEEN":
		return uint64(st.Unseen)
	case "DELETED":
		return uint64(st.Deleted)
	case "UIDNEXT":
		return uint64(st.UIDNext)
	case "UIDVALIDITY":
		return uint64(st.UIDValidity)
	case "HIGHESTMODSEQ":
		return st.HighestModSeq
	case "SIZE":
		return uint64(st.Size)
	}
	return uint64(min(st.AppendLimit, math.MaxUint32)) // a number, RFC 7889 §5
}

// tryCreate tells a client that it may make the mailbox that is not there (RFC
// 9051 §6.3.12), if only as a level above others.
func tryCreate(err error) error {
	if errors.Is(err, mailbox.ErrNoMailbox) || errors.Is(err, mailbox.ErrNotOpen) {
		return no("TRYCREATE", "no such mailbox; make it first")
	}
	return err
}
