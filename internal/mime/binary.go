// SPDX-License-Identifier: ISC

package mime

import (
	"encoding/binary"
	"errors"
)

// errBinary says that bytes are no part's binary form.
var errBinary = errors.New("not the binary form of a message's structure")

// What a part's binary form has beside its type and places, as bits of a number
// that stands before it, and in this order.
const (
	hasParams = 1 << iota
	hasID
	hasDescription
	hasEncoding
	hasMD5
	hasDisposition
	hasDispositionParams
	hasLanguage
	hasLocation
	hasParts
	hasMessage
	hasEnvelope
	hasEnd // no bit from here on
)

// texts is the part's texts that may be missing, by their bits.
func (p *Part) texts() [6]struct {
	bit  uint64
	text *string
} {
	return [...]struct {
		bit  uint64
		text *string
	}{{hasID, &p.ID}, {hasDescription, &p.Description}, {hasEncoding, &p.Encoding}, {hasMD5, &p.MD5}, {hasDisposition, &p.Disposition}, {hasLocation, &p.Location}}
}

// bits is what of the part is there.
func (p *Part) bits() (bits uint64) {
	for _, t := range p.texts() {
		if *t.text != "" {
			bits |= t.bit
		}
	}
	for _, c := range [...]struct {
		bit uint64
		has bool
	}{
		{hasParams, len(p.Params) > 0}, {hasDispositionParams, len(p.DispositionParams) > 0}, {hasLanguage, len(p.Language) > 0},
		{hasParts, len(p.Parts) > 0}, {hasMessage, p.Message != nil}, {hasEnvelope, p.Envelope != nil},
	} {
		if c.has {
			bits |= c.bit
		}
	}
	return bits
}

// AppendBinary appends the part, with all in it, in a form that ParsePart reads.
func (p *Part) AppendBinary(dst []byte) []byte {
	bits := p.bits()
	dst = binary.AppendUvarint(dst, bits)
	dst = putString(putString(dst, p.Type), p.Subtype)
	head, body := p.Body-p.Header, p.End-p.Body
	for _, n := range [...]int64{p.Header, head, body, p.HeaderSize - head, p.Size - body, p.Lines} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	for _, t := range p.texts() {
		if bits&t.bit != 0 {
			dst = putString(dst, *t.text)
		}
	}
	for _, list := range [...][]Param{p.Params, p.DispositionParams} {
		if len(list) > 0 {
			dst = putParams(dst, list)
		}
	}
	if bits&hasLanguage != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(p.Language)))
		for _, s := range p.Language {
			dst = putString(dst, s)
		}
	}
	if bits&hasEnvelope != 0 {
		dst = p.Envelope.appendBinary(dst)
	}
	if bits&hasParts != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(p.Parts)))
		for _, q := range p.Parts {
			dst = q.AppendBinary(dst)
		}
	}
	if bits&hasMessage != 0 {
		dst = p.Message.AppendBinary(dst)
	}
	return dst
}

func putString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func putParams(dst []byte, list []Param) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, m := range list {
		dst = putString(putString(dst, m.Name), m.Value)
	}
	return dst
}

// texts is the envelope's texts in the order of the binary form.
func (e *Envelope) texts() [4]*Text {
	return [...]*Text{&e.Date, &e.Subject, &e.InReplyTo, &e.MessageID}
}

func (e *Envelope) lists() [6]*[]Address {
	return [...]*[]Address{&e.From, &e.Sender, &e.ReplyTo, &e.To, &e.Cc, &e.Bcc}
}

// appendBinary: a text is a length plus one, or 0 for none.
func (e *Envelope) appendBinary(dst []byte) []byte {
	for _, t := range e.texts() {
		if !t.OK {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(t.Value))+1)
		dst = append(dst, t.Value...)
	}
	for _, list := range e.lists() {
		dst = binary.AppendUvarint(dst, uint64(len(*list)))
		for i := range *list {
			a := &(*list)[i]
			dst = append(dst, byte(a.Kind))
			for _, s := range [...]string{a.Name, a.Route, a.Mailbox, a.Host} {
				dst = putString(dst, s)
			}
		}
	}
	return dst
}

// ParsePart reads what AppendBinary has written, within the limits of Parse; it
// takes memory in proportion to b. Parts that are not within those that hold
// them are refused, and sizes that no file has.
func ParsePart(b []byte) (*Part, error) {
	r := &binaryReader{s: string(b)}
	p := r.part(0, maxOffset, 1)
	if r.bad || r.s != "" {
		return nil, errBinary
	}
	return p, nil
}

