// SPDX-License-Identifier: ISC

package imap

import (
	"slices"
	"strconv"
)

// Range is the numbers from Lo to Hi, both included.
type Range struct{ Lo, Hi uint32 }

// Set is a sequence set (RFC 9051 §9) in normal form: however often the client
// names a number, Resolve gives it once.
type Set struct {
	Ranges []Range // without *; in order, neither overlapping nor touching, nor reaching From
	Star   bool    // * or a range that ends in * is in it as well
	From   uint32  // the least number that a range with * begins with; 0: * alone
	Saved  bool    // it is $, the last search's result (RFC 5182), and nothing else
}

// ParseSet reads a sequence set. Numbers are 1 to 2^32-1.
func ParseSet(s string) (Set, error) {
	set, ok := parseSet([]byte(s))
	if !ok {
		return Set{}, bad("not a sequence set")
	}
	return set, nil
}

func parseSet(b []byte) (Set, bool) {
	if string(b) == "$" {
		return Set{Saved: true}, true
	}
	var s Set
	for n := 0; ; n++ {
		lo, rest, ok := setNumber(b)
		if !ok || n == maxRanges {
			return Set{}, false
		}
		hi := lo
		if len(rest) > 0 && rest[0] == ':' {
			if hi, rest, ok = setNumber(rest[1:]); !ok {
				return Set{}, false
			}
		}
		s.add(lo, hi)
		if len(rest) == 0 {
			s.settle()
			return s, true
		}
		if rest[0] != ',' {
			return Set{}, false
		}
		b = rest[1:]
	}
}

// setNumber takes a number off b; 0 stands for *.
func setNumber(b []byte) (uint32, []byte, bool) {
	if len(b) > 0 && b[0] == '*' {
		return 0, b[1:], true
	}
	i := 0
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	n, ok := number(b[:i], 1<<32-1)
	return uint32(n), b[i:], ok && n > 0
}

// add takes a range of the client's in, 0 standing for *. Ranges with * become
// one: a:*,b:* is min(a,b):* wherever * lies, since a range beyond * is * alone.
func (s *Set) add(a, b uint32) {
	lo, hi := min(a, b), max(a, b)
	switch {
	case lo > 0:
		s.Ranges = append(s.Ranges, Range{lo, hi})
	case !s.Star:
		s.Star, s.From = true, hi
	case hi > 0 && (s.From == 0 || hi < s.From):
		s.From = hi
	}
}

// settle brings the set into normal form. Ranges that reach From go into the
// one with *: also where * is less than From, both name no more than *.
func (s *Set) settle() {
	s.Ranges = Normal(s.Ranges)
	for n := len(s.Ranges); n > 0 && s.From > 0 && uint64(s.Ranges[n-1].Hi)+1 >= uint64(s.From); n-- {
		s.From = min(s.From, s.Ranges[n-1].Lo)
		s.Ranges = s.Ranges[:n-1]
	}
	if len(s.Ranges) == 0 {
		s.Ranges = nil
	}
}

// Normal sorts ranges and joins those that overlap or touch, in place.
func Normal(in []Range) []Range {
	slices.SortFunc(in, func(a, b Range) int {
		if a.Lo < b.Lo {
			return -1
		}
		if a.Lo > b.Lo {
			return 1
		}
		return 0
	})
	out := in[:0]
	for _, r := range in {
		if n := len(out); n > 0 && uint64(r.Lo) <= uint64(out[n-1].Hi)+1 {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Resolve is the set's numbers up to last, what * stands for; none where last
// is 0. Of a saved set it knows nothing.
func (s Set) Resolve(last uint32) []Range {
	if last == 0 {
		return nil
	}
	out := make([]Range, 0, len(s.Ranges)+1)
	for _, r := range s.Ranges {
		if r.Lo <= last {
			out = append(out, Range{r.Lo, min(r.Hi, last)})
		}
	}
	if s.Star {
		from := last
		if s.From > 0 {
			from = min(s.From, last)
		}
		out = append(out, Range{from, last})
	}
	return Normal(out)
}

// Max is the greatest number named in a range without *; 0: there is none.
func (s Set) Max() uint32 {
	if n := len(s.Ranges); n > 0 {
		return s.Ranges[n-1].Hi
	}
	return 0
}

// Contains says whether n is in the set when * is last.
func (s Set) Contains(n, last uint32) bool {
	if n == 0 || n > last {
		return false
	}
	if s.Star && (n == last || s.From > 0 && n >= s.From) {
		return true
	}
	_, found := slices.BinarySearchFunc(s.Ranges, n, func(r Range, n uint32) int {
		switch {
		case r.Hi < n:
			return -1
		case r.Lo > n:
			return 1
		}
		return 0
	})
	return found
}

// String is the set as a client would write it.
func (s Set) String() string {
	if s.Saved {
		return "$"
	}
	b := AppendRanges(nil, s.Ranges)
	if s.Star {
		if len(b) > 0 {
			b = append(b, ',')
		}
		if s.From > 0 {
			b = append(strconv.AppendUint(b, uint64(s.From), 10), ':')
		}
		b = append(b, '*')
	}
	return string(b)
}

// AppendRanges writes ranges as a sequence set.
func AppendRanges(b []byte, rs []Range) []byte {
	for i, r := range rs {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(r.Lo), 10)
		if r.Hi > r.Lo {
			b = append(b, ':')
			b = strconv.AppendUint(b, uint64(r.Hi), 10)
		}
	}
	return b
}

// number reads decimal digits without wrapping; false where there are none,
// something else, or more than top.
func number(b []byte, top uint64) (uint64, bool) {
	var n uint64
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		d := uint64(c - '0')
		if n > (top-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, len(b) > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
