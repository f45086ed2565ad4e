// SPDX-License-Identifier: ISC

package index

import (
	"time"

	"quill/internal/random"
	"quill/maildir"
)

// Rebuild makes the index of m anew, with a new UIDVALIDITY, so that clients fetch
// all messages again; keywords, and flags that names do not have yet, are kept
// where the old index can be read. It returns how many messages have some.
func Rebuild(m *maildir.Maildir, opt Options) (kept int, err error) {
	before, _ := peek(m) // of a damaged one what can be read; Open makes it anew
	x, err := Open(m, opt)
	if err != nil {
		return 0, err
	}
	defer x.Close()
	err = x.update(func() error {
		fill := func(old *state) error {
			was := make(map[string]*Message, len(old.msgs))
			for _, msg := range old.msgs {
				was[msg.Key()] = msg
			}
			kept, err = x.restore(was, old.keywords)
			return err
		}
		if x.stats.Rebuilds > 0 && before.s != nil {
			return fill(before.s)
		}
		old := x.s
		return x.renew(false, func() error {
			x.task.force = true
			if err := x.merge(); err != nil {
				return err
			}
			return fill(old)
		})
	})
	return kept, err
}

// restore gives messages what the old index knew of them.
func (x *Index) restore(was map[string]*Message, keywords []string) (kept int, err error) {
	for n, k := range keywords {
		if err := x.put(record{kind: kindKeyword, number: uint8(n), keyword: k}); err != nil {
			return 0, err
		}
	}
	what := make(map[change][]UID)
	for i := range x.s.msgs {
		m := x.s.msgs[i]
		old, ok := was[m.Key()]
		if !ok {
			continue
		}
		c := change{kwOn: old.Keywords}
		if old.Name == m.Name {
			c.on, c.off = old.Flags&^m.Flags, m.Flags&^old.Flags
		}
		if c != (change{}) {
			what[c] = append(what[c], m.UID)
		}
	}
	for c, uids := range what {
		kept += len(uids)
		for from := Ranges(uids); len(from) > 0; {
			part := from[:min(len(from), rangesMax)]
			if err := x.put(record{kind: kindFlags, change: c, uids: part}); err != nil {
				return kept, err
			}
			from = from[len(part):]
		}
	}
	return kept, nil
}

// anew is the state of an empty index with a new UIDVALIDITY, greater than last.
func anew(root *maildir.Maildir, gen uint64, last uint32, wait time.Duration) (*state, error) {
	valid, err := nextValidity(root.Fd(), last, wait)
	if err != nil {
		return nil, err
	}
	s := &state{gen: gen, valid: valid, next: 1, modseq: 1}
	random.Fill(s.box[:])
	return s, nil
}
