// SPDX-License-Identifier: ISC

package index

// comparison is what a scan says of messages.
type comparison struct {
	msgs    []*Message // these
	puts    []record   // what is to be recorded of them
	missing map[string]UID
	left    int // files that are none of theirs
}

func newComparison(seen files) *comparison {
	return &comparison{missing: make(map[string]UID), left: len(seen.fresh) + len(seen.cur)}
}

// with goes on with these messages, which come after those it has.
func (c *comparison) with(seen files, msgs []*Message) {
	for _, m := range msgs {
		key := m.Key()
		at, n := seen.find(key)
		if c.left -= n; n > 0 {
			c.puts = append(c.puts, renamed(m, key, at)...)
		} else {
			c.missing[key] = m.UID
		}
	}
}

// compare compares the survey with the messages there are now, without x.mu: a
// large folder has many.
func (x *Index) compare(s *survey) {
	x.mu.Lock()
	var msgs []*Message
	if x.s != nil {
		msgs, x.s.shared = x.s.msgs, true
	}
	x.mu.Unlock()
	s.compared = newComparison(s.files)
	s.compared.with(s.files, msgs)
	s.compared.msgs = msgs
}

// comparison is what was compared already; nil where that was not with the first
// of these messages, as they are.
func (s *survey) comparison(msgs []*Message) *comparison {
	if s == nil || s.compared == nil || len(s.compared.msgs) == 0 || len(msgs) < len(s.compared.msgs) || &msgs[0] != &s.compared.msgs[0] {
		return nil
	}
	return s.compared
}
