// SPDX-License-Identifier: ISC

// Package dnsanswer composes the answers of an authoritative server from the
// records of data.cdb: right by today's RFCs, or those of djb's tinydns to the
// byte. It opens nothing, allocates nothing for an answer, and no packet and no
// data make it panic; only memory that its records are mapped to may fault.
package dnsanswer

import (
	"net/netip"
	"time"

	"quill/internal/dnswire"
)

// Config is what answers depend on beside the data.
type Config struct {
	DJB     bool             // answers byte for byte those of djb's tinydns
	NSID    []byte           // RFC 5001; empty: none
	Cookies *dnswire.Cookies // RFC 7873 and 9018; nil: none
	Repeats bool             // answers over UDP that will be the same again are kept, of data that are not large (not with DJB)
}

// Status is how a packet was dealt with, as djb's log has it: + answered, - not
// ours, I not implemented, C other class, / unreadable.
type Status byte

// ref is bytes in the data, or in Composer.mem.
type ref struct {
	at  uint32
	n   uint16
	mem bool
}

// set is an RRset of an answer: one owner, type and time to live (RFC 2181
// §5.2), and its data.
type set struct {
	owner    ref
	kind     uint16
	ttl      uint32
	from, to int // in Composer.data
}

// level is one suffix of the name that is looked up.
type level struct {
	at    uint8
	flags uint16
}

// Composer composes answers, one at a time.
type Composer struct {
	cfg Config
	m   dnswire.Message
	finder
	hashes [maxWarm]uint32
	places [maxWarm]uint64
	warmth byte     // keeps what Warm reads from being left out
	kept   *repeats // made for the first question over UDP

	// the question
	d       *Data
	q       *dnswire.Query
	from    netip.Addr
	tcp     bool
	unix    int64
	located bool // loc was looked up
	loc     [2]byte
	prefix  [3 + 32]byte // of an address, as a key
	opt     dnswire.Reply

	// the name that is looked up
	low    [dnswire.MaxName]byte
	lowN   int
	levels [dnswire.MaxName/2 + 1]level
	n      int // of levels
	cname  record
	soa    record
	soaAt  int // level of soa, -1: none

	// the answer
	fixed     bool // it depends on question and data alone
	rcode     int
	aa        bool
	foreign   bool // not in any zone of ours
	referral  bool // authority and additional lead to other servers
	sets      []set
	answers   int // of sets; the others are authority
	data      []ref
	full      bool // a set has more records than go into any message
	tabled    bool // table is of the set that is gathered
	table     [2 * maxRecords]uint16
	ttl       uint32 // of the set that is gathered
	mem       []byte
	apex      ref // of the zone that answered last, in lower case
	apexFlags uint16
	chosen    uint16 // the type that answers ANY
	account   [dnswire.MaxName]byte
	hosts     []ref
	owners    []int // djb's: places of owners of A records in the message
	sawNS     bool  // djb's: an NS record is in the answer
	asked     [dnswire.MaxName]byte
}

// New is a composer with its scratch memory; it is used by one goroutine at a
// time.
func New(cfg Config) *Composer {
	return &Composer{
		cfg: cfg, opt: dnswire.Reply{NSID: cfg.NSID, Cookies: cfg.Cookies}, sets: make([]set, 0, 32), data: make([]ref, 0, 64), mem: make([]byte, 0, 4096),
		hosts: make([]ref, 0, 64), owners: make([]int, 0, 64),
	}
}

// Answer appends the answer to a packet to out; nothing where it must not be
// answered. from is the client, now what start and end times of records count
// against. q is filled with what was asked and what became of it. Data nil
// means that there are none: SERVFAIL, or of DJB silence.
func (c *Composer) Answer(d *Data, out, packet []byte, from netip.Addr, tcp bool, now time.Time, q *dnswire.Query) ([]byte, Status) {
	if !c.cfg.Repeats || c.cfg.DJB || tcp || d == nil || len(d.b) >= large || len(packet) < dnswire.HeaderLen || len(packet) > repeatBytes {
		return c.fresh(d, out, packet, from, tcp, now, q)
	}
	if c.kept == nil {
		c.kept = newRepeats()
	}
	e, mark := c.kept.at(packet)
	if said, ok := e.find(d, out, packet, q, c.account[:]); ok {
		return said, '+'
	}
	said, status := c.fresh(d, out, packet, from, tcp, now, q)
	if status == '+' && c.fixed && q.Option == nil && !q.NSID && q.Name != nil {
		e.keep(mark, d, packet, said[len(out):], q)
	}
	return said, status
}

// fresh is Answer by the data.
func (c *Composer) fresh(d *Data, out, packet []byte, from netip.Addr, tcp bool, now time.Time, q *dnswire.Query) ([]byte, Status) {
	c.begin(d, from, tcp, now, q)
	said, status := out, Status(0)
	if c.cfg.DJB {
		said, status = c.answerDJB(out, packet)
	} else {
		said, status = c.reply(out, packet)
	}
	c.d, c.b = nil, nil // their memory may go
	return said, status
}

