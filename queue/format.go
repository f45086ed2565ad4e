// SPDX-License-Identifier: ISC

package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"
	"time"

	"quill/internal/mailid"
)

// The bytes of a segment, little endian (queue(5)):
//
// A segment begins with two copies of its header, 64 bytes each:
//
//	 0  "quill log 1\n"             12 bytes
//	12  segment number              u64
//	20  nonce                       8 random bytes
//	28  zeros
//	60  CRC-32C of bytes 0…59       u32
//
// Records follow, each begun on a 64-byte boundary:
//
//	 0  nonce of the segment        8 bytes
//	 8  kind                        1 byte, a letter
//	 9  flags                       1 byte: 1 = the message is a file of its own
//	10  zeros                       2 bytes
//	12  recipient number            u32
//	16  id                          u64
//	24  log sequence number         u64
//	32  length of the text          u32
//	36  length of the message       u32
//	40  CRC-32C of text and message u32
//	44  time, microseconds          i64
//	52  zeros                       8 bytes
//	60  CRC-32C of bytes 0…59       u32
//	64  text, message, zeros to the next boundary
//
// The nonce is why a mail that contains the bytes of a record is not taken for
// one: who writes the mail does not know it.
const (
	blockSize   = 64
	segmentHead = 2 * blockSize
	magic       = "quill log 1\n"
	flagFile    = 1
)

// castagnoli is made when it is first needed: a qmail-queue that hands its
// message to queued does without.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// Kind says what a record tells of a message.
type Kind byte

// The kinds of records.
const (
	Enqueue Kind = 'E' // the message itself; text: the envelope
	Result  Kind = 'R' // a delivery's outcome; text: K, Z or D and what was said
	Next    Kind = 'N' // when a recipient is tried next; text: seconds since 1970
	Bounce  Kind = 'B' // what the bounce will say of a recipient; text: that
	Done    Kind = 'D' // nothing more to do: the message is gone
	Hold    Kind = 'H' // not to be tried until released
	Release Kind = 'U' // to be tried again
	Move    Kind = 'M' // the message's new place (reserved)
)

// known says whether clients may submit this kind by R.
func (k Kind) known() bool { return strings.IndexByte("RNBDHU", byte(k)) >= 0 }

// record is one record, its message not included.
type record struct {
	kind   Kind
	flags  byte
	rcpt   uint32
	id     mailid.ID
	seq    uint64
	at     time.Time
	text   []byte
	length uint32 // of the message in the log
	sum    uint32
}

// size is the record's bytes with its padding.
func (r *record) size() int64 {
	return roundUp(blockSize + int64(len(r.text)) + int64(r.length))
}

func roundUp(n int64) int64 { return (n + blockSize - 1) &^ (blockSize - 1) }

// appendHeader appends the 64 bytes before the text.
func (r *record) appendHeader(b []byte, nonce [8]byte) []byte {
	start := len(b)
	b = append(b, nonce[:]...)
	b = append(b, byte(r.kind), r.flags, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, r.rcpt)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.id))
	b = binary.LittleEndian.AppendUint64(b, r.seq)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.text)))
	b = binary.LittleEndian.AppendUint32(b, r.length)
	b = binary.LittleEndian.AppendUint32(b, r.sum)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.at.UnixMicro()))
	b = append(b, make([]byte, 8)...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli()))
}

// parseHeader reads a record's header; text is its length yet.
func parseHeader(b []byte, nonce [8]byte) (r record, text uint32, ok bool) {
	if len(b) < blockSize || [8]byte(b[:8]) != nonce || binary.LittleEndian.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli()) {
		return record{}, 0, false
	}
	r = record{
		kind: Kind(b[8]), flags: b[9], rcpt: binary.LittleEndian.Uint32(b[12:]),
		id: mailid.ID(binary.LittleEndian.Uint64(b[16:])), seq: binary.LittleEndian.Uint64(b[24:]),
		length: binary.LittleEndian.Uint32(b[36:]), sum: binary.LittleEndian.Uint32(b[40:]),
		at: time.UnixMicro(int64(binary.LittleEndian.Uint64(b[44:]))),
	}
	return r, binary.LittleEndian.Uint32(b[32:]), true
}

// appendSegmentHeader appends both copies.
func appendSegmentHeader(b []byte, number uint64, nonce [8]byte) []byte {
	h := append(make([]byte, 0, blockSize), magic...)
	h = binary.LittleEndian.AppendUint64(h, number)
	h = append(h, nonce[:]...)
	h = append(h, make([]byte, 60-len(h))...)
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli()))
	return append(append(b, h...), h...)
}

// errNoSegment says that neither copy of a segment's header is good.
var errNoSegment = errors.New("neither copy of the segment's header can be read")

// parseSegmentHeader takes the nonce from the first good copy.
func parseSegmentHeader(b []byte) (nonce [8]byte, err error) {
	for range 2 {
		if len(b) < blockSize {
			break
		}
		if string(b[:len(magic)]) == magic && binary.LittleEndian.Uint32(b[60:]) == crc32.Checksum(b[:60], castagnoli()) {
			return [8]byte(b[20:28]), nil
		}
		b = b[blockSize:]
	}
	return nonce, errNoSegment
}

// Place is where a message lies: a record of a segment, or a file of its own
// below queue/mess.
type Place struct {
	Segment        uint64
	Offset, Length int64 // the record's, header and text included
	File           string
}

// String is the place as SEGMENT:OFFSET:LENGTH, or the file's name.
func (p Place) String() string {
	return string(p.append(nil))
}

func (p Place) append(b []byte) []byte {
	if p.File != "" {
		return append(b, p.File...)
	}
	b = strconv.AppendUint(b, p.Segment, 10)
	b = strconv.AppendInt(append(b, ':'), p.Offset, 10)
	return strconv.AppendInt(append(b, ':'), p.Length, 10)
}

// ParsePlace reads what String wrote.
func ParsePlace(s string) (Place, error) {
	f := strings.Split(s, ":")
	if len(f) == 1 {
		if _, ok := mailid.Parse(s); !ok {
			return Place{}, fmt.Errorf("place %q: %w", s, ErrEnvelope)
		}
		return Place{File: s}, nil
	}
	if len(f) != 3 {
		return Place{}, fmt.Errorf("place %q: %w", s, ErrEnvelope)
	}
	seg, err1 := strconv.ParseUint(f[0], 10, 63)
	off, err2 := strconv.ParseInt(f[1], 10, 63)
	n, err3 := strconv.ParseInt(f[2], 10, 63)
	if err := errors.Join(err1, err2, err3); err != nil || off < segmentHead || off%blockSize != 0 || n < blockSize {
		return Place{}, fmt.Errorf("place %q: %w", s, ErrEnvelope)
	}
	return Place{Segment: seg, Offset: off, Length: n}, nil
}

// Event is one durable record as a follower sees it.
type Event struct {
	Seq  uint64
	Kind Kind
	ID   mailid.ID
	Rcpt int
	At   Place
	Text []byte // the envelope for Enqueue; never the message
	// CaughtUp is set on an event that is no record: all there was has been
	// told.
	CaughtUp bool
}
