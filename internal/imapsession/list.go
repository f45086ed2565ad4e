// SPDX-License-Identifier: ISC

package imapsession

import (
	"errors"
	"slices"
	"strings"

	"quill/internal/imap"
	"quill/internal/mailbox"
)

// entry is a name that LIST may tell.
type entry struct {
	mailbox.Folder
	exists     bool // in the account, if only as a level
	subscribed bool
	tell       bool
	info       bool // tell that names below it were selected: CHILDINFO
}

// entries is all names there are or that are subscribed to, with the levels above
// them, in order.
func (s *session) entries(subs bool) ([]*entry, error) {
	folders, err := s.Account.Folders()
	if err != nil {
		return nil, err
	}
	byName := make(map[string]*entry, len(folders))
	for _, f := range folders {
		byName[f.Name] = &entry{Folder: f, exists: true}
	}
	if subs {
		names, err := s.Account.Subscribed()
		if err != nil {
			return nil, err
		}
		at := func(name string) *entry { // LSUB and RECURSIVEMATCH may tell levels that are not there
			if byName[name] == nil {
				byName[name] = &entry{Folder: mailbox.Folder{Name: name, NoSelect: true}}
			}
			return byName[name]
		}
		for _, name := range names {
			at(name).subscribed = true
			for up := parent(name); up != ""; up = parent(up) {
				at(up)
			}
		}
	}
	all := make([]*entry, 0, len(byName))
	for _, e := range byName {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return byINBOX(a.Name, b.Name) })
	return all, nil
}

// byINBOX orders names, INBOX first.
func byINBOX(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "INBOX":
		return -1
	case b == "INBOX":
		return 1
	}
	return strings.Compare(a, b)
}

func parent(name string) string {
	return name[:max(strings.LastIndexByte(name, mailbox.Separator), 0)]
}

// doList: RFC 9051 §6.3.9, RFC 5258, RFC 5819.
func (s *session) doList(c *imap.Command) (string, string, error) {
	l := c.List
	if !l.Extended && len(l.Patterns) == 1 && l.Patterns[0] == "" { // a question for the separator
		s.w.Untagged(`LIST (\Noselect) "` + string(mailbox.Separator) + `" ""`).End()
		return "", "", nil
	}
	subs := l.SelectSubscribed || l.ReturnSubscribed
	all, err := s.entries(subs)
	if err != nil {
		return "", "", err
	}
	if slices.Contains(l.ReturnStatus, "HIGHESTMODSEQ") {
		s.wantModSeq()
	}
	match := matcher(l, l.Patterns)
	level := match
	if s.nonExistent(l) {
		level = matcher(l, slices.DeleteFunc(slices.Clone(l.Patterns), func(p string) bool { return !strings.HasSuffix(p, "%") }))
	}
	for _, e := range all {
		e.tell = match(e.Name) && selects(l, e) && (!e.NoSelect || l.SelectSubscribed || level(e.Name))
	}
	if l.SelectRecursive {
		recursive(l, all, match)
	}
	for _, e := range all {
		if e.tell {
			s.tellListed(l, e)
		}
		if err := s.w.Err(); err != nil { // a status costs more than a line
			return "", "", connError{err}
		}
	}
	return "", "", nil
}

// nonExistent says whether a mere level is told as \NonExistent, and so only where
// a pattern ends in % (RFC 9051 §6.3.9 and §7.3.1). To others it is \Noselect,
// as what was deleted and has others below it (RFC 3501 §6.3.4).
func (s *session) nonExistent(l *imap.List) bool { return l.Extended || s.rev2 }

// selects says whether LIST's selection options take the entry.
func selects(l *imap.List, e *entry) bool {
	switch {
	case l.SelectSpecialUse && len(e.Use) == 0:
		return false
	case l.SelectSubscribed:
		return e.subscribed
	}
	return e.exists
}

