// SPDX-License-Identifier: ISC

package imap

import (
	"slices"
	"time"
)

// Op says what a search key looks at.
type Op uint8

const (
	OpAll     Op = iota
	OpAnd        // every one of Sub
	OpOr         // one of Sub's two
	OpNot        // not Sub's one
	OpFlag       // Str is set: a system flag, \Recent or a keyword
	OpSeq        // sequence number in Set, which may be $
	OpUID        // UID in Set
	OpLarger     // more bytes than Num
	OpSmaller    // fewer
	OpBefore     // internal date, its zone disregarded, before Date
	OpOn
	OpSince
	OpSentBefore // the same of the Date field
	OpSentOn
	OpSentSince
	OpOlder   // internal date Num seconds ago or more, RFC 5032
	OpYounger // Num seconds ago or less
	OpHeader  // the field Field holds Str; where Str is empty: there is one
	OpBody    // Str is in the body's text
	OpText    // or in the header
	OpModSeq  // mod-sequence of Num or more, RFC 7162
)

// Key is a search key. Strings are bytes in the search's charset.
type Key struct {
	Op         Op
	Field, Str string
	Num        int64
	Date       time.Time
	Set        Set
	Sub        []Key
}

// Search is what SEARCH asks for (RFC 9051 §6.4.4).
type Search struct {
	Extended bool // RETURN was given: answer ESEARCH
	// What RETURN named; RETURN () is RETURN (ALL), RFC 4731 §3.1.
	Min, Max, All, Count, Save bool

	Charset string // as given, in capitals; empty without one
	Key     Key    // OpAnd of all keys
	ModSeq  bool   // MODSEQ is among the keys: the answer tells one too
}

func (p *parser) cmdSearch(c *Command) {
	s := &Search{Key: Key{Op: OpAnd}}
	c.Search = s
	if p.isWord("RETURN") {
		p.space()
		p.searchReturn(s)
		p.space()
	}
	if p.isWord("CHARSET") {
		p.space()
		s.Charset = upper(p.astring())
		p.space()
	}
	for p.err == nil {
		if s.Key.Sub = append(s.Key.Sub, p.searchKey(s)); p.atEnd() {
			break
		}
		p.space()
	}
	if byNumber(s.Key) { // UID SEARCH too, RFC 7162 §3.2.10.2
		c.Flags |= UsesSeqs | NoExpunge
	}
}

// byNumber tells whether a key names messages by sequence numbers.
func byNumber(k Key) bool {
	return k.Op == OpSeq && !k.Set.Saved || slices.ContainsFunc(k.Sub, byNumber)
}

// searchReturn: RFC 4731 §3.1, RFC 5182 §2.1.
func (p *parser) searchReturn(s *Search) {
	s.Extended = true
	p.list(maxItems, true, func() {
		switch p.word() {
		case "MIN":
			s.Min = true
		case "MAX":
			s.Max = true
		case "ALL":
			s.All = true
		case "COUNT":
			s.Count = true
		case "SAVE":
			s.Save = true
		default:
			p.fail("unknown return option of SEARCH")
		}
	})
	if !s.Min && !s.Max && !s.Count && !s.Save {
		s.All = true
	}
}

// keyArg is what stands after a search key's name.
type keyArg uint8

const (
	argNone keyArg = iota
	argString
	argHeader
	argKeyword
	argDate
	argSize
	argSeconds
	argSet
	argModSeq
)

