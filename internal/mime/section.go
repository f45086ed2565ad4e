// SPDX-License-Identifier: ISC

package mime

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// What is what a section has of its part.
type What uint8

// What sections have (RFC 3501 §6.4.5).
const (
	Whole           What = iota // BODY[], BODY[1]
	Header                      // HEADER, of a message
	HeaderFields                // HEADER.FIELDS
	HeaderFieldsNot             // HEADER.FIELDS.NOT
	Body                        // TEXT, of a message
	OwnHeader                   // MIME, of a part
)

// Section is a section without its list of field names.
type Section struct {
	Path []uint32
	What What
}

// Range is where a section is in the file, and its size in CRLF form.
type Range struct{ From, To, Size int64 }

// ParseSection reads what stands in the brackets, up to a list of field names:
// "", "TEXT", "1.2", "3.HEADER.FIELDS.NOT".
func ParseSection(s string) (c Section, err error) {
	rest := s
	for rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		number, more, dot := strings.Cut(rest, ".")
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || rest[0] == '0' || dot && more == "" || len(c.Path) == maxDepth {
			return c, fmt.Errorf("no section %.80q: bad part number", s)
		}
		c.Path = append(c.Path, uint32(n))
		rest = more
	}
	switch strings.ToUpper(rest) {
	case "":
	case "HEADER":
		c.What = Header
	case "HEADER.FIELDS":
		c.What = HeaderFields
	case "HEADER.FIELDS.NOT":
		c.What = HeaderFieldsNot
	case "TEXT":
		c.What = Body
	case "MIME":
		c.What = OwnHeader
	default:
		return c, fmt.Errorf("no section %.80q: not known", s)
	}
	if c.What == OwnHeader && len(c.Path) == 0 {
		return c, fmt.Errorf("no section %.80q: MIME is of a part", s)
	}
	return c, nil
}

// Find is the part with these numbers in message p. A message that is no
// multipart has one part, itself; the parts of a message in a part are that
// part's.
func (p *Part) Find(path []uint32) (*Part, bool) {
	in, q := p, p // q's parts are those of in
	for _, n := range path {
		switch {
		case in == nil || n == 0:
			return nil, false
		case in.Is("multipart", ""):
			if uint64(n) > uint64(len(in.Parts)) {
				return nil, false
			}
			q = in.Parts[n-1]
		case n != 1:
			return nil, false
		default:
			q = in
		}
		if in = q.Message; q.Is("multipart", "") {
			in = q
		}
	}
	return q, true
}

// Locate tells where a section is; for sections of header fields where the
// header is of which they are some. It is not there if the part is not, or is
// no message while the section is one of messages.
func (p *Part) Locate(c Section) (Range, bool) {
	q, ok := p.Find(c.Path)
	if !ok {
		return Range{}, false
	}
	if len(c.Path) > 0 {
		switch c.What {
		case Whole:
			return Range{q.Body, q.End, q.Size}, true
		case OwnHeader:
			return Range{q.Header, q.Body, q.HeaderSize}, true
		}
		if q = q.Message; q == nil {
			return Range{}, false
		}
	}
	switch c.What {
	case Whole:
		return Range{q.Header, q.End, q.HeaderSize + q.Size}, true
	case Body:
		return Range{q.Body, q.End, q.Size}, true
	case OwnHeader:
		return Range{}, false
	}
	return Range{q.Header, q.Body, q.HeaderSize}, true
}

// Fields is CopyFields for a header in memory.
func Fields(header []byte, names [][]byte, not bool) []byte {
	return AppendFields(nil, header, names, not)
}

// fewNames is how many names are looked through for each line.
const fewNames = 32

