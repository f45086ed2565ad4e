// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Files of subscriptions in the root: Dovecot's, which is ours, and Courier's,
// which counts until there is one of ours.
const (
	subscribedFile = "subscriptions"
	courierFile    = "courierimapsubscribed"
)

// version2 is what Dovecot's file begins with where a tab, not a dot, stands
// between the levels. It would have controls as \001 and a letter, but no name
// has any.
const version2 = "V\t2\n\n"

// subscriptions is the lines of a file.
type subscriptions struct {
	head  string // version2, or ""
	lines []string
}

// Subscribed is the names subscribed to, in order; some may be of mailboxes that do
// not exist (RFC 3501 §6.3.6).
func (a *Account) Subscribed() ([]string, error) {
	s, err := a.subscriptions()
	if err != nil {
		return nil, err
	}
	return a.subscribed(&s), nil
}

func (a *Account) subscribed(s *subscriptions) (names []string) {
	for _, line := range s.lines {
		if name, ok := a.subscribedName(s.plain(line)); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Subscribe subscribes to a name, or ends that. Lines that are no names stay.
func (a *Account) Subscribe(name string, on bool) error {
	name, err := a.canonical(name)
	if err != nil {
		return err
	}
	return a.change(func() error { return a.subscribe(name, on) })
}

func (a *Account) subscribe(name string, on bool) error {
	s, err := a.subscriptions()
	if err != nil {
		return err
	}
	changed, err := a.set(&s, name, on)
	if err != nil || !changed {
		return err
	}
	return replace(a.dir(), subscribedFile, []byte(s.text()))
}

// set subscribes to a name, or ends that, and tells whether it was otherwise.
func (a *Account) set(s *subscriptions, name string, on bool) (changed bool, err error) {
	is := func(line string) bool {
		other, ok := a.subscribedName(s.plain(line))
		return ok && other == name
	}
	switch has := slices.ContainsFunc(s.lines, is); {
	case has == on:
		return false, nil
	case !on:
		s.lines = slices.DeleteFunc(s.lines, is)
	case len(s.lines) >= subscribedMax:
		return false, fmt.Errorf("%w subscriptions: at most %d", ErrMany, subscribedMax)
	default:
		s.lines = append(s.lines, s.line(a.opt.Encode(name)))
	}
	return true, nil
}

// subscriptions reads the file.
func (a *Account) subscriptions() (subscriptions, error) {
	b, err := readFile(a.dir(), subscribedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return a.fromCourier()
	}
	return parse(string(b)), err
}

// parse takes a file of Dovecot's apart, and text puts it together again.
func parse(text string) (s subscriptions) {
	if rest, ok := strings.CutPrefix(text, version2); ok {
		s.head, text = version2, rest
	}
	s.lines = lines(text)
	return s
}

func (s *subscriptions) text() string {
	var b strings.Builder
	b.WriteString(s.head)
	for _, line := range s.lines {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// fromCourier is what Courier's file says, which has INBOX before each name.
func (a *Account) fromCourier() (s subscriptions, err error) {
	b, err := readFile(a.dir(), courierFile)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	for _, line := range lines(string(b)) {
		s.lines = append(s.lines, strings.TrimPrefix(line, Inbox+"."))
	}
	return s, err
}

func lines(text string) (out []string) {
	for line := range strings.Lines(text) {
		out = append(out, strings.TrimSuffix(line, "\n"))
	}
	return out
}

// plain is a line with dots between the levels; "" where it has one in a level.
func (s *subscriptions) plain(line string) string {
	if s.head == "" {
		return line
	}
	if strings.Contains(line, ".") {
		return ""
	}
	return strings.ReplaceAll(line, "\t", ".")
}

// line is the line of a name.
func (s *subscriptions) line(coded string) string {
	if s.head == "" {
		return coded
	}
	return strings.ReplaceAll(coded, ".", "\t")
}

// subscribedName is the mailbox that a line with dots names.
func (a *Account) subscribedName(coded string) (string, bool) {
	name, err := a.canonical(a.decode(coded))
	return name, err == nil
}
