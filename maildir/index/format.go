// SPDX-License-Identifier: ISC

// Package index keeps what a Maildir cannot say of its messages: UIDs, modseqs,
// keywords, dates and sizes (maildir-index(5)). The Maildir stays the truth for
// content, presence and system flags, so that any other program may work on it
// and a delivery never waits for the index.
//
// It promises that UIDs grow and are never given twice under one UIDVALIDITY;
// that a UID is on disk before anybody is told of it; that a message which was
// expunged does not come back after a crash; and that a damaged index is noticed
// and made anew with a greater UIDVALIDITY, never read as if it were whole.
//
// Deleting the index costs UIDVALIDITY and the keywords, and no mail. The digests
// it keeps of messages mean nothing to it.
package index

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"quill/maildir"
)

// UID is a message's number, which it keeps (RFC 3501 §2.3.1.1).
type UID uint32

// Range is UIDs from Lo to Hi, both included.
type Range struct{ Lo, Hi UID }

// Flags is the system flags that stand in a file's name.
type Flags uint16

// The flags and their letters (maildir(5)).
const (
	Seen     Flags = 1 << iota // S
	Answered                   // R
	Flagged                    // F
	Deleted                    // T
	Draft                      // D
	Passed                     // P; $Forwarded in IMAP
	allFlags Flags = 1<<iota - 1
)

const letters = "SRFTDP" // in the order of the bits

// Limits.
const (
	KeywordsMax = 64      // keywords with names in one folder
	KeywordMax  = 100     // bytes of a keyword
	nameMax     = 255     // bytes of a file's name
	payloadMax  = 1 << 20 // bytes of a log record without its head
	rangesMax   = 10_000  // ranges in one log record
	vanishedMax = 100_000 // ranges of expunged UIDs that are kept
	messagesMax = 1 << 24 // messages in one folder
	uidMax      = 1<<32 - 2
)

// Message is a message as the index knows it.
type Message struct {
	UID      UID
	Flags    Flags
	New      bool   // its file is in new/, else in cur/
	Keywords uint64 // bit n: the folder's keyword n
	ModSeq   uint64 // of its last change (RFC 7162)
	Size     int64  // bytes on disk
	Wire     int64  // bytes when each line ends in CRLF, RFC822.SIZE; 0: not measured
	Date     int64  // INTERNALDATE, nanoseconds since 1970
	Saved    uint32 // when it came into this folder, seconds since 1970 (RFC 8514)
	Cache    uint64 // where qx.cache has it; 0: nowhere
	EmailID  uint64 // the same for copies (RFC 8474)
	Name     string // of its file, when it was last seen
}

// InternalDate is Date as a time.
func (m *Message) InternalDate() time.Time { return time.Unix(0, m.Date) }

// Key is the part of its file's name that stays.
func (m *Message) Key() string { key, _, _ := strings.Cut(m.Name, ":"); return key }

// Measured says whether Wire is known.
func (m *Message) Measured() bool { return m.Wire >= m.Size }

// dirty: the file's name does not yet say what the index does.
func (m *Message) dirty() bool {
	return nameFlags(m.Name) != m.Flags || m.New && m.Flags != 0
}

// nameFlags is the flags in a file's name.
func nameFlags(name string) (f Flags) {
	_, info, _ := strings.Cut(name, ":")
	marks, ok := strings.CutPrefix(info, "2,")
	for i := 0; ok && i < len(marks); i++ {
		if n := strings.IndexByte(letters, marks[i]); n >= 0 {
			f |= 1 << n
		}
	}
	return f
}

// flagName is the name of a file in cur/ with these flags; letters that are none
// of ours stay.
func flagName(name string, f Flags) string {
	keep := slices.DeleteFunc(maildir.Flags(name), func(c maildir.Flag) bool { return strings.ContainsRune(letters, rune(c)) })
	return maildir.WithFlags(name, append(keep, f.Letters()...))
}

// Letters is the flags as a file's name has them (maildir(5)).
func (f Flags) Letters() (out []maildir.Flag) {
	for i, c := range letters {
		if f&(1<<i) != 0 {
			out = append(out, maildir.Flag(c))
		}
	}
	return out
}

// validName tells whether a file in new/ or cur/ may have the name.
func validName(s string) bool {
	return s != "" && len(s) <= nameMax && s[0] != '.' && s[0] != ':' && !strings.ContainsAny(s, "/\x00")
}

// ValidKeyword tells whether s can be a keyword: an atom (RFC 3501 §9).
func ValidKeyword(s string) bool {
	return s != "" && len(s) <= KeywordMax && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r)
	})
}

// dirState is what new/ and cur/ looked like when they were last known in full.
type dirState struct {
	fresh, cur int64 // mtimes, nanoseconds since 1970
	recheck    int64 // read both again at this time; 0: no need
}

// errDamaged is the cause to make an index anew.
var errDamaged = errors.New("index is damaged")

func sum(b ...[]byte) (c uint32) {
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, p := range b {
		c = crc32.Update(c, table, p)
	}
	return c
}

// reader takes little-endian numbers off b; bad is set when it was too short.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, max(0, min(n, 16)))
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u8() uint8   { return r.bytes(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.bytes(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.bytes(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.bytes(8)) }
func (r *reader) i64() int64  { return int64(r.u64()) }

func (r *reader) ranges(n int) []Range {
	if n < 0 || n > len(r.b)/8 {
		r.bad = true
		return nil
	}
	s := make([]Range, n)
	for i := range s {
		s[i] = Range{UID(r.u32()), UID(r.u32())}
		r.bad = r.bad || s[i].Lo == 0 || s[i].Lo > s[i].Hi || i > 0 && s[i].Lo <= s[i-1].Hi
	}
	return s
}

func putRanges(b []byte, s []Range) []byte {
	for _, r := range s {
		b = binary.LittleEndian.AppendUint32(b, uint32(r.Lo))
		b = binary.LittleEndian.AppendUint32(b, uint32(r.Hi))
	}
	return b
}
