// SPDX-License-Identifier: ISC

package imapfetch

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"quill/internal/digest"
	"quill/internal/mailbox"
	"quill/internal/mime"
)

// Cache keeps the message that was read last open, its structure, and where
// reading a section has stopped: a client that fetches a message in pieces has
// it read once. It holds a descriptor and at most 100 kB beside the structure. It
// is of one mailbox: Close it when another is selected, and when a session has
// nothing to do for long. The zero Cache is empty, and can be used after Close.
type Cache struct {
	uid   uint32
	open  mailbox.Content
	part  *mime.Part
	full  bool  // part has its Envelope: it was parsed, not kept
	body  int64 // where the body begins; 0: not known
	run   *run
	spare []byte // a run's buffer
}

// Close forgets the message.
func (c *Cache) Close() error {
	var err error
	if c.open != nil {
		err = c.open.Close()
	}
	c.drop()
	*c = Cache{spare: c.spare}
	return err
}

// claim makes the cache that message's.
func (c *Cache) claim(uid uint32) {
	if c.uid != uid {
		_ = c.Close() // it was read only
		c.uid = uid
	}
}

// drop gives up the run.
func (c *Cache) drop() {
	if c.run != nil {
		c.spare, c.run = c.run.wire.buf, nil
	}
}

// content is the message, opened.
func (f *Fetcher) content() (mailbox.Content, error) {
	c := f.cache
	if c.claim(f.m.UID); c.open == nil {
		open, err := f.source.Open(f.seq)
		if err != nil {
			return nil, err
		}
		c.open = open
	}
	return c.open, nil
}

// look takes the digest that is kept, if there is one.
func (f *Fetcher) look() bool {
	if !f.looked {
		var err error
		f.looked = true
		f.digest, err = digest.Read(f.source.Kept(f.seq))
		f.known = err == nil
	}
	return f.known
}

// learn has a digest made where none is kept. One that would be too large is
// none, but then the cache has the whole part.
func (f *Fetcher) learn() error {
	if f.look() {
		return nil
	}
	_, err := f.parse()
	return err
}

// parse reads the message, has its digest kept, and gives the whole part.
func (f *Fetcher) parse() (*mime.Part, error) {
	content, err := f.content()
	if err != nil {
		return nil, err
	}
	c := f.cache
	if c.full {
		return c.part, nil
	}
	p, err := mime.Parse(io.NewSectionReader(content, 0, content.Size()))
	if err != nil {
		return nil, err
	}
	if p.End != content.Size() {
		return nil, fmt.Errorf("reading at byte %d: %w", p.End, errShort)
	}
	b, err := digest.Of(p, content)
	if err != nil {
		return nil, err
	}
	c.part, c.full = p, true
	f.looked, f.known = true, false
	if b != nil {
		f.source.Keep(f.seq, b)
		f.digest, err = digest.Read(b)
		f.known = err == nil
	}
	return p, nil
}

// part is the message's structure, perhaps without its own Envelope.
func (f *Fetcher) part() (*mime.Part, error) {
	c := f.cache
	if c.claim(f.m.UID); c.part != nil {
		return c.part, nil
	}
	if f.look() {
		if p, err := f.digest.Part(); err == nil {
			c.part = p
			return p, nil
		}
	}
	return f.parse()
}

// partOf is part held against the message itself: a digest that is another's
// is not used.
func (f *Fetcher) partOf(content mailbox.Content) (*mime.Part, error) {
	p, err := f.part()
	if err == nil && p.End != content.Size() {
		f.cache.part, f.cache.full = nil, false
		p, err = f.parse()
	}
	return p, err
}

// bodyAt is where the message's body begins.
func (f *Fetcher) bodyAt(content mailbox.Content) (int64, error) {
	c := f.cache
	if c.body == 0 {
		at, err := headerEnd(content)
		if err != nil {
			return 0, err
		}
		c.body = at
	}
	return c.body, nil
}

// headerEnd is where the empty line that ends the header ends, as mime.Parse
// finds it; it reads no more than it must.
func headerEnd(content mailbox.Content) (int64, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(content, 0, content.Size()), 4<<10)
	for at, start := int64(0), true; ; {
		b, err := in.ReadSlice('\n')
		at += int64(len(b))
		if start && (len(b) == 1 || len(b) == 2 && b[0] == '\r') && b[len(b)-1] == '\n' {
			return at, nil
		}
		start = len(b) > 0 && b[len(b)-1] == '\n'
		switch {
		case errors.Is(err, io.EOF):
			return at, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return 0, fmt.Errorf("reading a header: %w", err)
		}
	}
}
