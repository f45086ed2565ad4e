// SPDX-License-Identifier: ISC

package imapsearch

import (
	"math"
	"strings"
	"time"

	"quill/internal/digest"
	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mime"
)

// kind says what a node looks at.
type kind uint8

const (
	isTrue kind = iota
	isFalse
	isAnd
	isOr
	isNot
	hasFlag    // one of flags
	hasKeyword // one of keywords
	isRecent
	inSeqs
	inUIDs
	wire   // lo to hi
	date   // lo to hi, nanoseconds
	modSeq // lo or more
	sent   // lo to hi, days
	hasField
	inField // pattern
	inBody
	inText
)

// node is a key in the form that it is tried in.
type node struct {
	kind     kind
	level    level // of a key with no others in it
	sub      []node
	flags    mailbox.Flags
	keywords uint64
	lo, hi   int64
	ranges   []imap.Range
	at       int // the range of ranges to look at next: messages come in order
	field    *field
	pattern  int
}

func (s *Search) compile(k *imap.Key) node {
	n := s.compileKey(k)
	s.needs[n.level] = true
	return n
}

func (s *Search) compileKey(k *imap.Key) node {
	switch k.Op {
	case imap.OpAll:
		return node{}
	case imap.OpAnd:
		return s.group(isAnd, k.Sub)
	case imap.OpOr:
		return s.group(isOr, k.Sub)
	case imap.OpNot:
		return s.group(isNot, k.Sub)
	case imap.OpFlag:
		return s.flag(k.Str)
	case imap.OpSeq:
		return s.set(inSeqs, k.Set)
	case imap.OpUID:
		return s.set(inUIDs, k.Set)
	case imap.OpLarger:
		if k.Num == math.MaxInt64 {
			return node{kind: isFalse}
		}
		return s.size(k.Num+1, math.MaxInt64)
	case imap.OpSmaller:
		return s.size(math.MinInt64, k.Num-1)
	case imap.OpModSeq:
		return node{kind: modSeq, lo: k.Num}
	case imap.OpOlder:
		return node{kind: date, lo: math.MinInt64, hi: (s.env.Now.Unix()-k.Num+1)*1e9 - 1}
	case imap.OpYounger:
		return node{kind: date, lo: (s.env.Now.Unix() - k.Num) * 1e9, hi: math.MaxInt64}
	case imap.OpBefore, imap.OpOn, imap.OpSince:
		return s.internalDate(k)
	case imap.OpSentBefore, imap.OpSentOn, imap.OpSentSince:
		return s.sentDate(k)
	}
	return s.str(k)
}

// group puts nodes together.
func (s *Search) group(kind kind, keys []imap.Key) node {
	n := node{kind: kind}
	for i := range keys {
		sub := s.compile(&keys[i])
		if sub.kind == isAnd && kind == isAnd {
			n.sub = append(n.sub, sub.sub...)
			continue
		}
		n.sub = append(n.sub, sub)
	}
	if kind == isAnd && len(n.sub) == 1 {
		return n.sub[0]
	}
	return n
}

func (s *Search) flag(name string) node {
	switch strings.ToLower(name) {
	case `\recent`:
		return node{kind: isRecent}
	case `\seen`:
		return node{kind: hasFlag, flags: mailbox.Seen}
	case `\answered`:
		return node{kind: hasFlag, flags: mailbox.Answered}
	case `\flagged`:
		return node{kind: hasFlag, flags: mailbox.Flagged}
	case `\deleted`:
		return node{kind: hasFlag, flags: mailbox.Deleted}
	case `\draft`:
		return node{kind: hasFlag, flags: mailbox.Draft}
	case "$forwarded":
		return node{kind: hasFlag, flags: mailbox.Forwarded}
	}
	for i, k := range s.env.Box.Keywords() {
		if strings.EqualFold(k, name) && i < 64 {
			return node{kind: hasKeyword, keywords: 1 << i}
		}
	}
	return node{kind: isFalse}
}

func (s *Search) set(kind kind, set imap.Set) node {
	n, last := node{kind: kind}, s.env.Box.Len()
	switch {
	case set.Saved: // RFC 5182 §2.1: also where sequence numbers are meant
		n.kind, n.ranges = inUIDs, s.env.Saved
	case last == 0:
		n.kind = isFalse
	case kind == inUIDs:
		var m mailbox.Message
		s.env.Box.Message(last, &m)
		n.ranges = set.Resolve(m.UID)
	default:
		n.ranges = set.Resolve(uint32(last))
	}
	return n
}

// size is a range of RFC822.SIZE. It is in the digest where the mailbox does not
// tell it.
func (s *Search) size(lo, hi int64) node {
	s.needs[byDigest] = true
	return node{kind: wire, lo: lo, hi: hi}
}

func (s *Search) internalDate(k *imap.Key) node {
	from, to := s.begin(k.Date, 0), s.begin(k.Date, 1)
	n := node{kind: date, lo: math.MinInt64, hi: math.MaxInt64}
	if k.Op != imap.OpBefore {
		n.lo = from
	}
	switch {
	case k.Op == imap.OpBefore && from == math.MinInt64, k.Op == imap.OpOn && to == math.MinInt64:
		n.kind = isFalse
	case k.Op == imap.OpBefore:
		n.hi = from - 1
	case k.Op == imap.OpOn:
		n.hi = to - 1
	}
	return n
}

