// SPDX-License-Identifier: ISC

package imapfetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mime"
)

// size is RFC822.SIZE. The digest knows it from the message, the index perhaps
// from a file's name; below the size of the file it cannot be.
func (f *Fetcher) size() error {
	n := f.m.Wire
	if n < f.m.Size {
		if err := f.learn(); err != nil {
			return err
		}
		if p := f.cache.part; !f.known {
			n = p.HeaderSize + p.Size
		}
	}
	if f.look() {
		n = f.digest.Wire()
	}
	f.line = strconv.AppendInt(f.line, n, 10)
	return nil
}

// structure is what a digest tells.
func (f *Fetcher) structure(kind imap.ItemKind) error {
	if kind == imap.ItemBodyBasic {
		p, err := f.part()
		if err == nil {
			f.line = p.AppendStructure(f.line, false)
		}
		return err
	}
	if err := f.learn(); err != nil {
		return err
	}
	switch p := f.cache.part; {
	case kind == imap.ItemEnvelope && f.known:
		f.line = append(f.line, f.digest.Envelope()...)
	case kind == imap.ItemEnvelope:
		f.line = p.Envelope.Append(f.line)
	case f.known:
		f.line = append(f.line, f.digest.BodyStructure()...)
	default:
		f.line = p.AppendStructure(f.line, true)
	}
	return nil
}

// body is BODY[…] and its old names.
func (f *Fetcher) body(it *item) error {
	if it.kept && f.held < maxHeld {
		if err := f.learn(); err != nil {
			return err
		}
		if f.known {
			f.text = mime.AppendFields(f.text[:0], f.digest.Header(), it.fields, false)
			f.piece(it)
			return nil
		}
	}
	content, err := f.content()
	if err != nil {
		return err
	}
	r, ok, err := f.locate(content, it.section)
	switch {
	case err != nil:
		return err
	case !ok:
		f.line = append(f.line, "NIL"...)
		return nil
	case it.section.What == mime.HeaderFields || it.section.What == mime.HeaderFieldsNot:
		return f.headerFields(content, it, r)
	}
	return f.stretch(content, it, stretch{from: r.From, to: r.To})
}

// locate is where a section is. For those that need no structure none is read.
func (f *Fetcher) locate(content mailbox.Content, s mime.Section) (r mime.Range, ok bool, err error) {
	if len(s.Path) > 0 {
		p, err := f.partOf(content)
		if err != nil {
			return r, false, err
		}
		r, ok = p.Locate(s)
		return r, ok, nil
	}
	r.To = content.Size()
	if s.What != mime.Whole {
		body, err := f.bodyAt(content)
		if err != nil {
			return r, false, err
		}
		if r.To = body; s.What == mime.Body {
			r.From, r.To = body, content.Size()
		}
	}
	return r, true, nil
}

// binary is BINARY[…] and BINARY.SIZE[…]: of the message itself, and of what
// holds others, the bytes as they are. A part that says it is binary, and is no
// text, has no lines: it comes as it was appended (RFC 3516 §4.4), which it still is
// where the lines of the header end in CRLF.
func (f *Fetcher) binary(it *item) error {
	content, err := f.content()
	if err != nil {
		return err
	}
	p, err := f.partOf(content)
	if err != nil {
		return err
	}
	r, ok := p.Locate(it.section)
	q, _ := p.Find(it.section.Path)
	s := stretch{from: r.From, to: r.To, raw: true}
	if ok && len(it.section.Path) > 0 && !q.Is("multipart", "") {
		s.encoding = q.Encoding
		s.exact = strings.EqualFold(q.Encoding, "binary") && !q.Is("text", "") && p.HeaderSize == p.Body-p.Header
	}
	_, known := mime.Decode(nil, s.encoding)
	size := it.Kind == imap.ItemBinarySize
	switch {
	case !ok && size:
		f.line = append(f.line, '0')
	case !ok:
		f.line = append(f.line, "NIL"...)
	case !known:
		return fmt.Errorf("part %v in %.40q: %w", it.section.Path, s.encoding, ErrEncoding)
	case !size:
		return f.stretch(content, it, s)
	default:
		n, err := newRun(content, s, nil).pass(math.MaxInt64, make([]byte, windowSize))
		f.line = strconv.AppendInt(f.line, n, 10)
		return err
	}
	return nil
}

// stretch appends what a partial asks for of a stretch, or puts it off.
func (f *Fetcher) stretch(content mailbox.Content, it *item, s stretch) error {
	from, limit := window(it)
	r, err := f.runAt(content, s, from)
	if err != nil {
		return err
	}
	r.nul = false // before what is asked for there may be one
	start, forked := r.fork()
	room := int64(max(0, maxHeld-f.held))                              // fields of a digest may have taken more
	n, end, err := r.read(f.room(min(limit, room, 2*(s.to-s.from)+1))) // in CRLF form it may be twice as much
	if err != nil {
		f.cache.run = nil
		return err
	}
	if end || limit <= room {
		f.literal(f.text[:n], r.nul)
		return nil
	}
	more, err := r.pass(limit-int64(n), make([]byte, windowSize))
	if err != nil {
		f.cache.run = nil
		return err
	}
	if !forked {
		start = newRun(content, s, nil)
	}
	nul := r.nul
	f.later(func() error { return f.stream(start, from, int64(n)+more, nul) })
	return nil
}

