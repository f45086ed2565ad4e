// SPDX-License-Identifier: ISC

// Package imapsearch does IMAP's SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4,
// RFC 4731, RFC 5032, RFC 5182, RFC 7162 §3.1.5).
//
// A string is found where it stands in decoded text, whatever the case of either
// (Unicode's simple folding). Looked into are header fields, with their encoded
// words decoded, and parts of type text. Of each message no more is read than is
// needed to know: first what the mailbox tells of it, then its digest, then its
// header, then its bodies, once for all keys. Time is linear in the number of keys
// times that of messages, and in the bytes read; memory is bounded.
package imapsearch

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mime"
)

// Limits.
const (
	maxHeader = 1 << 20  // bytes of a header that are looked into
	stopBytes = 64 << 10 // bytes read between questions whether to stop
	stopCount = 1000     // and messages
)

// Charsets is those that strings may come in, as BADCHARSET lists them.
const Charsets = "US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 WINDOWS-1252"

// ErrCharset is for NO [BADCHARSET (…)]; ErrStopped says that Stop did.
var (
	ErrCharset = errors.New("charset is not known")
	ErrStopped = errors.New("search was stopped")
)

// Mailbox is what is needed of a mailbox.Mailbox.
type Mailbox interface {
	Len() int
	Message(seq int, m *mailbox.Message)
	Keywords() []string
	mailbox.Source
}

// Env is what a search is done in.
type Env struct {
	Box    Mailbox
	Recent func(uid uint32) bool // is it \Recent in this session? nil: where it is New
	Saved  []imap.Range          // the UIDs of $, in order
	Now    time.Time             // zero: the time of New
	Zone   *time.Location        // in which days begin; nil: the local one, as INTERNALDATE is told
	Stop   func() bool           // is asked now and then; nil: never stop
}

// level is how much of a message must be at hand to know whether a key matches.
type level uint8

const (
	byList   level = iota // what the mailbox tells
	byDigest              // the header fields that are kept
	byHeader              // the message's header
	byBody                // all of it
	levels
)

// verdict is what is known of whether a key matches.
type verdict uint8

const (
	no verdict = iota
	yes
	unknown // at this level
)

// Search is a search that was understood. It is for one Run.
type Search struct {
	of    *imap.Search
	env   Env
	root  node
	needs [levels]bool // levels that some key has

	fields     map[string]*field // by name in small letters
	list       []*field
	longest    int       // of their names
	begins     [256]bool // what they begin with
	text, body finder    // TEXT and BODY

	// The message at hand.
	seq     int
	msg     mailbox.Message
	level   level
	loaded  [levels]bool
	content *content
	wire    int64
	err     error

	name, value, head, chunk []byte
}

// field is a header field that keys are about.
type field struct {
	kept    bool // in digests
	present bool
	finder  finder
	day     day // of Date; 0: none
}

// New understands a search. The error is ErrCharset.
func New(s *imap.Search, env Env) (*Search, error) {
	if _, ok := mime.UTF8(s.Charset, ""); !ok {
		return nil, ErrCharset
	}
	if env.Now.IsZero() {
		env.Now = time.Now()
	}
	if env.Zone == nil {
		env.Zone = time.Local
	}
	out := &Search{of: s, env: env, fields: map[string]*field{}}
	out.root = out.compile(&s.Key)
	for name, f := range out.fields {
		out.list = append(out.list, f)
		out.longest = max(out.longest, len(name))
		if name != "" {
			out.begins[name[0]], out.begins[strings.ToUpper(name)[0]] = true, true
		}
		f.finder.build()
	}
	out.text.build()
	out.body.build()
	return out, nil
}

// Run searches. Its errors are ErrStopped and those of reading messages; one that
// is gone is no error and does not match.
func (s *Search) Run() (*Result, error) {
	r := &Result{search: s.of}
	first := ends(s.of) && !s.of.Max // RETURN (MIN)
	for seq := 1; seq <= s.env.Box.Len(); seq++ {
		if seq%stopCount == 0 && s.stop() {
			return nil, ErrStopped
		}
		s.seq = seq
		s.env.Box.Message(seq, &s.msg)
		found, err := s.matches()
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		if r.add(seq, &s.msg); first {
			break
		}
	}
	r.settle()
	return r, nil
}

func (s *Search) stop() bool { return s.env.Stop != nil && s.env.Stop() }

// matches says whether the message at hand matches, having looked no deeper than
// it must.
func (s *Search) matches() (bool, error) {
	for s.level = byList; s.level < levels; s.level++ {
		if !s.needs[s.level] && s.level > byList {
			continue
		}
		if v := s.eval(&s.root); s.err != nil || v != unknown {
			return s.err == nil && v == yes, s.leave()
		}
	}
	return false, s.leave()
}

// leave is done with the message at hand. One that is gone, or that its owner may
// not read, is not found, and keeps nobody from the rest.
func (s *Search) leave() error {
	if s.loaded == [levels]bool{} {
		return nil
	}
	if s.content != nil {
		_ = s.content.Close() // it was only read
	}
	err := s.err
	s.content, s.err, s.loaded = nil, nil, [levels]bool{}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
