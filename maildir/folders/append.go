// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"quill/maildir"
	"quill/maildir/index"
)

// New is a message to be appended.
type New struct {
	Flags    index.Flags
	Keywords []string
	Date     time.Time // INTERNALDATE; zero: now
	Size     int64     // bytes
}

// Copied says which UIDs messages have got. Source is empty after an Append.
type Copied struct {
	UIDValidity    uint32
	Source, Target []index.UID
}

// Append takes messages for one mailbox, all or none of which will be there. It
// is one goroutine's.
type Append struct {
	b    *Box
	todo []pending
}

// pending is a message in tmp/.
type pending struct {
	part *maildir.Part
	msg  New
}

// NewAppend begins an append; Commit or Abort ends it.
func (a *Account) NewAppend(name string) (*Append, error) {
	b, err := a.Box(name)
	if err != nil {
		return nil, err
	}
	return &Append{b: b}, nil
}

// Add takes a message of msg.Size bytes from r; it is on disk when it returns,
// and nobody sees it. Less than that is io.ErrUnexpectedEOF, more is not read.
func (p *Append) Add(msg New, r io.Reader) error {
	if len(p.todo) >= AppendMax {
		return fmt.Errorf("%w messages at once: at most %d", ErrMany, AppendMax)
	}
	for _, k := range msg.Keywords {
		if !index.ValidKeyword(k) {
			return fmt.Errorf("%w: %q", index.ErrKeyword, k)
		}
	}
	part, err := p.b.p.deliverer.Write(p.b.s.m, io.LimitReader(r, msg.Size), msg.Date)
	if err != nil {
		return err
	}
	if part.Size != msg.Size {
		part.Drop()
		return fmt.Errorf("message of %d bytes ends after %d: %w", msg.Size, part.Size, io.ErrUnexpectedEOF)
	}
	p.todo = append(p.todo, pending{part, msg})
	return nil
}

// Commit makes the messages seen. They, and their UIDs, are on disk when it
// returns; after an error none is there. Target is empty where others have taken
// one of them away already.
func (p *Append) Commit() (*Copied, error) {
	defer p.Abort()
	var news []index.Adoption
	for _, t := range p.todo {
		name, err := p.b.p.deliverer.Publish(t.part, t.msg.Flags.Letters())
		if err != nil {
			return nil, errors.Join(err, p.b.withdraw(news))
		}
		news = append(news, index.Adoption{Name: name, Attr: index.Attr{Keywords: t.msg.Keywords, Date: t.msg.Date}})
	}
	c, err := p.b.adopt(news)
	if err == nil && slices.Contains(c.Target, 0) {
		c.Target = nil
	}
	return c, err
}

// Abort drops what was not committed; after Commit it does nothing.
func (p *Append) Abort() {
	for _, t := range p.todo {
		t.part.Drop()
	}
	p.todo = nil
	p.b.Close()
}
