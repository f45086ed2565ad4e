// SPDX-License-Identifier: ISC

package maildir

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// found is what earlier found.
type found struct {
	name  string // "": nothing
	fresh bool   // in new/
	taken bool   // another message has the name
}

// earlier looks for the file of an earlier try of del: in new/, then, whatever
// its flags, in cur/; as mail moves.
func (d *Deliverer) earlier(m *Maildir, del *Delivery) (found, error) {
	var c counter
	if err := d.copy(&c, del.content()); err != nil {
		return found{}, err
	}
	want := base(del.ID, del.Rcpt, "", d.host) + sizes(c.size, c.wire)
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(m.new_, want, &st, unix.AT_SYMLINK_NOFOLLOW) })
	taken := err == nil
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return found{}, err
	}
	if taken {
		if same, err := d.same(m.new_, want, del, c.size); err != nil || same {
			return found{name: want, fresh: true}, err
		}
	}
	info, ok, err := d.curOf(m).find(m.cur, want)
	if err != nil {
		return found{}, err
	}
	if ok {
		if same, err := d.same(m.cur, want+info, del, c.size); err != nil || same {
			return found{name: want + info}, err
		}
	}
	if taken || ok {
		return d.renamed(m, del, c)
	}
	return found{}, nil
}

// renamed looks for an earlier try that found its name taken and got an X.
func (d *Deliverer) renamed(m *Maildir, del *Delivery, c counter) (found, error) {
	prefix, suffix := stem(del.ID, del.Rcpt)+"X", sizes(c.size, c.wire)
	for _, fresh := range []bool{true, false} {
		keys, err := readKeys(m.dir(fresh))
		if err != nil {
			return found{}, err
		}
		for key, info := range keys {
			if !strings.HasPrefix(key, prefix) || !strings.HasSuffix(key, suffix) {
				continue
			}
			if same, err := d.same(m.dir(fresh), key+info, del, c.size); err != nil || same {
				return found{name: key + info, fresh: fresh}, err
			}
		}
	}
	return found{taken: true}, nil
}

// curOf is the kept listing of m's cur/.
func (d *Deliverer) curOf(m *Maildir) *listing {
	at, err := identity(m.cur)
	if err != nil {
		return &listing{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.curs[at]
	if l == nil {
		for old := range d.curs {
			if len(d.curs) < listingsMax {
				break
			}
			delete(d.curs, old)
		}
		l = &listing{}
		d.curs[at] = l
	}
	return l
}