// begin is when a day begins, or one that is so many days later, in nanoseconds
// since 1970; the first or last moment that can be told so where it is beyond.
func (s *Search) begin(d time.Time, days int) int64 {
	switch y := d.Year(); {
	case y < 1679:
		return math.MinInt64
	case y > 2260:
		return math.MaxInt64
	}
	t := time.Date(d.Year(), d.Month(), d.Day()+days, 0, 0, 0, 0, s.env.Zone)
	if t.Hour() > 12 { // there is no midnight: the clock is put forward then
		t = t.Add(time.Hour)
	}
	return t.UnixNano()
}

func (s *Search) sentDate(k *imap.Key) node {
	d := int64(dayOf(k.Date.Date()))
	n := node{kind: sent, level: byDigest, field: s.field("date"), lo: 1, hi: math.MaxInt64}
	switch k.Op {
	case imap.OpSentBefore:
		n.hi = d - 1
	case imap.OpSentOn:
		n.lo, n.hi = d, d
	default:
		n.lo = d
	}
	return n
}

// str compiles the keys with a string.
func (s *Search) str(k *imap.Key) node {
	text, _ := mime.UTF8(s.of.Charset, k.Str)
	pattern := appendFold(nil, []byte(text))
	switch {
	case k.Op == imap.OpHeader:
		name := strings.ToLower(k.Field)
		n := node{kind: hasField, level: byHeader, field: s.field(name)}
		if n.field.kept {
			n.level = byDigest
		}
		if len(pattern) > 0 {
			n.kind, n.pattern = inField, n.field.finder.add(pattern)
		}
		return n
	case len(pattern) == 0: // it is in any text
		return node{}
	case k.Op == imap.OpBody:
		return node{kind: inBody, level: byBody, pattern: s.body.add(pattern)}
	}
	s.needs[byHeader] = true // where it may be found already
	return node{kind: inText, level: byBody, pattern: s.text.add(pattern)}
}

func (s *Search) field(name string) *field {
	f := s.fields[name]
	if f == nil {
		f = &field{kept: digest.Has(name)}
		s.fields[name] = f
	}
	return f
}

// eval tries a key with what there is at the level.
func (s *Search) eval(n *node) verdict {
	switch n.kind {
	case isAnd:
		return s.each(n, no)
	case isOr:
		return s.each(n, yes)
	case isNot:
		switch v := s.eval(&n.sub[0]); v {
		case no:
			return yes
		case yes:
			return no
		default:
			return v
		}
	case isTrue:
		return yes
	case hasFlag:
		return is(s.msg.Flags&n.flags != 0)
	case hasKeyword:
		return is(s.msg.Keywords&n.keywords != 0)
	case isRecent:
		if s.env.Recent == nil {
			return is(s.msg.New)
		}
		return is(s.env.Recent(s.msg.UID))
	case inSeqs:
		return is(n.has(uint32(s.seq)))
	case inUIDs:
		return is(n.has(s.msg.UID))
	case date:
		return is(n.lo <= s.msg.Date && s.msg.Date <= n.hi)
	case modSeq:
		return is(s.msg.ModSeq >= uint64(n.lo))
	case wire:
		return s.evalSize(n)
	case isFalse:
		return no
	}
	return s.evalContent(n)
}

// each tries the keys of n until one has the verdict that decides.
func (s *Search) each(n *node, decides verdict) verdict {
	v := 1 - decides
	for i := range n.sub {
		switch s.eval(&n.sub[i]) {
		case decides:
			return decides
		case unknown:
			v = unknown
		}
	}
	return v
}

func is(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// has says whether x, which is no less than at the last call, is in the ranges.
func (n *node) has(x uint32) bool {
	for n.at < len(n.ranges) && n.ranges[n.at].Hi < x {
		n.at++
	}
	return n.at < len(n.ranges) && n.ranges[n.at].Lo <= x
}

func (s *Search) evalSize(n *node) verdict {
	size := s.msg.Wire
	if size == 0 && s.msg.Size > 0 { // not known
		if s.level < byDigest || !s.loadDigest() {
			return unknown
		}
		size = s.wire
	}
	return is(n.lo <= size && size <= n.hi)
}

// evalContent tries a key that needs more than the mailbox tells. What cannot be
// loaded is unknown, and why is s.err.
func (s *Search) evalContent(n *node) verdict {
	level := n.level
	if n.kind == inText && s.level >= byHeader {
		if !s.loadHeader() {
			return unknown
		}
		if s.text.found[n.pattern] {
			return yes
		}
	}
	switch {
	case level > s.level,
		level == byDigest && !s.loadDigest(),
		level == byHeader && !s.loadHeader(),
		level == byBody && !s.loadBody():
		return unknown
	}
	switch n.kind {
	case hasField:
		return is(n.field.present)
	case inField:
		return is(n.field.finder.found[n.pattern])
	case sent:
		return is(n.lo <= int64(n.field.day) && int64(n.field.day) <= n.hi)
	case inBody:
		return is(s.body.found[n.pattern])
	}
	return is(s.text.found[n.pattern])
}
