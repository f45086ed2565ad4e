// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"quill/maildir"
	"quill/maildir/index"
)

// adoption is a message that was published in cur/, for the index.
type adoption struct {
	name string
	attr index.Attr
}

// adopt has messages that were published taken in; all of them go again where
// that fails.
func (b *Box) adopt(news []adoption) (*Copied, error) {
	if len(news) == 0 {
		return &Copied{UIDValidity: b.s.x.View().UIDValidity()}, nil
	}
	err := b.s.m.Sync(false)
	var uids []index.UID
	if err == nil {
		uids, err = adoptAll(b.s.x, news)
	}
	if err != nil {
		return nil, errors.Join(err, b.withdraw(news))
	}
	return &Copied{UIDValidity: b.s.x.View().UIDValidity(), Target: uids}, nil
}

// adoptAll is the messages' UIDs.
func adoptAll(x *index.Index, news []adoption) (uids []index.UID, err error) {
	for _, n := range news {
		msg, err := x.Adopt(n.name, n.attr)
		if err != nil {
			return uids, err
		}
		uids = append(uids, msg.UID)
	}
	return uids, nil
}

// withdraw removes messages that were published, and has the index know it.
func (b *Box) withdraw(news []adoption) error {
	if len(news) == 0 {
		return nil
	}
	msgs := make([]maildir.Message, len(news))
	for i, n := range news {
		msgs[i].Name = n.name
	}
	_, err := b.s.m.Remove(msgs)
	return errors.Join(err, b.s.x.Sync())
}

// Copy copies messages to another mailbox, or within one, with their flags,
// keywords and dates: all of those that are there, or none. Target[i] is the copy
// of Source[i]; both ascend. What from's index does not know yet is not there.
func (a *Account) Copy(from *Box, uids []index.UID, to *Box) (*Copied, error) {
	var news []adoption
	var source []index.UID
	v := from.s.x.View()
	uids = slices.Clone(uids)
	slices.Sort(uids)
	for _, uid := range slices.Compact(uids) {
		seq, ok := v.Seq(uid)
		if !ok {
			continue
		}
		n, err := a.link(from, v, v.Message(seq), to)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, to.withdraw(news))
		}
		news, source = append(news, n), append(source, uid)
	}
	c, err := to.adopt(news)
	if err == nil {
		c.Source = source
	}
	return c, err
}

// link makes the file of a copy.
func (a *Account) link(from *Box, v *index.View, m *index.Message, to *Box) (adoption, error) {
	msg := maildir.Message{Name: m.Name, New: m.New, Size: m.Size, Wire: m.Wire}
	name, err := a.opt.Pool.deliverer.Link(from.s.m, msg, to.s.m, letters(m.Flags))
	attr := index.Attr{Date: time.Unix(0, m.Date)}
	for n, k := range v.Keywords() {
		if m.Keywords&(1<<n) != 0 {
			attr.Keywords = append(attr.Keywords, k)
		}
	}
	return adoption{name, attr}, err
}

// Move is Copy, and then expunges what was copied. A crash, or an error, between
// the two leaves both.
func (a *Account) Move(from *Box, uids []index.UID, to *Box) (*Copied, error) {
	c, err := a.Copy(from, uids, to)
	if err != nil || len(c.Source) == 0 {
		return c, err
	}
	return c, from.s.x.Expunge(c.Source)
}
