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

// adopt has messages that were published in cur/ taken in by the index; all of
// them go again where that fails. Target has 0 for one that somebody else has
// moved or deleted since it was published: it was there, and is his.
func (b *Box) adopt(news []index.Adoption) (*Copied, error) {
	c := &Copied{}
	if len(news) > 0 {
		err := b.s.m.Sync(false)
		var msgs []index.Message
		if err == nil {
			c.UIDValidity, msgs, err = b.s.x.AdoptIn(news)
		}
		if err != nil {
			return nil, errors.Join(err, b.withdraw(news))
		}
		for i := range msgs {
			c.Target = append(c.Target, msgs[i].UID)
		}
		return c, nil
	}
	v := b.s.x.View()
	defer v.Close()
	c.UIDValidity = v.UIDValidity()
	return c, nil
}

// withdraw removes messages that were published, and has the index know it.
func (b *Box) withdraw(news []index.Adoption) error {
	if len(news) == 0 {
		return nil
	}
	msgs := make([]maildir.Message, len(news))
	for i, n := range news {
		msgs[i].Name = n.Name
	}
	_, err := b.s.m.Remove(msgs)
	return errors.Join(err, b.s.x.Sync())
}

// view is the mailbox as it is known; it is read where it is not, as after an error.
func (b *Box) view() (*index.View, error) {
	v := b.s.x.View()
	if v.UIDValidity() != 0 {
		return v, nil
	}
	v.Close()
	return b.s.x.Show()
}

// CopyOf copies messages to another mailbox, or within one, with their flags,
// keywords, dates, EMAILIDs and digests: all of those that are there, or none.
// Target[i] is the copy of Source[i]; both ascend. What from's index does not
// know yet is not there. Copies that others have taken away already are in
// neither. The UIDs are those of this UIDVALIDITY, 0 for any: index.ErrReset where
// the mailbox has another one.
func (a *Account) CopyOf(valid uint32, from *Box, uids []index.UID, to *Box) (*Copied, error) {
	v, err := from.view()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	c, _, err := a.copy(valid, v, from, uids, to)
	return c, err
}

// copy is CopyOf, of messages that v shows; took is all that were copied.
func (a *Account) copy(valid uint32, v *index.View, from *Box, uids []index.UID, to *Box) (c *Copied, took []index.UID, err error) {
	if valid != 0 && valid != v.UIDValidity() {
		return nil, nil, index.ErrReset
	}
	l := &linker{d: a.opt.Pool.deliverer, from: from, to: to, v: v, digests: v.Digests()}
	defer l.digests.Close()
	var news []index.Adoption
	uids = slices.Clone(uids)
	slices.Sort(uids)
	for _, uid := range slices.Compact(uids) {
		seq, ok := l.v.Seq(uid)
		if !ok {
			continue
		}
		n, err := l.link(l.v.Message(seq))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, errors.Join(err, to.withdraw(news))
		}
		news, took = append(news, n), append(took, uid)
	}
	if c, err = to.adopt(news); err != nil {
		return nil, nil, err
	}
	targets := c.Target
	c.Target = nil
	for i, uid := range targets {
		if uid != 0 {
			c.Source, c.Target = append(c.Source, took[i]), append(c.Target, uid)
		}
	}
	return c, took, nil
}

// digestsMax is the bytes of digests that one Copy takes along; the other copies
// get theirs when somebody asks.
const digestsMax = 8 << 20

// linker makes the files of copies.
type linker struct {
	d        *maildir.Deliverer
	from, to *Box
	v        *index.View
	digests  *index.Digests
	taken    int // bytes of digests
}

func (l *linker) link(m *index.Message) (index.Adoption, error) {
	msg := maildir.Message{Name: m.Name, New: m.New, Size: m.Size, Wire: m.Wire}
	name, err := l.d.Link(l.from.s.m, msg, l.to.s.m, m.Flags.Letters())
	if err != nil {
		return index.Adoption{}, err
	}
	attr := index.Attr{Date: time.Unix(0, m.Date), EmailID: m.EmailID}
	if l.taken < digestsMax {
		attr.Digest = slices.Clone(l.digests.Of(m.UID))
		l.taken += len(attr.Digest)
	}
	for n, k := range l.v.Keywords() {
		if m.Keywords&(1<<n) != 0 {
			attr.Keywords = append(attr.Keywords, k)
		}
	}
	return index.Adoption{Name: name, Attr: attr}, nil
}

// MoveOf is CopyOf, and then expunges what was copied. A crash, or an error, between
// the two leaves both. A message that others have moved or expunged meanwhile is
// theirs: the copy goes again.
func (a *Account) MoveOf(valid uint32, from *Box, uids []index.UID, to *Box) (*Copied, error) {
	v, err := from.view()
	if err != nil {
		return nil, err
	}
	c, took, err := a.copy(valid, v, from, uids, to)
	v.Close()
	if err != nil || len(took) == 0 {
		return c, err
	}
	mine, err := v.Take(took)
	if err != nil {
		return c, err
	}
	ours := &Copied{UIDValidity: c.UIDValidity}
	var lost []index.UID
	for i, uid := range c.Source {
		if _, ok := slices.BinarySearch(mine, uid); ok {
			ours.Source, ours.Target = append(ours.Source, uid), append(ours.Target, c.Target[i])
		} else {
			lost = append(lost, c.Target[i])
		}
	}
	if len(lost) > 0 {
		err = to.s.x.ExpungeOf(c.UIDValidity, lost)
	}
	return ours, err
}
