// SPDX-License-Identifier: ISC

package imapsearch

import (
	"bytes"
	"slices"
)

// maxPlain is the bytes of a pattern that bytes.Index looks for: up to there its
// time is linear whatever the text.
const maxPlain = 32

// finder looks for patterns in folded texts that come in pieces. One short
// pattern is looked for by bytes.Index, others all at once by the automaton of
// Aho and Corasick.
type finder struct {
	patterns [][]byte // folded, distinct, not empty
	found    []bool   // since the last reset
	left     int      // not found yet

	tail []byte // plain: the end of the pieces before
	seam []byte

	root             [256]int32
	next             map[uint64]int32 // state<<8 | byte
	fail, dict, out  []int32          // of states; dict: the next one that ends a pattern; out: that pattern, or -1
	state            int32
	parents, lengths []int32 // of states while it is built
	bytes            []byte
}

// add adds a folded pattern and gives its number.
func (f *finder) add(pattern []byte) int {
	if i := slices.IndexFunc(f.patterns, func(p []byte) bool { return bytes.Equal(p, pattern) }); i >= 0 {
		return i
	}
	f.patterns = append(f.patterns, pattern)
	f.found = append(f.found, false)
	return len(f.patterns) - 1
}

func (f *finder) plain() bool { return len(f.patterns) == 1 && len(f.patterns[0]) <= maxPlain }

// build makes the finder ready after the last add.
func (f *finder) build() {
	if f.reset(); f.plain() || len(f.patterns) == 0 {
		return
	}
	f.next = map[uint64]int32{}
	f.newState(0, 0, 0)
	for i, p := range f.patterns {
		at := int32(0)
		for _, c := range p {
			to, ok := f.step(at, c)
			if !ok {
				to = f.newState(at, f.lengths[at]+1, c)
				if at == 0 {
					f.root[c] = to
				} else {
					f.next[uint64(at)<<8|uint64(c)] = to
				}
			}
			at = to
		}
		f.out[at] = int32(i)
	}
	f.link()
}

func (f *finder) newState(parent, length int32, c byte) int32 {
	f.parents, f.lengths, f.bytes = append(f.parents, parent), append(f.lengths, length), append(f.bytes, c)
	f.fail, f.dict, f.out = append(f.fail, 0), append(f.dict, 0), append(f.out, -1)
	return int32(len(f.fail) - 1)
}

// step is the state after c where the trie has one.
func (f *finder) step(at int32, c byte) (to int32, ok bool) {
	if at == 0 {
		return f.root[c], f.root[c] != 0
	}
	to, ok = f.next[uint64(at)<<8|uint64(c)]
	return to, ok
}

// link finds each state's longest proper suffix that is a state, shorter states
// first.
func (f *finder) link() {
	order := make([]int32, len(f.fail))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return int(f.lengths[a] - f.lengths[b]) })
	for _, s := range order {
		if f.lengths[s] > 1 {
			f.fail[s] = f.move(f.fail[f.parents[s]], f.bytes[s])
		}
		if t := f.fail[s]; f.out[t] >= 0 {
			f.dict[s] = t
		} else {
			f.dict[s] = f.dict[t]
		}
	}
	f.parents, f.lengths, f.bytes = nil, nil, nil
}

// move is the state after c.
func (f *finder) move(at int32, c byte) int32 {
	for {
		to, ok := f.step(at, c)
		if ok || at == 0 {
			return to
		}
		at = f.fail[at]
	}
}

// reset forgets what was found.
func (f *finder) reset() {
	clear(f.found)
	f.left = len(f.patterns)
	f.begin()
}

// begin begins another text.
func (f *finder) begin() { f.tail, f.state = f.tail[:0], 0 }

// feed looks at the next piece of the text.
func (f *finder) feed(b []byte) {
	switch {
	case f.left == 0:
	case f.plain():
		f.feedPlain(b)
	default:
		f.feedStates(b)
	}
}

func (f *finder) feedPlain(b []byte) {
	p := f.patterns[0]
	keep := len(p) - 1
	f.seam = append(append(f.seam[:0], f.tail...), b[:min(len(b), keep)]...)
	if bytes.Contains(f.seam, p) || bytes.Contains(b, p) {
		f.found[0], f.left = true, 0
		return
	}
	if len(b) < keep {
		b = f.seam
	}
	f.tail = append(f.tail[:0], b[max(0, len(b)-keep):]...)
}

func (f *finder) feedStates(b []byte) {
	at := f.state
	for _, c := range b {
		if at == 0 {
			at = f.root[c]
		} else {
			at = f.move(at, c)
		}
		if at == 0 {
			continue
		}
		o := at
		if f.out[o] < 0 {
			o = f.dict[o]
		}
		// With a pattern all those that it ends in are found too.
		for ; o != 0 && !f.found[f.out[o]]; o = f.dict[o] {
			f.found[f.out[o]] = true
			if f.left--; f.left == 0 {
				return
			}
		}
	}
	f.state = at
}
