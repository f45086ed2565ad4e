// SPDX-License-Identifier: ISC

package main

import (
	"sync"
	"time"

	"quill/internal/cdb"
	"quill/internal/control"
	"quill/internal/route"
	"quill/internal/smtp"
	"quill/internal/ucspi"
	"quill/internal/users"
)

// fresh is how long control files, and users who were found, are taken to be as
// they were read.
const fresh = time.Second

// config is what the control files say.
type config struct {
	me, greeting string
	classic      bool
	literal      string // localiphost: our own literals stand for it; "" refuses them
	limits       smtp.Limits
	rcpthosts    route.HostSet
	more         bool // there is morercpthosts.cdb
	routes       *route.Table
	badMailFrom  map[string]bool
}

// settings reads the control files anew when they are old.
type settings struct {
	dir   control.Dir
	users *users.Table
	more  *cdb.Live // morercpthosts.cdb

	mu   sync.Mutex
	last *config
	err  error
	read time.Time
}

func newSettings(home string) *settings {
	s := &settings{dir: control.Open(home), users: users.Open(home)}
	s.more = cdb.NewLive(s.dir.Path("morercpthosts.cdb"))
	s.users.Fresh, s.more.Fresh = fresh, fresh
	return s
}

// current is what the control files say now, or said within the last second.
func (s *settings) current() (*config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.read) > fresh {
		s.last, s.err = s.load()
		s.read = time.Now()
	}
	return s.last, s.err
}

func (s *settings) load() (*config, error) {
	c := &config{limits: smtp.Defaults()}
	var err error
	get := func(name, fallback string) (v string) {
		if err == nil {
			v, err = s.dir.LineOr(name, fallback)
		}
		return v
	}
	c.me = get("me", "me")
	c.greeting = get("smtpgreeting", "me")
	if err == nil {
		c.classic, err = s.dir.Exists("smtpclassic")
	}
	if err == nil {
		var ok bool
		if c.literal, ok, err = s.dir.Line("localiphost"); !ok {
			c.literal = ""
		}
	}
	if err == nil {
		c.routes, err = s.dir.Routes()
	}
	if err == nil {
		err = s.loadLists(c)
	}
	if err == nil {
		err = s.loadLimits(c)
	}
	return c, err
}

func (s *settings) loadLists(c *config) error {
	hosts, _, err := s.dir.List("rcpthosts") // missing: nothing is ours to take
	if err != nil {
		return err
	}
	c.rcpthosts = route.NewHostSet(hosts)
	if c.more, err = s.dir.Exists("morercpthosts.cdb"); err != nil {
		return err
	}
	bad, _, err := s.dir.List("badmailfrom")
	if err != nil {
		return err
	}
	c.badMailFrom = route.NewHostSet(bad)
	return nil
}

func (s *settings) loadLimits(c *config) error {
	if c.classic {
		c.limits.Hops = 100
	}
	seconds, err := s.dir.Int("timeoutsmtpd", int(c.limits.Command/time.Second))
	if err != nil {
		return err
	}
	c.limits.Command = time.Duration(max(1, seconds)) * time.Second
	c.limits.Size, err = s.dir.Size("databytes", smtp.Defaults().Size)
	return err
}

// limitsFor is the limits of a session: DATABYTES of its environment wins.
func (c *config) limitsFor(e ucspi.Env) (smtp.Limits, error) {
	l := c.limits
	var err error
	if v, ok := e.Lookup("DATABYTES"); ok {
		l.Size, err = control.Bytes(v, smtp.Defaults().Size)
	}
	return l, err
}

// accepts says whether mail for the domain is ours to take.
func (s *settings) accepts(c *config, domain string) (ok bool, err error) {
	if c.rcpthosts.Match(domain) || !c.more {
		return c.rcpthosts.Match(domain), nil
	}
	d := route.Lower(domain)
	look := func(m *cdb.Map) (err error) {
		for i := 0; i < len(d) && !ok && err == nil; i++ {
			if i == 0 || d[i] == '.' {
				_, ok, err = m.Value([]byte(d[i:]))
			}
		}
		return err
	}
	if called, err := s.more.Recent(look); called && err == nil {
		return ok, nil
	}
	return ok, s.more.Current(look)
}
