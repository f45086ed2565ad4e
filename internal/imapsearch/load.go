// SPDX-License-Identifier: ISC

package imapsearch

import (
	"bytes"
	"errors"
	"io"

	"quill/internal/digest"
	"quill/internal/mailbox"
	"quill/internal/mime"
)

// content is a message that was opened. It asks now and then whether to stop.
type content struct {
	mailbox.Content
	s    *Search
	read int // since the last question
}

func (c *content) ReadAt(b []byte, off int64) (int, error) {
	if c.read >= stopBytes {
		if c.read = 0; c.s.stop() {
			return 0, ErrStopped
		}
	}
	n, err := c.Content.ReadAt(b, off)
	c.read += n
	return n, err
}

// open opens the message at hand, once.
func (s *Search) open() bool {
	if s.content == nil && s.err == nil {
		c, err := s.env.Box.Open(s.seq)
		if err != nil {
			s.err = err
			return false
		}
		s.content = &content{Content: c, s: s}
	}
	return s.err == nil
}

// first says whether nothing was loaded at this level yet.
func (s *Search) first(l level) bool {
	was := s.loaded[l]
	s.loaded[l] = true
	return !was
}

// loadDigest looks into the fields that are kept; the digest is made where there
// is none. Like the other two it says whether all went well.
func (s *Search) loadDigest() bool {
	if !s.first(byDigest) {
		return s.err == nil
	}
	d, err := digest.Read(s.env.Box.Kept(s.seq))
	if err == nil {
		s.wire = d.Wire()
		s.scan(d.Header(), true)
		return true
	}
	if !s.open() {
		return false
	}
	p, err := mime.Parse(io.NewSectionReader(s.content, 0, s.content.Size()))
	if err != nil {
		s.err = err
		return false
	}
	s.wire = p.HeaderSize + p.Size
	made, err := digest.Of(p, s.content)
	if err != nil {
		s.err = err
		return false
	}
	if made != nil {
		s.env.Box.Keep(s.seq, made)
	}
	if header, ok := s.readHeader(0, s.content.Size()); ok {
		s.scan(header, true)
	}
	return s.err == nil
}

// loadHeader looks into the header for the other fields, and for TEXT.
func (s *Search) loadHeader() bool {
	if !s.first(byHeader) {
		return s.err == nil
	}
	if !s.open() {
		return false
	}
	header, ok := s.readHeader(0, s.content.Size())
	if !ok {
		return false
	}
	s.scan(header, false)
	s.text.reset()
	s.scanText(header)
	return true
}

// loadBody looks into the text parts, and for TEXT into the headers of parts.
func (s *Search) loadBody() bool {
	if !s.first(byBody) {
		return s.err == nil
	}
	if !s.open() {
		return false
	}
	s.body.reset()
	if len(s.text.patterns) > 0 && !s.loadHeader() {
		return false
	}
	p, err := mime.Parse(io.NewSectionReader(s.content, 0, s.content.Size()))
	if err != nil {
		s.err = err
		return false
	}
	return s.part(p, true)
}

// part looks into a part and those in it, until all is found.
func (s *Search) part(p *mime.Part, top bool) bool {
	if s.body.left == 0 && s.text.left == 0 {
		return true
	}
	if !top && s.text.left > 0 {
		header, ok := s.readHeader(p.Header, p.Body)
		if !ok {
			return false
		}
		s.scanText(header)
	}
	for _, sub := range p.Parts {
		if !s.part(sub, false) {
			return false
		}
	}
	switch {
	case p.Message != nil:
		return s.part(p.Message, false)
	case p.Is("text", ""):
		return s.textPart(p)
	}
	return true
}

// textPart looks into a part's text.
func (s *Search) textPart(p *mime.Part) bool {
	if s.chunk == nil {
		s.chunk = make([]byte, 32<<10)
	}
	s.body.begin()
	s.text.begin()
	r := p.TextReader(io.NewSectionReader(s.content, p.Body, p.End-p.Body))
	for held := 0; s.body.left > 0 || s.text.left > 0; {
		n, err := r.Read(s.chunk[held:])
		b := s.chunk[:held+n]
		use := len(b)
		if err == nil {
			use = whole(b)
		}
		s.value = appendFold(s.value[:0], b[:use])
		s.body.feed(s.value)
		s.text.feed(s.value)
		held = copy(s.chunk, b[use:])
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			s.err = err
			return false
		}
	}
	return true
}