// AppendFields appends to dst what Fields gives.
func AppendFields(dst, header []byte, names [][]byte, not bool) []byte {
	if len(names) > fewNames {
		out := bytes.NewBuffer(dst)
		_, _ = CopyFields(out, bytes.NewReader(header), names, not) // neither can fail
		return out.Bytes()
	}
	copying := not
	for len(header) > 0 {
		n := bytes.IndexByte(header, '\n') + 1
		if n == 0 {
			n = len(header)
		}
		b := header[:n]
		header = header[n:]
		switch {
		case b[0] == '\n', len(b) == 2 && b[0] == '\r' && b[1] == '\n':
			copying = true
		case b[0] != ' ' && b[0] != '\t':
			copying = named(b, names) != not
		}
		switch {
		case !copying:
		case b[n-1] == '\n' && (n == 1 || b[n-2] != '\r'):
			dst = append(append(dst, b[:n-1]...), "\r\n"...)
		default:
			dst = append(dst, b...)
		}
	}
	return dst
}

// named tells whether a line is a field's that has one of these names.
func named(line []byte, names [][]byte) bool {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return false
	}
	for i > 0 && (line[i-1] == ' ' || line[i-1] == '\t') {
		i--
	}
	name := line[:i]
	for _, m := range names {
		if len(m) == len(name) && len(m) > 0 && m[0]|0x20 == name[0]|0x20 && bytes.EqualFold(m, name) {
			return true
		}
	}
	return false
}

// CopyFields copies those fields of a header that have one of these names, or
// with not all others, in the header's order, and its empty line if it has one
// (RFC 3501 §6.4.5). What it writes is in CRLF form.
func CopyFields(w io.Writer, r io.Reader, names [][]byte, not bool) (n int64, err error) {
	out := NewCRLF(w)
	wanted, longest := map[string]bool{}, 0
	for _, m := range names {
		wanted[strings.ToLower(string(m))] = true
		longest = max(longest, len(m))
	}
	in := borrow(r)
	defer giveBack(in)
	copying, start := not, true // a line that continues none has no name
	for {
		b, err := in.ReadSlice('\n')
		switch {
		case !start || len(b) == 0:
		case b[0] == '\n', b[0] == '\r' && len(b) == 2 && b[1] == '\n':
			copying = true
		case b[0] != ' ' && b[0] != '\t':
			copying = wanted[nameOf(b, longest)] != not
		}
		if copying {
			if _, err := out.Write(b); err != nil {
				return out.n, err
			}
		}
		start = len(b) > 0 && b[len(b)-1] == '\n'
		switch {
		case errors.Is(err, io.EOF):
			return out.n, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return out.n, fmt.Errorf("reading a header: %w", err)
		}
	}
}

// nameOf is a field's name in small letters, or "" if it has none or one that
// is longer than those of interest.
func nameOf(line []byte, longest int) string {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return ""
	}
	name := bytes.TrimRight(line[:i], " \t")
	if len(name) > longest {
		return ""
	}
	return strings.ToLower(string(name))
}

// Each gives a header's fields in their order: name as written, and text without
// line breaks, cleaned as those of an envelope are. Lines without a name are
// passed over.
func Each(header []byte) iter.Seq2[string, string] {
	return func(yield func(name, text string) bool) {
		for len(header) > 0 && header[0] != '\n' && !bytes.HasPrefix(header, []byte("\r\n")) {
			n := fieldLen(header)
			name, text, ok := bytes.Cut(header[:n], []byte(":"))
			header = header[n:]
			if !ok || bytes.IndexByte(name, '\n') >= 0 || len(name) == 0 || white(name[0]) {
				continue
			}
			if !yield(trimRight(string(name)), unfold(text)) {
				return
			}
		}
	}
}

// fieldLen is the length of the first line and those that continue it.
func fieldLen(header []byte) (n int) {
	for line := range bytes.Lines(header) {
		if n > 0 && line[0] != ' ' && line[0] != '\t' {
			break
		}
		n += len(line)
	}
	return n
}

// unfold takes line breaks out (RFC 5322 §2.2.3).
func unfold(b []byte) string {
	var text []byte
	for line := range bytes.Lines(b) {
		text = append(text, bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))...)
	}
	return clean(text)
}