// recursive has those told that match and have others below that are selected
// and do not match, and has all of them tell that there are others below that are
// selected (RFC 5258 §3.5 and §5, example 9).
func recursive(l *imap.List, all []*entry, match func(string) bool) {
	byName := make(map[string]*entry, len(all))
	for _, e := range all {
		byName[e.Name] = e
	}
	for _, e := range all {
		if !selects(l, e) {
			continue
		}
		tell := !match(e.Name)
		for up := parent(e.Name); up != ""; up = parent(up) {
			if p := byName[up]; p != nil && match(up) {
				p.info, p.tell = true, p.tell || tell
			}
		}
	}
}

// matcher says whether a name matches one of the patterns, each of which stands
// after the reference.
func matcher(l *imap.List, patterns []string) func(string) bool {
	var ms []*imap.Matcher
	for _, p := range patterns {
		ms = append(ms, imap.NewMatcher(l.Reference+p, mailbox.Separator))
	}
	return func(name string) bool {
		return slices.ContainsFunc(ms, func(m *imap.Matcher) bool { return m.Match(name) })
	}
}

func (s *session) tellFolder(word string, l *imap.List, e *entry) {
	var attrs []string
	switch {
	case e.NoSelect && word == "LIST" && s.nonExistent(l):
		attrs = append(attrs, `\NonExistent`)
	case e.NoSelect:
		attrs = append(attrs, `\Noselect`)
	}
	switch {
	case e.Children:
		attrs = append(attrs, `\HasChildren`)
	case e.exists:
		attrs = append(attrs, `\HasNoChildren`)
	}
	if e.subscribed && (l.ReturnSubscribed || l.SelectSubscribed) && word == "LIST" {
		attrs = append(attrs, `\Subscribed`)
	}
	attrs = append(attrs, e.Use...)
	s.w.Untagged(word + " ").Flags(attrs).Raw(` "` + string(mailbox.Separator) + `" `).Mailbox(e.Name)
	if e.info {
		s.w.Raw(` ("CHILDINFO" ("SUBSCRIBED"))`)
	}
	s.w.End()
}

// tellListed tells a name that LIST has found, and its status where that was asked
// for and it is not told for those below it alone (RFC 5819 §3). A status that
// cannot be had is left out; that of a mailbox which was deleted meanwhile shows
// that (§2).
func (s *session) tellListed(l *imap.List, e *entry) {
	if len(l.ReturnStatus) == 0 || e.NoSelect || !selects(l, e) {
		s.tellFolder("LIST", l, e)
		return
	}
	st, err := s.Account.Status(e.Name, slices.Contains(l.ReturnStatus, "SIZE"))
	if errors.Is(err, mailbox.ErrNoMailbox) || errors.Is(err, mailbox.ErrNotOpen) {
		e.NoSelect = true
	} else if err != nil {
		s.note("STATUS of " + e.Name + ": " + err.Error())
	}
	if s.tellFolder("LIST", l, e); err == nil {
		s.tellStatus(e.Name, l.ReturnStatus, &st)
	}
}

// doLsub: RFC 3501 §6.3.9. A name that matches because one below it, which does
// not match, is subscribed to is told as \Noselect.
func (s *session) doLsub(c *imap.Command) (string, string, error) {
	all, err := s.entries(true)
	if err != nil {
		return "", "", err
	}
	match := matcher(c.List, c.List.Patterns)
	hides := make(map[string]bool) // levels above what is subscribed to and does not match
	for _, e := range all {
		if e.subscribed && !match(e.Name) {
			for up := parent(e.Name); up != ""; up = parent(up) {
				hides[up] = true
			}
		}
	}
	for _, e := range all {
		if match(e.Name) && (e.subscribed || hides[e.Name]) {
			e.NoSelect = !e.subscribed // what is told here is the subscription
			s.tellFolder("LSUB", c.List, e)
		}
	}
	return "", "", nil
}
