// SPDX-License-Identifier: ISC

package index

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	backgroundMin = 20_000 // messages from which on a folder is read in the background
	surveyTries   = 3      // times that is done, while others change it, before it is read under the lock
)

// task is what an update is about.
type task struct {
	expected *expected // an AdoptAll; else nil
	survey   *survey   // read in the background; else nil
	force    bool      // read cur/ now, whatever it costs
	merged   bool      // what the folders hold was taken in
}

// survey is what new/ and cur/ held, and what they looked like before.
type survey struct {
	files
	dirs     dirState
	at       time.Time
	compared *comparison
}

// valid tells whether the folders are still what was read.
func (s *survey) valid(now dirState) bool {
	return s != nil && s.dirs.fresh == now.fresh && s.dirs.cur == now.cur
}

// later tells whether a merge that must read all of cur/ is left for later: for
// the background where the caller wants that, or for the next Sync where messages
// are brought whose names are known.
func (x *Index) later() bool {
	switch {
	case x.task.force:
		return false
	case x.opt.Deliver, x.task.expected != nil && len(x.s.msgs) > 0:
		return true
	case !x.opt.Background || len(x.s.msgs) < x.opt.backgroundMin:
		return false
	}
	if !x.surveying && !x.closing {
		x.surveying = true
		x.work.Add(1)
		go x.background()
	}
	return true
}

// background reads the folders without x.mu, merges, and tells of it.
func (x *Index) background() {
	defer x.work.Done()
	var t task
	var err error
	for try := 1; try <= surveyTries && !t.merged && err == nil && !x.ending(); try++ {
		var s *survey
		if s, err = x.survey(); err == nil {
			x.compare(s)
			t = task{survey: s, force: try == surveyTries}
			err = x.updateFor(&t, func() error { return nil })
		}
	}
	x.mu.Lock()
	x.surveying = false
	x.mu.Unlock()
	if t.merged && err == nil && x.opt.News != nil { // else the next Sync begins again
		x.opt.News()
	}
}

func (x *Index) ending() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.closing
}

// survey reads the folders, when they are quiet or it has waited a while.
func (x *Index) survey() (*survey, error) {
	s := &survey{}
	for range scanTries {
		var err error
		if s.dirs, err = x.mtimes(); err != nil {
			return nil, err
		}
		if s.at = time.Now(); settled(s.dirs.fresh, s.at) && settled(s.dirs.cur, s.at) {
			break
		}
		time.Sleep(tick)
	}
	var err error
	s.files, err = x.read(true)
	return s, err
}

// adoptNamed takes in those files that are expected, have no UID and are in new/
// or cur/ under just this name.
func (x *Index) adoptNamed(e *expected, uids []UID) error {
	found := files{make(map[string]string), make(map[string]string)}
	for i, uid := range uids {
		name, key := e.list[i].Name, e.list[i].key()
		if uid != 0 || !validName(name) {
			continue
		}
		for fresh, names := range map[bool]map[string]string{true: found.fresh, false: found.cur} {
			if unix.Faccessat(x.m.Dir(fresh), name, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW) == nil {
				names[key] = name[len(key):]
			}
		}
	}
	return x.adopt(found)
}
