// SPDX-License-Identifier: ISC

// Package tai64n writes and reads the labels that multilog puts before each
// line of a log: "@" and 24 hexadecimal digits, seconds of TAI since 1970 plus
// 2^62 and nanoseconds. Like daemontools without a leap second table it takes
// TAI to be ten seconds ahead of UTC.
package tai64n

import (
	"encoding/hex"
	"strconv"
	"time"
)

// Len is the length of a label in bytes.
const Len = 25

const offset = 1<<62 + 10

// Append appends the label of t to b.
func Append(b []byte, t time.Time) []byte {
	var raw [12]byte
	s, n := uint64(t.Unix()+offset), uint32(t.Nanosecond())
	for i := 0; i < 8; i++ {
		raw[i] = byte(s >> (56 - 8*i))
	}
	for i := 0; i < 4; i++ {
		raw[8+i] = byte(n >> (24 - 8*i))
	}
	return hex.AppendEncode(append(b, '@'), raw[:])
}

// Stamp is the label of t.
func Stamp(t time.Time) string { return string(Append(nil, t)) }

// Parse reads the label at the start of line, and says whether there is one.
func Parse(line string) (time.Time, bool) {
	if len(line) < Len || line[0] != '@' {
		return time.Time{}, false
	}
	s, err := strconv.ParseUint(line[1:17], 16, 64)
	n, err2 := strconv.ParseUint(line[17:Len], 16, 32)
	if err != nil || err2 != nil || n > 999999999 || s < offset {
		return time.Time{}, false
	}
	return time.Unix(int64(s-offset), int64(n)), true
}
