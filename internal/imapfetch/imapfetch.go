// SPDX-License-Identifier: ISC

// Package imapfetch is what FETCH answers (RFC 3501 §7.4.2, RFC 9051 §7.5.2,
// RFC 3516): a Fetcher writes the line of one message after the other.
//
// All bytes and sizes are those of the message in CRLF form, and a literal has
// as many bytes as it announces whatever the index or a file's name says. A line
// is written when all that it needs is known to be there, so that an error
// leaves none begun. Memory is bounded: what is longer than 1 MiB is read twice,
// to count it and to send it.
package imapfetch

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"quill/internal/digest"
	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mime"
)

// maxHeld is the bytes of content in a line that are held; what is beyond it is
// read again when it is sent.
const maxHeld = 1 << 20

// ErrEncoding says that a part is not decoded, since its encoding is unknown:
// NO [UNKNOWN-CTE], RFC 3516 §4.3.
var ErrEncoding = errors.New("unknown content transfer encoding")

// ErrCut says that a line was begun and cannot be completed: the writer's Flush
// gives an error too, and the connection must end.
var ErrCut = errors.New("answer is cut off")

// Options is what a Fetcher knows beside the items.
type Options struct {
	Keywords []string // the mailbox's, by the bits of Message.Keywords
	UID      bool     // the answer has UID, asked for or not: UID FETCH
	ModSeq   bool     // and MODSEQ: RFC 7162 §3.1.4.1 and §3.2.4
	Cache    *Cache   // not nil; see there
}

// Fetcher writes the answers to one FETCH.
type Fetcher struct {
	w        *imap.Writer
	source   mailbox.Source
	cache    *Cache
	items    []item
	keywords []string // with a space before; empty for those that cannot be sent
	forward  uint64   // the keywords that are $Forwarded

	line []byte
	late []late // of line, what is not held
	text []byte // of content, before it goes into line
	held int    // content in line

	seq    int
	m      *mailbox.Message
	digest digest.Digest
	known  bool // digest is this message's
	looked bool // whether one is kept is known
}

// late is a literal that is sent from the message itself, before line[at:].
type late struct {
	at   int
	send func() error
}

// item is an imap.Item made ready.
type item struct {
	imap.Item
	name    string // as the answer has it, with a space before and after
	section mime.Section
	fields  [][]byte
	kept    bool // a digest has all of these fields
}

// New makes a Fetcher of these items.
func New(w *imap.Writer, source mailbox.Source, items []imap.Item, o Options) *Fetcher {
	f := &Fetcher{w: w, source: source, cache: o.Cache}
	had := map[string]bool{}
	if o.UID {
		f.add(had, imap.Item{Kind: imap.ItemUID})
	}
	for _, it := range items {
		f.add(had, it)
	}
	if o.ModSeq {
		f.add(had, imap.Item{Kind: imap.ItemModSeq})
	}
	for i, k := range o.Keywords {
		switch {
		case i == 64:
			return f
		case strings.EqualFold(k, forwarded[1:]):
			f.forward |= 1 << i
			k = ""
		case !imap.IsKeyword(k):
			k = ""
		default:
			k = " " + k
		}
		f.keywords = append(f.keywords, k)
	}
	return f
}

// add adds an item, where had has not its answer already.
func (f *Fetcher) add(had map[string]bool, asked imap.Item) {
	it := item{Item: asked, name: " " + string(asked.Append(nil)) + " "}
	_, limit := window(&it)
	key := it.name + strconv.FormatInt(limit, 10)
	if had[key] {
		return
	}
	had[key] = true
	it.section.Path = asked.Section.Part
	it.section.What = whats[asked.Section.Name]
	switch asked.Kind {
	case imap.ItemRFC822Header:
		it.section.What = mime.Header
	case imap.ItemRFC822Text:
		it.section.What = mime.Body
	}
	it.kept = len(it.section.Path) == 0 && it.section.What == mime.HeaderFields
	for _, name := range asked.Section.Fields {
		it.fields = append(it.fields, []byte(name))
		it.kept = it.kept && digest.Has(name)
	}
	f.items = append(f.items, it)
}