// reply is Answer by today's RFCs.
func (c *Composer) reply(out, packet []byte) ([]byte, Status) {
	q := c.q
	verdict := dnswire.Parse(packet, q)
	switch {
	case verdict == dnswire.Drop:
		return out, '/'
	case verdict == dnswire.RcodeNotImp || verdict == dnswire.RcodeBadVers:
		return c.refuse(out, verdict, dnswire.EdeNone), 'I'
	case verdict != dnswire.Accept:
		return c.refuse(out, verdict, dnswire.EdeNone), '/'
	case !c.cookie():
		return c.refuse(out, dnswire.RcodeFormErr, dnswire.EdeNone), '/'
	case q.Name == nil && q.Cookie == dnswire.CookieNone:
		return c.refuse(out, dnswire.RcodeFormErr, dnswire.EdeNone), '/'
	case q.Cookie == dnswire.CookieBad && !c.tcp:
		return c.refuse(out, dnswire.RcodeBadCookie, dnswire.EdeNone), 'I'
	case q.Name == nil:
		return c.refuse(out, dnswire.RcodeOK, dnswire.EdeNone), '+'
	case q.Class != dnswire.ClassIN:
		return c.refuse(out, dnswire.RcodeRefused, dnswire.EdeNotSupported), 'C'
	case q.Type == dnswire.TypeOPT || q.Type == dnswire.TypeTSIG || q.Type == 0:
		return c.refuse(out, dnswire.RcodeFormErr, dnswire.EdeNone), 'I'
	case q.Type == dnswire.TypeAXFR || q.Type == dnswire.TypeIXFR && c.tcp:
		return c.refuse(out, dnswire.RcodeRefused, dnswire.EdeProhibited), 'I'
	case c.d == nil:
		return c.refuse(out, dnswire.RcodeServFail, dnswire.EdeNotReady), '-'
	}
	c.compose()
	switch {
	case c.bad:
		return c.refuse(out, dnswire.RcodeServFail, dnswire.EdeInvalidData), '-'
	case c.foreign:
		return c.refuse(out, dnswire.RcodeRefused, dnswire.EdeNotAuth), '-'
	}
	if out = c.write(out); c.bad {
		return c.refuse(out[:c.m.Begun()], dnswire.RcodeServFail, dnswire.EdeInvalidData), '-'
	}
	return out, '+'
}

// begin forgets the last question.
func (c *Composer) begin(d *Data, from netip.Addr, tcp bool, now time.Time, q *dnswire.Query) {
	c.d, c.q, c.from, c.tcp, c.unix, c.located, c.loc = d, q, from.Unmap(), tcp, now.Unix(), false, [2]byte{}
	c.b, c.work, c.bad, c.fixed = nil, maxWork, false, true
	if d != nil {
		c.b = d.b
	}
	c.opt.Ede, c.opt.From, c.opt.Now = dnswire.EdeNone, c.from, uint32(c.unix)
	c.forget()
}

// forget drops the answer.
func (c *Composer) forget() {
	c.rcode, c.aa, c.foreign, c.referral, c.answers, c.apex, c.sawNS, c.full = dnswire.RcodeOK, true, false, false, 0, ref{}, false, false
	c.sets, c.data, c.mem, c.hosts, c.owners = c.sets[:0], c.data[:0], c.mem[:0], c.hosts[:0], c.owners[:0]
}

// cookie reads the cookie of the question; false if it is none.
func (c *Composer) cookie() (ok bool) {
	if c.cfg.Cookies == nil || c.q.Option == nil {
		return true
	}
	c.q.Cookie, ok = c.cfg.Cookies.Read(c.q.Option, c.from, uint32(c.unix))
	return ok
}

// root is whose account refusals are counted on: names that are not ours are
// without number.
var root = []byte{0}

// refuse is an answer without records, with an extended error for who speaks
// EDNS.
func (c *Composer) refuse(out []byte, rcode, ede int) []byte {
	c.forget()
	c.rcode, c.aa, c.opt.Ede = rcode, false, ede
	c.q.Account = root
	return c.write(out)
}

// Failure appends SERVFAIL to out, for a question that was read but whose data
// could not be. With DJB the answer to such a question is none.
func Failure(out []byte, q *dnswire.Query) []byte {
	var m dnswire.Message
	q.Rcode, q.Account, q.Cookie, q.Truncated = dnswire.RcodeServFail, root, dnswire.CookieNone, false
	m.Begin(out, q.ID, dnswire.FlagQR|q.Flags&(dnswire.FlagRD|opcodeMask)|dnswire.RcodeServFail)
	if q.Name != nil {
		m.Question(q)
	}
	if q.EDNS {
		opt := dnswire.Reply{Ede: dnswire.EdeInvalidData}
		m.Count(dnswire.Additional, 1)
		m.B = opt.Append(m.B, q)
	}
	return m.B
}