// searchKeys is every key with a name but NOT and OR: RFC 9051 §6.4.4, RFC 3501
// §6.4.4, RFC 5032 §3, RFC 7162 §3.1.5.
var searchKeys = map[string]struct {
	op    Op
	arg   keyArg
	text  string // the flag or the field
	unset bool   // NOT of it
}{
	"ALL": {op: OpAll}, "ANSWERED": {op: OpFlag, text: `\Answered`}, "DELETED": {op: OpFlag, text: `\Deleted`},
	"DRAFT": {op: OpFlag, text: `\Draft`}, "FLAGGED": {op: OpFlag, text: `\Flagged`}, "SEEN": {op: OpFlag, text: `\Seen`},
	"RECENT": {op: OpFlag, text: `\Recent`}, "OLD": {op: OpFlag, text: `\Recent`, unset: true},
	"UNANSWERED": {op: OpFlag, text: `\Answered`, unset: true}, "UNDELETED": {op: OpFlag, text: `\Deleted`, unset: true},
	"UNDRAFT": {op: OpFlag, text: `\Draft`, unset: true}, "UNFLAGGED": {op: OpFlag, text: `\Flagged`, unset: true},
	"UNSEEN":  {op: OpFlag, text: `\Seen`, unset: true},
	"KEYWORD": {op: OpFlag, arg: argKeyword}, "UNKEYWORD": {op: OpFlag, arg: argKeyword, unset: true},
	"BCC": {op: OpHeader, arg: argString, text: "Bcc"}, "CC": {op: OpHeader, arg: argString, text: "Cc"},
	"FROM": {op: OpHeader, arg: argString, text: "From"}, "TO": {op: OpHeader, arg: argString, text: "To"},
	"SUBJECT": {op: OpHeader, arg: argString, text: "Subject"}, "HEADER": {op: OpHeader, arg: argHeader},
	"BODY": {op: OpBody, arg: argString}, "TEXT": {op: OpText, arg: argString},
	"BEFORE": {op: OpBefore, arg: argDate}, "ON": {op: OpOn, arg: argDate}, "SINCE": {op: OpSince, arg: argDate},
	"SENTBEFORE": {op: OpSentBefore, arg: argDate}, "SENTON": {op: OpSentOn, arg: argDate}, "SENTSINCE": {op: OpSentSince, arg: argDate},
	"LARGER": {op: OpLarger, arg: argSize}, "SMALLER": {op: OpSmaller, arg: argSize},
	"OLDER": {op: OpOlder, arg: argSeconds}, "YOUNGER": {op: OpYounger, arg: argSeconds},
	"UID": {op: OpUID, arg: argSet}, "MODSEQ": {op: OpModSeq, arg: argModSeq},
}

// searchKey reads one key, with those within it.
func (p *parser) searchKey(s *Search) Key {
	p.enter()
	defer p.leave()
	if p.keys++; p.keys > maxKeys {
		p.fail("too many search keys")
	}
	switch c := p.peek(); {
	case c == '(':
		k := Key{Op: OpAnd}
		p.list(maxKeys, false, func() { k.Sub = append(k.Sub, p.searchKey(s)) })
		return k
	case isDigit(c) || c == '*' || c == '$':
		return Key{Op: OpSeq, Set: p.set()}
	}
	switch w := p.word(); w {
	case "NOT":
		p.space()
		return Key{Op: OpNot, Sub: []Key{p.searchKey(s)}}
	case "OR":
		p.space()
		a := p.searchKey(s)
		p.space()
		return Key{Op: OpOr, Sub: []Key{a, p.searchKey(s)}}
	case "NEW": // RFC 3501 §6.4.4: RECENT UNSEEN
		return Key{Op: OpAnd, Sub: []Key{{Op: OpFlag, Str: `\Recent`}, {Op: OpNot, Sub: []Key{{Op: OpFlag, Str: `\Seen`}}}}}
	default:
		return p.namedKey(w, s)
	}
}

// namedKey reads what belongs to the key named w.
func (p *parser) namedKey(w string, s *Search) Key {
	def, ok := searchKeys[w]
	if !ok {
		p.fail("unknown search key")
		return Key{}
	}
	k := Key{Op: def.op}
	if def.arg != argNone {
		p.space()
	}
	switch def.arg {
	case argNone:
		k.Str = def.text
	case argString:
		k.Field, k.Str = def.text, p.astring()
	case argHeader:
		k.Field = p.astring()
		p.space()
		k.Str = p.astring()
	case argKeyword:
		k.Str = p.atom()
	case argDate:
		k.Date = p.date()
	case argSize:
		k.Num = p.number63()
	case argSeconds:
		k.Num = int64(p.nonZero())
	case argSet:
		k.Set = p.set()
	case argModSeq:
		s.ModSeq = true
		p.modSeqKey(&k)
	}
	if def.unset {
		return Key{Op: OpNot, Sub: []Key{k}}
	}
	return k
}

// modSeqKey: MODSEQ ["/flags/…" priv|shared|all] n. Entries are all one to us,
// RFC 7162 §3.1.5.
func (p *parser) modSeqKey(k *Key) {
	if p.peek() == '"' {
		p.quoted()
		p.space()
		if w := p.word(); w != "PRIV" && w != "SHARED" && w != "ALL" {
			p.fail("bad entry type of MODSEQ")
		}
		p.space()
	}
	k.Num = p.number63()
}
