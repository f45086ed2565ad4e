// SPDX-License-Identifier: ISC

package imap

import (
	"slices"
	"strconv"
	"strings"
)

// ItemKind is one thing that FETCH can ask for.
type ItemKind uint8

const (
	ItemUID ItemKind = iota
	ItemFlags
	ItemInternalDate
	ItemSize // RFC822.SIZE
	ItemEnvelope
	ItemBodyStructure
	ItemBodyBasic // BODY without a section: BODYSTRUCTURE without extensions
	ItemModSeq
	ItemSection      // BODY[…]
	ItemBinary       // BINARY[…], RFC 3516
	ItemBinarySize   // BINARY.SIZE[…]
	ItemRFC822       // BODY[] under its name of RFC 3501
	ItemRFC822Header // BODY.PEEK[HEADER]
	ItemRFC822Text   // BODY[TEXT]
)

// Item is one thing asked for.
type Item struct {
	Kind    ItemKind
	Peek    bool // does not set \Seen
	Section Section
	Partial *Partial
}

// Section is what stands in brackets.
type Section struct {
	Part   []uint32 // numbers of parts from the outside in; none: the message
	Name   string   // "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME
	Fields []string
}

// Partial is <Offset.Length>.
type Partial struct {
	Offset int64
	Length int64 // above 0
}

// Fetch is what FETCH asks for (RFC 9051 §6.4.5).
type Fetch struct {
	Items        []Item
	Changed      bool // CHANGEDSINCE was given, RFC 7162 §3.1.4
	ChangedSince int64
	Vanished     bool // RFC 7162 §3.2.6
}

// fetchItems is the items that are a word, fetchMacros RFC 9051 §6.4.5's.
var (
	fetchItems = map[string]ItemKind{
		"UID": ItemUID, "FLAGS": ItemFlags, "INTERNALDATE": ItemInternalDate, "RFC822.SIZE": ItemSize, "ENVELOPE": ItemEnvelope,
		"BODYSTRUCTURE": ItemBodyStructure, "BODY": ItemBodyBasic, "MODSEQ": ItemModSeq,
		"RFC822": ItemRFC822, "RFC822.HEADER": ItemRFC822Header, "RFC822.TEXT": ItemRFC822Text,
	}
	fetchMacros = map[string][]ItemKind{
		"FAST": {ItemFlags, ItemInternalDate, ItemSize},
		"ALL":  {ItemFlags, ItemInternalDate, ItemSize, ItemEnvelope},
		"FULL": {ItemFlags, ItemInternalDate, ItemSize, ItemEnvelope, ItemBodyBasic},
	}
)

func (p *parser) cmdFetch(c *Command) {
	f := &Fetch{}
	c.Fetch, c.Set = f, p.set()
	p.space()
	if p.peek() == '(' {
		p.list(maxItems, false, func() { f.Items = append(f.Items, p.fetchItem(p.fetchWord())) })
	} else if w := p.fetchWord(); fetchMacros[w] != nil {
		for _, k := range fetchMacros[w] {
			f.Items = append(f.Items, Item{Kind: k})
		}
	} else {
		f.Items = []Item{p.fetchItem(w)}
	}
	if p.atEnd() {
		return
	}
	p.space()
	p.list(2, false, func() { p.fetchModifier(f) })
	if f.Vanished && (!c.UID || !f.Changed) { // RFC 7162 §3.2.6
		p.fail("VANISHED needs UID FETCH and CHANGEDSINCE")
	}
}

func (p *parser) fetchModifier(f *Fetch) {
	switch p.word() {
	case "CHANGEDSINCE":
		p.space()
		f.Changed, f.ChangedSince = true, p.number63()
	case "VANISHED":
		f.Vanished = true
	default:
		p.fail("unknown modifier of FETCH")
	}
}

// fetchWord is an item's name up to a bracket.
func (p *parser) fetchWord() string {
	return upper(p.run(func(c byte) bool { return isAtomChar(c) && c != '[' }, "an item"))
}