// readHeader reads a header that lies there, up to its empty line.
func (s *Search) readHeader(from, to int64) ([]byte, bool) {
	s.head = s.head[:0]
	for to = min(to, from+maxHeader); from+int64(len(s.head)) < to; {
		old := len(s.head)
		n := min(4096, int(to-from)-old)
		s.head = append(s.head, make([]byte, n)...)
		n, err := s.content.ReadAt(s.head[old:], from+int64(old))
		s.head = s.head[:old+n]
		if err != nil && !errors.Is(err, io.EOF) {
			s.err = err
			return nil, false
		}
		tail := s.head[max(0, old-3):]
		if n == 0 || bytes.Contains(tail, []byte("\n\n")) || bytes.Contains(tail, []byte("\n\r\n")) {
			break
		}
	}
	return s.head, true
}

// scan looks into the fields of a header that keys are about: those that are kept
// in digests, or the others.
func (s *Search) scan(header []byte, kept bool) {
	for _, f := range s.list {
		if f.kept == kept {
			f.present, f.day = false, 0
			f.finder.reset()
		}
	}
	for len(header) > 0 {
		begins := header[0]
		var name, value []byte
		if name, value, header = nextField(header); !s.begins[begins] || len(name) == 0 || len(name) > s.longest {
			continue
		}
		s.name = appendFold(s.name[:0], name)
		f := s.fields[string(s.name)]
		if f == nil || f.kept != kept {
			continue
		}
		if !f.present && string(s.name) == "date" {
			f.day, _ = sentDay(value)
		}
		f.present = true
		if f.finder.left > 0 {
			s.value = foldValue(s.value[:0], value)
			f.finder.begin()
			f.finder.feed(s.value)
		}
	}
}

// scanText looks into a header for TEXT: each field as "name: text".
func (s *Search) scanText(header []byte) {
	for len(header) > 0 && s.text.left > 0 {
		var name, value []byte
		if name, value, header = nextField(header); len(name) == 0 {
			continue
		}
		s.value = append(appendFold(s.value[:0], name), ": "...)
		s.value = foldValue(s.value, value)
		s.text.begin()
		s.text.feed(s.value)
	}
}

// nextField is a header's first field, as it stands there, and what comes after
// it: nothing after the empty line. Lines that are no field have no name.
func nextField(header []byte) (name, value, rest []byte) {
	if header[0] == '\n' || header[0] == '\r' && len(header) > 1 && header[1] == '\n' {
		return nil, nil, nil
	}
	line := -1 // the end of the first line
	end := 0
	for {
		i := bytes.IndexByte(header[end:], '\n')
		if i < 0 {
			end = len(header)
			break
		}
		if end += i + 1; line < 0 {
			line = end
		}
		if end == len(header) || header[end] != ' ' && header[end] != '\t' {
			break
		}
	}
	if line < 0 {
		line = end
	}
	rest = header[end:]
	i := bytes.IndexByte(header[:line], ':')
	if i <= 0 || header[0] == ' ' || header[0] == '\t' {
		return nil, nil, rest
	}
	name = header[:i]
	for len(name) > 0 && white(name[len(name)-1]) {
		name = name[:len(name)-1]
	}
	return name, header[i+1 : end], rest
}

func white(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// foldValue appends a field's text, folded: without its line breaks and the white
// space around it, and its encoded words decoded.
func foldValue(dst, b []byte) []byte {
	for len(b) > 0 && white(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && white(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	if bytes.Contains(b, []byte("=?")) {
		line := bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), nil), []byte("\n"), nil)
		return appendFold(dst, []byte(mime.DecodeWords(string(line))))
	}
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return appendFold(dst, b)
		}
		dst = appendFold(dst, b[:i])
		b = b[i+1:]
	}
	return dst
}