// whats is the sections by their names.
var whats = map[string]mime.What{"HEADER": mime.Header, "HEADER.FIELDS": mime.HeaderFields, "HEADER.FIELDS.NOT": mime.HeaderFieldsNot, "TEXT": mime.Body, "MIME": mime.OwnHeader}

// Message writes the line of the message with this sequence number, of which m
// tells; recent says whether it is \Recent to this session. An error that is not
// ErrCut has left nothing of the line, and others may be fetched: the message is
// gone (fs.ErrNotExist), cannot be read, or ErrEncoding.
func (f *Fetcher) Message(seq int, m *mailbox.Message, recent bool) error {
	f.seq, f.m, f.known, f.looked = seq, m, false, false
	f.late, f.held = f.late[:0], 0
	if cap(f.line) > 2*maxHeld { // a hostile message's ENVELOPE
		f.line = nil
	}
	f.line = append(f.line[:0], "* "...)
	f.line = strconv.AppendUint(f.line, uint64(seq), 10)
	f.line = append(f.line, " FETCH ("...)
	for i := range f.items {
		it := &f.items[i]
		name := it.name
		if i == 0 {
			name = name[1:]
		}
		f.line = append(f.line, name...)
		if err := f.item(it, recent); err != nil {
			return fmt.Errorf("message with uid %d: %w", m.UID, err)
		}
	}
	f.line = append(f.line, ")\r\n"...)
	return f.send()
}

// send writes the line.
func (f *Fetcher) send() error {
	at := 0
	for i, l := range f.late {
		f.w.RawBytes(f.line[at:l.at])
		at = l.at
		f.late[i].send = nil // with what it holds
		if err := l.send(); err != nil {
			err = fmt.Errorf("message with uid %d: %w: %w", f.m.UID, ErrCut, err)
			f.w.Fail(err)
			return err
		}
	}
	f.w.RawBytes(f.line[at:])
	if err := f.w.Err(); err != nil { // there may be many messages to come
		return fmt.Errorf("message with uid %d: %w: %w", f.m.UID, ErrCut, err)
	}
	return nil
}

// item appends what stands behind an item's name.
func (f *Fetcher) item(it *item, recent bool) (err error) {
	switch it.Kind {
	case imap.ItemUID:
		f.line = strconv.AppendUint(f.line, uint64(f.m.UID), 10)
	case imap.ItemFlags:
		f.flags(recent)
	case imap.ItemInternalDate:
		f.line = imap.AppendDateTime(f.line, f.m.InternalDate())
	case imap.ItemModSeq:
		f.line = append(strconv.AppendUint(append(f.line, '('), f.m.ModSeq, 10), ')')
	case imap.ItemSize:
		err = f.size()
	case imap.ItemEnvelope, imap.ItemBodyStructure, imap.ItemBodyBasic:
		err = f.structure(it.Kind)
	case imap.ItemBinary, imap.ItemBinarySize:
		err = f.binary(it)
	default:
		err = f.body(it)
	}
	return err
}

// forwarded is the flag that is a keyword to clients, RFC 9051 §2.3.2.
const forwarded = " $Forwarded"

// flagNames is the flags by their bits.
var flagNames = [...]string{` \Seen`, ` \Answered`, ` \Flagged`, ` \Deleted`, ` \Draft`, forwarded}

func (f *Fetcher) flags(recent bool) {
	from := len(f.line)
	set := uint64(f.m.Flags) & (1<<len(flagNames) - 1)
	if f.m.Keywords&f.forward != 0 {
		set |= uint64(mailbox.Forwarded)
	}
	for ; set != 0; set &= set - 1 {
		f.line = append(f.line, flagNames[bits.TrailingZeros64(set)]...)
	}
	if recent {
		f.line = append(f.line, ` \Recent`...)
	}
	for set := f.m.Keywords; set != 0; set &= set - 1 {
		if n := bits.TrailingZeros64(set); n < len(f.keywords) {
			f.line = append(f.line, f.keywords[n]...)
		}
	}
	if len(f.line) == from {
		f.line = append(f.line, ' ')
	}
	f.line[from] = '(' // for the first one's space
	f.line = append(f.line, ')')
}
