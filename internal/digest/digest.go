// SPDX-License-Identifier: ISC

// Package digest is what is kept of a message so that IMAP need not open it
// again: its ENVELOPE and BODYSTRUCTURE as they are sent, the header fields that
// clients ask for, its size, and where its parts are. A digest is bytes that mean
// nothing to whom keeps them; one that is damaged, or of another version, is
// noticed and not used.
package digest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"quill/internal/mime"
)

// version stands first in a digest.
const version = 1

// Max is the bytes of a digest; a message with a larger one has none.
const Max = 64 << 10

// fields are the header fields that are kept, in small letters.
var fields = []string{"bcc", "cc", "content-type", "date", "from", "in-reply-to", "list-id", "list-post", "list-unsubscribe",
	"mail-followup-to", "message-id", "precedence", "priority", "references", "reply-to", "sender", "subject", "to", "x-label", "x-priority", "x-spam-status"}

// errNone says that bytes are no digest of this version.
var errNone = errors.New("not a digest")

// Digest is one that was read.
type Digest struct{ wire, envelope, structure, header, parts []byte }

// names is fields as package mime takes them.
var names = func() (names [][]byte) {
	for _, f := range fields {
		names = append(names, []byte(f))
	}
	return names
}()

// Make makes the digest of a message; nil where it would be larger than Max. The
// error is r's.
func Make(r io.ReaderAt, size int64) ([]byte, error) {
	p, err := mime.Parse(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	return Of(p, r)
}

// Of is Make for a message that was parsed already.
func Of(p *mime.Part, r io.ReaderAt) ([]byte, error) {
	header, err := kept(r, p.Header, p.Body)
	if err != nil || header == nil {
		return nil, err
	}
	body := *p
	body.Envelope = nil // it is there in its wire form
	scratch := make([]byte, 0, 1<<10)
	b := make([]byte, 0, 2<<10+len(header))
	add := func(part []byte) { b = append(binary.AppendUvarint(b, uint64(len(part))), part...) }
	b = append(b, version)
	add(binary.AppendUvarint(scratch, uint64(p.HeaderSize+p.Size)))
	scratch = p.Envelope.Append(scratch[:0])
	add(scratch)
	scratch = p.AppendStructure(scratch[:0], true)
	add(scratch)
	add(header)
	n := len(b)
	if scratch = body.AppendBinary(scratch[:0]); n+len(scratch)+binary.MaxVarintLen32 <= Max {
		add(scratch)
	} else {
		add(nil)
	}
	if len(b) > Max {
		return nil, nil
	}
	return slices.Clip(b), nil
}

// kept is the fields that are kept of a header; nil where they are larger than
// Max.
func kept(r io.ReaderAt, from, to int64) ([]byte, error) {
	out := limited{buf: make([]byte, 0, 1<<10)}
	var err error
	if to-from > Max {
		_, err = mime.CopyFields(&out, io.NewSectionReader(r, from, to-from), names, false)
	} else {
		b := make([]byte, to-from)
		if _, err = io.ReadFull(io.NewSectionReader(r, from, to-from), b); err == nil {
			out.buf = mime.AppendFields(out.buf, b, names, false)
		}
	}
	if errors.Is(err, errLarge) || len(out.buf) > Max {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a header: %w", err)
	}
	return out.buf, nil
}

// limited takes Max bytes.
type limited struct{ buf []byte }

var errLarge = errors.New("more than a digest holds")

func (l *limited) Write(b []byte) (int, error) {
	if len(l.buf)+len(b) > Max {
		return 0, errLarge
	}
	l.buf = append(l.buf, b...)
	return len(b), nil
}

// Read reads a digest, of which it keeps slices.
func Read(b []byte) (d Digest, err error) {
	if len(b) == 0 || b[0] != version {
		return d, errNone
	}
	b, ok := b[1:], true
	d.wire, b, ok = cut(b, ok)
	d.envelope, b, ok = cut(b, ok)
	d.structure, b, ok = cut(b, ok)
	d.header, b, ok = cut(b, ok)
	if d.parts, _, ok = cut(b, ok); !ok {
		return Digest{}, errNone
	}
	if n, w := binary.Uvarint(d.wire); w != len(d.wire) || w == 0 || n > math.MaxInt64 {
		return Digest{}, errNone
	}
	return d, nil
}

// errParts says that a digest does not tell of parts.
var errParts = errors.New("digest without parts")

// Part is the message's structure as mime.Parse gives it, but without its own
// Envelope. There is an error where the digest has no room for it.
func (d Digest) Part() (*mime.Part, error) {
	if len(d.parts) == 0 {
		return nil, errParts
	}
	return mime.ParsePart(d.parts)
}

// cut takes what stands behind its length off b.
func cut(b []byte, ok bool) (part, rest []byte, _ bool) {
	n, w := binary.Uvarint(b)
	if !ok || w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

// Envelope is the ENVELOPE in its wire form.
func (d Digest) Envelope() []byte { return d.envelope }

// BodyStructure is the BODYSTRUCTURE in its wire form.
func (d Digest) BodyStructure() []byte { return d.structure }

// Wire is the message's bytes when each line ends in CRLF.
func (d Digest) Wire() int64 {
	n, _ := binary.Uvarint(d.wire)
	return int64(n)
}

// Header is those header fields that are kept, in CRLF form, in the message's
// order, with the empty line that ends them.
func (d Digest) Header() []byte { return d.header }

// Has says whether fields of this name, in any case, are among those that Header
// keeps: a message that has none there has none at all.
func Has(name string) bool {
	_, ok := slices.BinarySearch(fields, strings.ToLower(name))
	return ok
}
