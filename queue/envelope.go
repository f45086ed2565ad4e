// SPDX-License-Identifier: ISC

// Package queue keeps messages between acceptance and delivery: one append-only
// log of segments with one writer, queue(5). What is committed survives a power
// cut; recovery is replay; a damaged record is set aside and takes no other
// with it. The package knows nothing of who delivers what: qmail-send(8) follows
// the log and submits results as records.
package queue

import (
	"errors"
	"slices"
	"strings"
)

// Limits of an envelope; queued(8) lists them.
const (
	MaxAddress  = 1003    // bytes of an address with its NUL, as in qmail
	MaxEnvelope = 1 << 20 // bytes of an encoded envelope
)

// Param is one fact that travels with a sender or a recipient, such as
// helo=laptop or notify=NEVER (queued(7) has the keys). Values have no NUL.
type Param struct{ Key, Value string }

// Params is facts in their order; of a key that stands twice the first counts.
type Params []Param

// Value is the value of key, empty where it is not there.
func (p Params) Value(key string) string {
	for _, kv := range p {
		if kv.Key == key {
			return kv.Value
		}
	}
	return ""
}

// With is p with key set to value in place of an earlier value.
func (p Params) With(key, value string) Params { return p.WithAll(Param{key, value}) }

// WithAll is p with these in place of what it says under their keys.
func (p Params) WithAll(more ...Param) Params {
	out := make(Params, 0, len(p)+len(more))
	for _, kv := range p {
		if !slices.ContainsFunc(more, func(m Param) bool { return m.Key == kv.Key }) {
			out = append(out, kv)
		}
	}
	return append(out, more...)
}

// Recipient is one address that a message is for.
type Recipient struct {
	Addr   string
	Params Params
}

// Envelope is whom a message is from and for.
type Envelope struct {
	Sender     string
	Params     Params
	Recipients []Recipient
}

// ErrEnvelope says that bytes are no envelope.
var ErrEnvelope = errors.New("malformed envelope")

// AppendPart appends an address with its facts as frames F and T carry them:
// address, NUL, then key=value strings, each with a NUL.
func AppendPart(b []byte, addr string, params Params) []byte {
	b = append(append(b, addr...), 0)
	for _, kv := range params {
		b = append(append(append(append(b, kv.Key...), '='), kv.Value...), 0)
	}
	return b
}

// ParsePart reads what AppendPart wrote.
func ParsePart(b []byte) (addr string, params Params, err error) { return parsePart(string(b)) }

func parsePart(s string) (addr string, params Params, err error) {
	if s == "" || s[len(s)-1] != 0 {
		return "", nil, ErrEnvelope
	}
	if facts := strings.Count(s, "\x00") - 1; facts > 0 {
		params = make(Params, 0, facts)
	}
	addr, rest, _ := strings.Cut(s, "\x00")
	for rest != "" {
		var word string
		word, rest, _ = strings.Cut(rest, "\x00")
		k, v, ok := strings.Cut(word, "=")
		if !ok || k == "" {
			return "", nil, ErrEnvelope
		}
		params = append(params, Param{k, v})
	}
	return addr, params, nil
}

// Encode is the envelope as a record holds it: F and each T as a letter, the
// part, and one more NUL.
func (e *Envelope) Encode() []byte {
	b := append(make([]byte, 0, 512), 'F')
	b = append(AppendPart(b, e.Sender, e.Params), 0)
	for _, r := range e.Recipients {
		b = append(AppendPart(append(b, 'T'), r.Addr, r.Params), 0)
	}
	return b
}

// ParseEnvelope reads what Encode wrote.
func ParseEnvelope(b []byte) (*Envelope, error) {
	e := &Envelope{}
	s := string(b)
	for n := 0; s != ""; n++ {
		if (s[0] == 'F') != (n == 0) || s[0] != 'F' && s[0] != 'T' {
			return nil, ErrEnvelope
		}
		end := partEnd(s[1:])
		if end < 0 {
			return nil, ErrEnvelope
		}
		addr, params, err := parsePart(s[1 : 1+end])
		if err != nil {
			return nil, err
		}
		if s[0] == 'F' {
			e.Sender, e.Params = addr, params
		} else {
			e.Recipients = append(e.Recipients, Recipient{addr, params})
		}
		s = s[1+end+1:]
	}
	if len(e.Recipients) == 0 {
		return nil, ErrEnvelope
	}
	return e, nil
}

// partEnd is how long the part at b's start is, without the NUL that ends it;
// the address may be empty, a fact may not.
func partEnd(s string) int {
	at := 0
	for first := true; at < len(s); first = false {
		n := strings.IndexByte(s[at:], 0)
		if n < 0 {
			return -1
		}
		if n == 0 && !first {
			return at
		}
		at += n + 1
	}
	return -1
}

// EncodeParams is facts as QUILLPARAMS carries them: k=v&k=v, every byte
// outside A–Z a–z 0–9 . - _ @ as %XX.
func EncodeParams(p Params) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	escape := func(s string) {
		for i := 0; i < len(s); i++ {
			c := s[i]
			if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(".-_@", c) >= 0 {
				b.WriteByte(c)
			} else {
				b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			}
		}
	}
	for i, kv := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		escape(kv.Key)
		b.WriteByte('=')
		escape(kv.Value)
	}
	return b.String()
}

// ParseParams reads QUILLPARAMS. Values with a NUL are refused.
func ParseParams(s string) (Params, error) {
	var p Params
	if s == "" {
		return nil, nil
	}
	for _, word := range strings.Split(s, "&") {
		k, v, ok := strings.Cut(word, "=")
		key, err1 := unescape(k)
		value, err2 := unescape(v)
		if !ok || key == "" || err1 != nil || err2 != nil || strings.Contains(key, "=") {
			return nil, ErrEnvelope
		}
		p = append(p, Param{key, value})
	}
	return p, nil
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", ErrEnvelope
		}
		hi, lo := digit(s[i+1]), digit(s[i+2])
		if hi < 0 || lo < 0 || hi|lo == 0 {
			return "", ErrEnvelope
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), nil
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