// maxOffset is more than a file has, and so small that sums do not overflow.
const maxOffset = 1 << 60

// binaryReader reads numbers and strings; after one that is bad all are 0.
type binaryReader struct {
	s                    string
	parts, params, addrs int
	bad                  bool
}

func (r *binaryReader) fail() { r.s, r.bad = "", true }

// number is a number up to most, written as short as can be.
func (r *binaryReader) number(most uint64) uint64 {
	var n uint64
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64-1; i++ {
		c := r.s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if n > most || c == 0 && i > 0 {
				break
			}
			r.s = r.s[i+1:]
			return n
		}
	}
	r.fail()
	return 0
}

func (r *binaryReader) take(n uint64) string {
	if n > uint64(len(r.s)) {
		r.fail()
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *binaryReader) string() string { return r.take(r.number(maxKept)) }

// count is a number of things of at least size bytes each, of which most may be
// had; used is those there were.
func (r *binaryReader) count(used *int, most, size int) int {
	n := int(r.number(uint64(most)))
	if *used += n; *used > most || n > len(r.s)/size {
		r.fail()
		return 0
	}
	return n
}

// part reads a part that must lie between these offsets.
func (r *binaryReader) part(from, to int64, depth int) *Part {
	p := &Part{}
	if r.parts++; r.parts > maxParts || depth > maxDepth {
		r.fail()
		return p
	}
	bits := r.number(hasEnd - 1)
	p.Type, p.Subtype = r.string(), r.string()
	p.Header = int64(r.number(maxOffset))
	head := int64(r.number(maxOffset))
	body := int64(r.number(maxOffset))
	p.Body, p.End = p.Header+head, p.Header+head+body
	p.HeaderSize = head + int64(r.number(uint64(head)))
	p.Size = body + int64(r.number(uint64(body)))
	p.Lines = int64(r.number(uint64(body)))
	if p.Header < from || p.End > to || p.Type == "" || p.Subtype == "" {
		r.fail()
		return p
	}
	for _, t := range p.texts() {
		if bits&t.bit != 0 {
			*t.text = r.some()
		}
	}
	if bits&hasParams != 0 {
		p.Params = r.paramList()
	}
	if bits&hasDispositionParams != 0 {
		p.DispositionParams = r.paramList()
	}
	if bits&hasLanguage != 0 {
		n := 0
		for range r.least1(r.count(&n, maxLanguages, 1)) {
			p.Language = append(p.Language, r.string())
		}
	}
	if bits&hasEnvelope != 0 {
		p.Envelope = r.envelope()
	}
	r.inner(p, bits, depth)
	return p
}

// inner reads what p holds.
func (r *binaryReader) inner(p *Part, bits uint64, depth int) {
	if bits&hasParts != 0 {
		n, from := 0, p.Body
		for range r.least1(r.count(&n, maxParts, 9)) {
			q := r.part(from, p.End, depth+1)
			if r.bad {
				return
			}
			from, p.Parts = q.End, append(p.Parts, q)
		}
	}
	if bits&hasMessage != 0 {
		p.Message = r.part(p.Body, p.End, depth+1)
		if p.Message.Envelope == nil {
			r.fail()
		}
	}
}

// least1 refuses nothing where something was announced.
func (r *binaryReader) least1(n int) int {
	if n == 0 {
		r.fail()
	}
	return n
}

// some is a string that is not empty.
func (r *binaryReader) some() string {
	s := r.string()
	if s == "" {
		r.fail()
	}
	return s
}

func (r *binaryReader) paramList() (list []Param) {
	n := r.least1(r.count(&r.params, maxAllParams, 2))
	list = make([]Param, n)
	for i := range list {
		list[i] = Param{r.string(), r.string()}
	}
	return list
}

func (r *binaryReader) envelope() *Envelope {
	e := &Envelope{}
	for _, t := range e.texts() {
		if n := r.number(maxKept + 1); n > 0 {
			*t = Text{r.take(n - 1), true}
		}
	}
	for _, list := range e.lists() {
		n := r.count(&r.addrs, maxAllAddrs+1, 5) // Parse ends a group even where there is no room
		if n == 0 {
			continue
		}
		*list = make([]Address, n)
		for i := range *list {
			(*list)[i] = Address{Kind(r.number(uint64(GroupEnd))), r.string(), r.string(), r.string(), r.string()}
		}
	}
	return e
}
