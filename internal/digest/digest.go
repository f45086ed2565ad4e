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
	"io"
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
	var names [][]byte
	for _, f := range fields {
		names = append(names, []byte(f))
	}
	var header strings.Builder
	if _, err := mime.CopyFields(&header, io.NewSectionReader(r, p.Header, p.Body-p.Header), names, false); err != nil {
		return nil, err
	}
	b := []byte{version}
	for _, part := range [][]byte{
		binary.AppendUvarint(nil, uint64(p.HeaderSize+p.Size)),
		p.Envelope.Append(nil),
		p.AppendStructure(nil, true),
		[]byte(header.String()),
		nil,
	} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	if len(b) > Max {
		return nil, nil
	}
	return b, nil
}

// Read reads a digest, of which it keeps slices.
func Read(b []byte) (d Digest, err error) {
	if len(b) == 0 || b[0] != version {
		return d, errNone
	}
	b = b[1:]
	for _, to := range []*[]byte{&d.wire, &d.envelope, &d.structure, &d.header, &d.parts} {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return Digest{}, errNone
		}
		*to, b = b[w:w+int(n)], b[w+int(n):]
	}
	return d, nil
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
