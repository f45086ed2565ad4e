// SPDX-License-Identifier: ISC

package main

import (
	"sync"
	"sync/atomic"
	"time"

	"quill/internal/dnsanswer"
	"quill/internal/dnswire"
)

// rcodes is the answer codes that are counted one by one: up to BADCOOKIE.
const rcodes = 24

// typeNames is the types of questions that are counted one by one; others
// count together.
var typeNames = [...]struct {
	kind uint16
	name string
}{
	{1, "A"}, {2, "NS"}, {5, "CNAME"}, {6, "SOA"}, {12, "PTR"}, {15, "MX"}, {16, "TXT"}, {28, "AAAA"}, {33, "SRV"}, {43, "DS"}, {48, "DNSKEY"},
	{52, "TLSA"}, {65, "HTTPS"}, {251, "IXFR"}, {252, "AXFR"}, {255, "ANY"}, {257, "CAA"}, {0, "other"},
}

// tally is the counts of one worker.
type tally struct {
	udp, tcp   uint64
	types      [len(typeNames)]uint64
	rcodes     [rcodes]uint64
	silent     uint64 // got no answer
	truncated  uint64
	malformed  uint64
	rateDrop   uint64
	rateSlip   uint64
	goodCookie uint64
}

// note counts a question and what is sent for it.
func (c *tally) note(q *dnswire.Query, said []byte, status dnsanswer.Status, tcp bool) {
	if tcp {
		c.tcp++
	} else {
		c.udp++
	}
	if status == '/' {
		c.malformed++
	} else {
		c.types[typeAt(q.Type)]++
	}
	if q.Cookie == dnswire.CookieGood {
		c.goodCookie++
	}
	if len(said) == 0 {
		c.silent++
		return
	}
	c.rcodes[min(uint(q.Rcode), rcodes-1)]++
	if q.Truncated {
		c.truncated++
	}
}

// typeAt is where a type is in typeNames.
func typeAt(kind uint16) int {
	for i := range len(typeNames) - 1 {
		if typeNames[i].kind == kind {
			return i
		}
	}
	return len(typeNames) - 1
}

// add adds the counts of another.
func (c *tally) add(o *tally) {
	c.udp += o.udp
	c.tcp += o.tcp
	for i, n := range o.types {
		c.types[i] += n
	}
	for i, n := range o.rcodes {
		c.rcodes[i] += n
	}
	c.silent += o.silent
	c.truncated += o.truncated
	c.malformed += o.malformed
	c.rateDrop += o.rateDrop
	c.rateSlip += o.rateSlip
	c.goodCookie += o.goodCookie
}

// published is a worker's counts as others see them: those of its last batch.
type published struct {
	mu sync.Mutex
	t  tally
	_  [64]byte
}

func (p *published) set(t *tally) {
	p.mu.Lock()
	p.t = *t
	p.mu.Unlock()
}

// tallies is the counts of all workers.
type tallies struct {
	mu  sync.Mutex
	all []*published
}

// worker makes counts for one, for good.
func (s *tallies) worker() *published {
	p := &published{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, p)
	return p
}

// sum is all together.
func (s *tallies) sum() (t tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.all {
		p.mu.Lock()
		t.add(&p.t)
		p.mu.Unlock()
	}
	return t
}

// loads counts what became of each new data.cdb.
type loads struct {
	done, failed atomic.Uint64
	last         atomic.Int64 // when, in ns since 1970
	took         atomic.Int64 // ns
}

// note counts one that is in use now.
func (l *loads) note(began time.Time) {
	l.done.Add(1)
	l.took.Store(int64(time.Since(began)))
	l.last.Store(time.Now().UnixNano())
}