// fetchItem reads what follows an item's name.
func (p *parser) fetchItem(w string) Item {
	if p.peek() != '[' {
		kind, ok := fetchItems[w]
		if !ok {
			p.fail("unknown item of FETCH")
		}
		return Item{Kind: kind, Peek: kind == ItemRFC822Header}
	}
	it := Item{Kind: ItemSection}
	switch w {
	case "BODY":
	case "BODY.PEEK":
		it.Peek = true
	case "BINARY":
		it.Kind = ItemBinary
	case "BINARY.PEEK":
		it.Kind, it.Peek = ItemBinary, true
	case "BINARY.SIZE":
		it.Kind = ItemBinarySize
		it.Peek = true
	default:
		p.fail("unknown item of FETCH")
	}
	p.take('[')
	p.section(&it.Section, it.Kind == ItemSection)
	p.expect(']')
	if it.Kind != ItemBinarySize && p.take('<') {
		it.Partial = p.partial()
	}
	return it
}

// section: RFC 9051 §9, section-spec; named says that a word may stand in it.
func (p *parser) section(s *Section, named bool) {
	for isDigit(p.peek()) {
		if s.Part = append(s.Part, p.nonZero()); len(s.Part) > maxParts {
			p.fail("too many numbers in section")
		}
		if !p.take('.') {
			return
		}
		if !named && !isDigit(p.peek()) {
			p.fail("bad section")
		}
	}
	if p.peek() == ']' && len(s.Part) == 0 {
		return
	}
	if !named {
		p.fail("bad section")
		return
	}
	s.Name = p.word()
	switch {
	case s.Name == "HEADER", s.Name == "TEXT", s.Name == "MIME" && len(s.Part) > 0:
	case s.Name == "HEADER.FIELDS", s.Name == "HEADER.FIELDS.NOT":
		p.space()
		p.list(maxItems, false, func() { s.Fields = append(s.Fields, p.fieldName()) })
	default:
		p.fail("bad section")
	}
}

// fieldName is a header field's name, RFC 5322 §3.6.8.
func (p *parser) fieldName() string {
	f := p.astring()
	if strings.ContainsFunc(f, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) || f == "" {
		p.fail("bad name of a header field")
	}
	return f
}

func (p *parser) partial() *Partial {
	part := &Partial{Offset: p.number63()}
	p.expect('.')
	if part.Length = p.number63(); part.Length == 0 {
		p.fail("number must not be 0")
	}
	p.expect('>')
	return part
}

// itemNames is how items are called in an answer.
var itemNames = [...]string{
	ItemUID: "UID", ItemFlags: "FLAGS", ItemInternalDate: "INTERNALDATE", ItemSize: "RFC822.SIZE", ItemEnvelope: "ENVELOPE",
	ItemBodyStructure: "BODYSTRUCTURE", ItemBodyBasic: "BODY", ItemModSeq: "MODSEQ", ItemSection: "BODY", ItemBinary: "BINARY",
	ItemBinarySize: "BINARY.SIZE", ItemRFC822: "RFC822", ItemRFC822Header: "RFC822.HEADER", ItemRFC822Text: "RFC822.TEXT",
}

// Append writes the item's name as an answer has it: BODY[1.MIME]<0>, without
// PEEK and the partial's length.
func (it Item) Append(b []byte) []byte {
	b = append(b, itemNames[it.Kind]...)
	if it.Kind != ItemSection && it.Kind != ItemBinary && it.Kind != ItemBinarySize {
		return b
	}
	b = append(b, '[')
	for i, n := range it.Section.Part {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	if it.Section.Name != "" {
		if len(it.Section.Part) > 0 {
			b = append(b, '.')
		}
		b = append(b, it.Section.Name...)
	}
	for i, f := range it.Section.Fields {
		if b = append(b, ' '); i == 0 {
			b = append(b, '(')
		}
		b = appendString(b, f, true, false)
	}
	if len(it.Section.Fields) > 0 {
		b = append(b, ')')
	}
	b = append(b, ']')
	if it.Partial != nil {
		b = append(b, '<')
		b = strconv.AppendInt(b, it.Partial.Offset, 10)
		b = append(b, '>')
	}
	return b
}

// Sees says whether FETCH of these items sets \Seen.
func (f *Fetch) Sees() bool {
	return slices.ContainsFunc(f.Items, func(it Item) bool { return it.Kind >= ItemSection && !it.Peek })
}
