// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"quill/maildir/index"
)

// TestStress: sessions that share mailboxes, in one process and in two, append
// and move at once, while a mailbox is renamed: each message is still in one
// place, and whole.
func TestStress(t *testing.T) {
	_, root := newAccount(t)
	names := []string{Inbox, "A", "B.C"}
	first := openAccount(t, root, NewPool("one"))
	for _, name := range names[1:] {
		must(t, first.Create(name, nil))
	}
	must(t, first.Create("R.x.y", nil))
	const sessions, rounds = 6, 6
	errs := make(chan error, sessions+2)
	third := openAccount(t, root, NewPool("three"))
	var run sync.WaitGroup
	for s := range sessions {
		a := first
		if s%2 == 1 {
			a = openAccount(t, root, NewPool("two"))
		}
		run.Go(func() { errs <- session(a, names, s, rounds) })
	}
	run.Go(func() { errs <- renames(first, rounds) })
	run.Go(func() { errs <- lists(third, rounds) })
	run.Wait()
	for range cap(errs) {
		must(t, <-errs)
	}
	var all []string
	for _, name := range names {
		for _, m := range texts(t, openBox(t, first, name)) {
			_, text, _ := strings.Cut(m, "\"") // the rest is keywords and times
			all = append(all, text)
		}
	}
	slices.Sort(all)
	n := len(all)
	if different := len(slices.Compact(all)); n != sessions*rounds*2 || different != n {
		t.Errorf("%d messages, %d different; want %d", n, different, sessions*rounds*2)
	}
}

// session appends, and moves what it has appended.
func session(a *Account, names []string, s, rounds int) error {
	for n := range rounds {
		from, to := names[rand.IntN(len(names))], names[rand.IntN(len(names))]
		uids, err := appendPair(a, from, fmt.Sprintf("%d_%d", s, n))
		if err != nil {
			return err
		}
		b, err := a.Box(from)
		if err != nil {
			return err
		}
		target, err := a.Box(to)
		if err != nil {
			return errors.Join(err, b.Close())
		}
		c, err := a.Move(b, uids, target)
		if err == nil && len(c.Target) != len(uids) {
			err = fmt.Errorf("moved %d of %v", len(c.Target), uids)
		}
		if err = errors.Join(err, b.Close(), target.Close()); err != nil {
			return err
		}
	}
	return nil
}

func appendPair(a *Account, to, id string) ([]index.UID, error) {
	p, err := a.NewAppend(to)
	if err != nil {
		return nil, err
	}
	defer p.Abort()
	if err := addPair(p, id); err != nil {
		return nil, err
	}
	c, err := p.Commit()
	if err != nil {
		return nil, err
	}
	return c.Target, nil
}

// renames renames a tree to and fro.
func renames(a *Account, rounds int) error {
	for range rounds {
		if err := errors.Join(a.Rename("R", "S"), a.Rename("S", "R")); err != nil {
			return err
		}
	}
	return nil
}

// lists looks again and again: a tree is here or there, never in part.
func lists(a *Account, rounds int) error {
	for range rounds * 10 {
		if list, err := a.List(); err != nil || len(list) != 7 {
			return fmt.Errorf("list: %v, %v", list, err)
		}
	}
	return nil
}
