// SPDX-License-Identifier: ISC

// Package header writes the trace lines that programs put on top of a message
// and reads as little of a message's header as is needed to stop loops. It
// streams: no header is held in memory.
package header

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// Date is a time as the family writes it: day without a leading zero, always
// -0000 (RFC 5322 §3.3: the zone says nothing of where this is).
func Date(t time.Time) string { return string(AppendDate(nil, t)) }

// AppendDate appends Date.
func AppendDate(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(strconv.AppendInt(b, int64(day), 10), ' ')
	b = append(append(b, month.String()[:3]...), ' ')
	b = append(strconv.AppendInt(b, int64(year), 10), ' ')
	b = append(two(b, hour), ':')
	b = append(two(b, minute), ':')
	return append(two(b, second), " -0000"...)
}

// two appends n as two digits.
func two(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// Safe replaces what could end or forge a header line, or confuse its reader,
// by '?'.
func Safe(s string) string {
	for i := 0; i < len(s); i++ {
		if !safeByte(s[i]) {
			return strings.Map(func(c rune) rune {
				if c < 128 && safeByte(byte(c)) {
					return c
				}
				return '?'
			}, s)
		}
	}
	return s
}

// safeByte is the set that qmail lets through: letters, digits and a few signs.
func safeByte(c byte) bool {
	switch c {
	case '.', '@', '%', '+', '/', '=', ':', '-', '[', ']', '_':
		return true
	}
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// Client is what a Received line tells of whom a message came from.
type Client struct {
	Host  string // its name by DNS, or "unknown"
	Helo  string // what it called itself
	Info  string // what its ident server said
	IP    string
	Local string // our name
	With  string // SMTP, ESMTP … (RFC 3848)
}

// Received is the Received line of a message from c.
func (c Client) Received(at time.Time) string {
	b := append(make([]byte, 0, 256), "Received: from "...)
	add := func(words ...string) {
		for _, w := range words {
			b = append(b, w...)
		}
	}
	add(Safe(c.Host))
	if c.Helo != "" && !strings.EqualFold(c.Helo, c.Host) {
		add(" (HELO ", Safe(c.Helo), ")")
	}
	add(" (")
	if c.Info != "" {
		add(Safe(c.Info), "@")
	}
	add(Safe(c.IP), ")\n  by ", Safe(c.Local), " with ", c.With, "; ")
	return string(append(AppendDate(b, at), '\n'))
}

// Counter counts hops in the header of a message with LF line ends as it
// passes: Received and Delivered-To lines, in any case.
type Counter struct {
	Hops int
	Size int // bytes of the header so far, its empty line included
	Done bool

	line [13]byte // the start of the line being read
	n    int
}

var (
	received  = []byte("received:")
	delivered = []byte("delivered-to:")
)

// Feed reads more of the message.
func (c *Counter) Feed(b []byte) {
	for len(b) > 0 && !c.Done {
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		if c.n < len(c.line) {
			c.n += copy(c.line[c.n:], part)
		}
		c.Size += len(part)
		if i < 0 {
			return
		}
		c.Size++
		c.end()
		b = b[i+1:]
	}
}

// end deals with a line that has ended.
func (c *Counter) end() {
	start := c.line[:c.n]
	switch {
	case c.n == 0:
		c.Done = true
	case hasPrefixFold(start, received), hasPrefixFold(start, delivered):
		c.Hops++
	}
	c.n = 0
}

func hasPrefixFold(b, lower []byte) bool {
	return len(b) >= len(lower) && bytes.EqualFold(b[:len(lower)], lower)
}
