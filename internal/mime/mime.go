// SPDX-License-Identifier: ISC

// Package mime reads Internet messages (RFC 5322, RFC 2045 to 2047, RFC 2183,
// RFC 2231) as far as IMAP needs: envelope, structure, sections, header fields,
// and text to search in.
//
// It promises to take any bytes: time grows with the message's length and with
// nothing else, memory has a fixed bound, and nothing is an error but a reader
// that fails. What goes beyond a limit is counted as application/octet-stream,
// or is not kept. It keeps offsets, never content, and judges nothing: a broken
// message gets the structure that shows its reader the most.
package mime

import "strings"

// Limits (attacks.md MI1 to MI4). They hold for one message with all in it.
const (
	maxDepth     = 100     // parts within parts
	maxParts     = 10000   // parts; the last one takes all the rest
	maxBoundary  = 256     // bytes of a boundary; RFC 2046 §5.1.1 says 70, longer ones are in the wild
	maxParams    = 100     // parameters of a field
	maxAllParams = 50000   // parameters
	maxAddrs     = 10000   // addresses of a field, or of fields of one name
	maxAllAddrs  = 50000   // addresses
	maxLanguages = 100     // languages of a field
	maxName      = 64      // bytes of a field's name that can be one we know
	maxField     = 1 << 20 // bytes of a field that are read
	maxKept      = 4 << 20 // bytes of all fields that are read
	bufferSize   = 8 << 10
)

// Param is a parameter of Content-Type or Content-Disposition. Values that
// RFC 2231 cuts in pieces are joined; the name then ends in '*' if the value
// has a charset and escapes in it, and these stay.
type Param struct{ Name, Value string }

// Part is a message, or a part of one.
type Part struct {
	Type, Subtype     string // as written; never empty
	Params            []Param
	ID, Description   string
	Encoding          string // Content-Transfer-Encoding; empty: 7bit
	MD5               string
	Disposition       string
	DispositionParams []Param
	Language          []string
	Location          string

	// Offsets in the file: of its header, of its body (after the empty line),
	// and of its end, which is before the line break that a boundary takes.
	Header, Body, End int64
	// Sizes as IMAP counts them, each line break being two bytes.
	HeaderSize, Size int64
	Lines            int64 // of the body: line breaks in it

	Parts    []*Part   // of a multipart
	Message  *Part     // in a message/rfc822 or message/global
	Envelope *Envelope // of a message
}

// Param is a parameter of Content-Type by its name in any case, or "".
func (p *Part) Param(name string) string { return param(p.Params, name) }

func param(list []Param, name string) string {
	for _, m := range list {
		if strings.EqualFold(m.Name, name) {
			return m.Value
		}
	}
	return ""
}

// Is tells whether the type is this one; an empty subtype stands for any.
func (p *Part) Is(kind, subtype string) bool {
	return strings.EqualFold(p.Type, kind) && (subtype == "" || strings.EqualFold(p.Subtype, subtype))
}

// carries tells whether it is a message that carries a message.
func (p *Part) carries() bool { return p.Is("message", "rfc822") || p.Is("message", "global") }

// become gives the part another type than its header says.
func (p *Part) become(kind, subtype string) { p.Type, p.Subtype, p.Params = kind, subtype, nil }
