// SPDX-License-Identifier: ISC

package imap

import (
	"encoding/base64"
	"slices"
	"strings"
)

// cmdID: RFC 2971 §3.1.
func (p *parser) cmdID(c *Command) {
	if p.isWord("NIL") {
		return
	}
	c.ID = []Pair{}
	p.list(maxID, true, func() {
		f := p.str()
		p.space()
		v, null := p.nstring()
		if len(f) > maxIDField || len(v) > maxIDValue {
			p.fail("field of ID too long")
		}
		c.ID = append(c.ID, Pair{f, v, null})
	})
}

// cmdLogin: RFC 9051 §6.2.3.
func (p *parser) cmdLogin(c *Command) {
	c.User = p.astring()
	p.space()
	c.Password = p.astring()
}

// cmdAuthenticate: RFC 9051 §6.2.2, with the first response of RFC 4959, where
// = stands for an empty one.
func (p *parser) cmdAuthenticate(c *Command) {
	c.Mechanism = p.word()
	if p.atEnd() {
		return
	}
	p.space()
	s := p.run(func(c byte) bool { return c > ' ' && c < 0x7f }, "a response")
	if c.Initial = []byte{}; s == "=" {
		return
	}
	var err error
	if c.Initial, err = DecodeResponse([]byte(s)); err != nil {
		p.fail("response is not base64")
	}
}

// DecodeResponse reads a line that answers an AUTHENTICATE challenge, other
// than "*", which gives up.
func DecodeResponse(line []byte) ([]byte, error) {
	if strings.ContainsAny(string(line), "\r\n") {
		return nil, bad("response is not base64")
	}
	b, err := base64.StdEncoding.Strict().AppendDecode([]byte{}, line)
	if err != nil {
		return nil, bad("response is not base64")
	}
	return b, nil
}

// cmdEnable: RFC 9051 §6.3.1.
func (p *parser) cmdEnable(c *Command) {
	for p.err == nil {
		c.Enable = append(c.Enable, p.word())
		if len(c.Enable) > maxItems {
			p.fail("list too long")
		}
		if p.atEnd() {
			return
		}
		p.space()
	}
}

func (p *parser) cmdMailbox(c *Command) { c.Mailbox = p.mailbox() }

// newMailbox is the name of a mailbox to be made: no wildcards in it, which
// LIST could not name.
func (p *parser) newMailbox() string {
	name := p.mailbox()
	if strings.ContainsAny(name, "*%") {
		p.failWith(&Error{Status: "NO", Code: "CANNOT", Text: "wildcard in the name of a mailbox"})
	}
	return name
}

// cmdCreate: RFC 9051 §6.3.4, with USE of RFC 6154 §3.
func (p *parser) cmdCreate(c *Command) {
	c.Mailbox = p.newMailbox()
	if p.atEnd() {
		return
	}
	p.space()
	p.list(1, false, func() {
		if p.word() != "USE" {
			p.fail("unknown parameter of CREATE")
		}
		p.space()
		c.Use = []string{}
		p.list(maxItems, true, func() {
			p.expect('\\')
			c.Use = append(c.Use, `\`+p.atom())
		})
	})
}

func (p *parser) cmdRename(c *Command) {
	c.Mailbox = p.mailbox()
	p.space()
	c.NewName = p.newMailbox()
}

// Select is the parameters of SELECT and EXAMINE (RFC 7162).
type Select struct {
	CondStore bool
	QResync   *QResync
}

// QResync is what a client knows of a mailbox, RFC 7162 §3.2.5.
type QResync struct {
	UIDValidity uint32
	ModSeq      int64
	Known       *Set // UIDs that the client knows; nil: all from 1
	Seqs, UIDs  *Set // sequence numbers and the UIDs that they had
}

func (p *parser) cmdSelect(c *Command) {
	c.Mailbox = p.mailbox()
	if p.atEnd() {
		return
	}
	p.space()
	s := &Select{}
	c.Select = s
	p.list(2, false, func() {
		switch w := p.word(); {
		case w == "CONDSTORE" && !s.CondStore:
			s.CondStore = true
		case w == "QRESYNC" && s.QResync == nil:
			p.space()
			s.QResync = p.qresync()
		default:
			p.fail("unknown parameter of SELECT")
		}
	})
}

// qresync: ( uidvalidity modseq [known-uids] [( seqs uids )] ).
func (p *parser) qresync() *QResync {
	q := &QResync{}
	p.expect('(')
	q.UIDValidity = p.nonZero()
	p.space()
	if q.ModSeq = p.number63(); q.ModSeq == 0 {
		p.fail("number must not be 0")
	}
	more := p.take(' ')
	if more && p.peek() != '(' {
		q.Known = p.knownSet()
		more = p.take(' ')
	}
	if more {
		p.expect('(')
		q.Seqs = p.knownSet()
		p.space()
		q.UIDs = p.knownSet()
		p.expect(')')
	}
	p.expect(')')
	return q
}

// knownSet is a set without * and $, RFC 7162 §7.
func (p *parser) knownSet() *Set {
	s := p.set()
	if s.Star || s.Saved {
		p.fail("* in a set of what is known")
	}
	return &s
}

// statusItems: RFC 9051 §6.3.11, RFC 3501, RFC 7162 §7, RFC 7889 §5.
var statusItems = []string{"MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "RECENT", "HIGHESTMODSEQ", "APPENDLIMIT"}

func (p *parser) cmdStatus(c *Command) {
	c.Mailbox = p.mailbox()
	p.space()
	c.Status = p.statusList()
}

// statusList reads STATUS's items, each once.
func (p *parser) statusList() []string {
	var items []string
	p.list(maxItems, false, func() {
		w := p.word()
		switch {
		case !slices.Contains(statusItems, w):
			p.fail("unknown item of STATUS")
		case !slices.Contains(items, w):
			items = append(items, w)
		}
	})
	return items
}

// cmdSet: UID EXPUNGE, RFC 9051 §6.4.9.
func (p *parser) cmdSet(c *Command) { c.Set = p.set() }

// cmdCopy: COPY and MOVE.
func (p *parser) cmdCopy(c *Command) {
	c.Set = p.set()
	p.space()
	c.Mailbox = p.mailbox()
}

// Store is what STORE does to flags (RFC 9051 §6.4.6).
type Store struct {
	Op             byte // '+', '-', or 0: the flags are replaced
	Silent         bool
	Flags          []string
	Unchanged      bool // UNCHANGEDSINCE was given, RFC 7162 §3.1.3
	UnchangedSince int64
}

func (p *parser) cmdStore(c *Command) {
	s := &Store{}
	c.Store, c.Set = s, p.set()
	p.space()
	if p.peek() == '(' {
		p.list(1, false, func() {
			if p.word() != "UNCHANGEDSINCE" {
				p.fail("unknown modifier of STORE")
			}
			p.space()
			s.Unchanged, s.UnchangedSince = true, p.number63()
		})
		p.space()
	}
	if c := p.peek(); c == '+' || c == '-' {
		s.Op = c
		p.pos++
	}
	switch p.word() {
	case "FLAGS":
	case "FLAGS.SILENT":
		s.Silent = true
	default:
		p.fail("expected FLAGS")
	}
	p.space()
	if p.peek() == '(' {
		s.Flags = p.flagList()
		return
	}
	for p.err == nil { // RFC 9051 §9, store-att-flags: flags without parentheses
		if s.Flags = p.addFlag(s.Flags); p.atEnd() {
			return
		}
		p.space()
	}
}
