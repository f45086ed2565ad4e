// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// point is a moment of a mailbox that a client can come back to.
type point struct {
	folder string
	high   uint64
	box    map[uint32]shown
}

// keep keeps the moment, which is after an answer: a client whose connection
// breaks now is told all that it misses.
func (s *sailor) keep() {
	p := point{s.folder, s.high, make(map[uint32]shown)}
	for _, m := range s.box {
		if m.uid == 0 || m.modSeq == 0 {
			return
		}
		p.box[m.uid] = m
	}
	if s.points = append(s.points, p); len(s.points) > 200 {
		s.points = s.points[100:]
	}
}

// again selects a folder, from the beginning or from a moment before.
func (s *sailor) again() error {
	folder := stormFolders[s.rng.IntN(2)]
	at := slices.IndexFunc(s.points, func(p point) bool { return p.folder == folder })
	if at < 0 || s.rng.IntN(3) == 0 {
		return s.enter(folder, nil)
	}
	for {
		if p := s.points[s.rng.IntN(len(s.points))]; p.folder == folder {
			return s.enter(folder, &p)
		}
	}
}

// enter selects a folder; with a point, what it tells of the time since must be
// all that there was.
func (s *sailor) enter(folder string, p *point) error {
	var high uint64
	var clock int
	var validity uint32
	s.k.with(func() { high, clock, validity = s.k.modSeq[folder], s.k.clock, s.k.validity[folder] })
	s.folder, s.box, s.high, s.told = folder, nil, 0, 0
	s.earlier, s.fetched = make(map[uint32]bool), make(map[uint32]shown)
	defer func() { s.earlier, s.fetched = nil, nil }()
	with := "(CONDSTORE)"
	if p != nil {
		with = fmt.Sprintf("(QRESYNC (%d %d))", validity, p.high)
	}
	answer, err := s.c.say("SELECT "+folder+" "+with, s.take)
	if err != nil || !strings.HasPrefix(answer, "OK") {
		return errors.Join(err, fmt.Errorf("answer %q", answer))
	}
	if s.high < high {
		err = fmt.Errorf("HIGHESTMODSEQ %d of %s; others saw %d before", s.high, folder, high)
	}
	earlier, fetched := s.earlier, s.fetched
	s.earlier, s.fetched = nil, make(map[uint32]shown)
	if len(s.box) > 0 {
		_, ferr := s.c.say("FETCH 1:* (UID FLAGS MODSEQ)", s.takeFirst())
		err = errors.Join(err, ferr)
	}
	s.k.with(func() {
		for uid := range s.fetched {
			if at := s.k.gone[place{folder, uid}]; at != 0 && at <= clock {
				err = errors.Join(err, fmt.Errorf("UID %d of %s is there again", uid, folder))
			}
		}
	})
	if p != nil {
		err = errors.Join(err, p.compare(s.fetched, earlier, fetched, s.uidNext))
	}
	if err != nil {
		return err
	}
	return s.noop() // FETCH by numbers may have held back what was expunged
}

// takeFirst is take, and keeps the first that is told of each UID.
func (s *sailor) takeFirst() func(string) error {
	first := make(map[uint32]shown)
	return func(line string) error {
		s.fetched = make(map[uint32]shown)
		err := s.take(line)
		for uid, m := range s.fetched {
			if _, ok := first[uid]; !ok {
				first[uid] = m
			}
		}
		s.fetched = first
		return err
	}
}

// compare holds that the point with what was told since is what there is below
// next; of what came later EXISTS tells.
func (p *point) compare(now map[uint32]shown, earlier map[uint32]bool, changed map[uint32]shown, next uint32) (err error) {
	for uid, m := range p.box {
		if n, ok := changed[uid]; ok {
			m = n
		}
		got, there := now[uid]
		switch {
		case earlier[uid]:
			// It may be there until the client may be told.
		case !there:
			err = errors.Join(err, fmt.Errorf("since %d of %s: UID %d is gone, which was not told", p.high, p.folder, uid))
		case got.flags != m.flags || got.modSeq != m.modSeq:
			err = errors.Join(err, fmt.Errorf("since %d of %s: UID %d has %s at %d; what was told is %s at %d", p.high, p.folder, uid, got.flags, got.modSeq, m.flags, m.modSeq))
		}
	}
	for uid := range now {
		if _, ok := p.box[uid]; !ok && uid < next {
			if _, ok := changed[uid]; !ok {
				err = errors.Join(err, fmt.Errorf("since %d of %s: UID %d was not told of", p.high, p.folder, uid))
			}
		}
	}
	return err
}

// since asks for what has changed since a point, in the open folder.
func (s *sailor) since() error {
	if len(s.points) == 0 || len(s.box) == 0 {
		return nil
	}
	p := s.points[s.rng.IntN(len(s.points))]
	if p.folder != s.folder || slices.ContainsFunc(s.box, func(m shown) bool { return m.uid == 0 }) {
		return nil
	}
	s.earlier, s.fetched = make(map[uint32]bool), make(map[uint32]shown)
	defer func() { s.earlier, s.fetched = nil, nil }()
	answer, err := s.c.say(fmt.Sprintf("UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE %d VANISHED)", p.high), s.take)
	if err != nil || !strings.HasPrefix(answer, "OK") {
		return errors.Join(err, fmt.Errorf("answer %q", answer))
	}
	now := make(map[uint32]shown)
	for _, m := range s.box {
		if m.uid != 0 { // EXISTS told of those
			now[m.uid] = m
		}
	}
	if err := p.compare(now, s.earlier, s.fetched, 1<<32-1); err != nil {
		return err
	}
	return s.learnUIDs()
}