// stream sends size bytes of a run, from there on, among which there may be NUL.
func (f *Fetcher) stream(r *run, from, size int64, nul bool) error {
	if _, err := r.pass(from-r.at, f.room(windowSize)); err != nil {
		return err
	}
	f.w.Literal(r, size, nul)
	switch {
	case r.err != nil:
		return r.err
	case r.at == from+size:
		return nil
	}
	if err := f.w.Flush(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err // the client's side
	}
	return errShort
}

// room is n bytes of f.text.
func (f *Fetcher) room(n int64) []byte {
	if int64(cap(f.text)) < n {
		f.text = make([]byte, n)
	}
	f.text = f.text[:n]
	return f.text
}

// window is what a partial asks for: of that many bytes, after so many.
func window(it *item) (from, limit int64) {
	if it.Partial == nil {
		return 0, math.MaxInt64
	}
	return it.Partial.Offset, it.Partial.Length
}

// runAt is a run of a stretch that stands there, or at its end: the one before
// if it has not come further.
func (f *Fetcher) runAt(content mailbox.Content, s stretch, at int64) (*run, error) {
	c := f.cache
	if c.run == nil || c.run.stretch != s || c.run.at > at {
		c.drop()
		c.run = newRun(content, s, c.spare)
		c.spare = nil
	}
	r := c.run
	if _, err := r.pass(at-r.at, f.room(windowSize)); err != nil {
		c.run = nil
		return nil, err
	}
	return r, nil
}

func (f *Fetcher) later(send func() error) { f.late = append(f.late, late{len(f.line), send}) }

// piece appends what a partial asks for of text.
func (f *Fetcher) piece(it *item) {
	from, limit := window(it)
	b := f.text[min(from, int64(len(f.text))):]
	b = b[:min(limit, int64(len(b)))]
	hideNUL(b)
	f.literal(b, false)
}

// literal appends content. Only what has a NUL in it is a literal8, so that the
// client need not look (RFC 3516 §4.3).
func (f *Fetcher) literal(b []byte, nul bool) {
	f.held += len(b)
	if len(b) == 0 {
		f.line = append(f.line, `""`...)
		return
	}
	if nul {
		f.line = append(f.line, '~')
	}
	f.line = append(strconv.AppendInt(append(f.line, '{'), int64(len(b)), 10), "}\r\n"...)
	f.line = append(f.line, b...)
}

// headerFields appends some fields of the header that lies there. One that is
// too large to hold is read once to count and once to send.
func (f *Fetcher) headerFields(content mailbox.Content, it *item, r mime.Range) error {
	not := it.section.What == mime.HeaderFieldsNot
	header := io.NewSectionReader(content, r.From, r.To-r.From)
	if n := r.To - r.From; n <= int64(maxHeld-f.held)/2 { // in CRLF form it may be twice as much
		b := make([]byte, n)
		if _, err := io.ReadFull(header, b); err != nil {
			return fmt.Errorf("reading a header: %w", err)
		}
		f.text = mime.AppendFields(f.text[:0], b, it.fields, not)
		f.piece(it)
		return nil
	}
	from, limit := window(it)
	count := &cutter{skip: from, left: limit}
	if _, err := mime.CopyFields(count, header, it.fields, not); err != nil {
		return err
	}
	if count.n == 0 {
		f.literal(nil, false)
		return nil
	}
	f.line = append(strconv.AppendInt(append(f.line, '{'), count.n, 10), "}\r\n"...)
	f.later(func() error {
		out := &cutter{skip: from, left: count.n, w: f.w}
		header := io.NewSectionReader(content, r.From, r.To-r.From)
		if _, err := mime.CopyFields(out, header, it.fields, not); err != nil {
			return err
		}
		if out.left > 0 {
			return fmt.Errorf("%d bytes of %d: %w", out.n, count.n, errShort)
		}
		return nil
	})
	return nil
}

// cutter counts, or writes, what lies between skip bytes and left more.
type cutter struct {
	skip, left, n int64
	w             *imap.Writer
}

func (c *cutter) Write(b []byte) (int, error) {
	all := len(b)
	n := min(c.skip, int64(len(b)))
	c.skip -= n
	b = b[n:]
	b = b[:min(c.left, int64(len(b)))]
	c.left -= int64(len(b))
	c.n += int64(len(b))
	for c.w != nil && len(b) > 0 {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			c.w.RawBytes(b)
			break
		}
		c.w.RawBytes(b[:i]).Raw("\x80")
		b = b[i+1:]
	}
	return all, nil
}
