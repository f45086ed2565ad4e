// SPDX-License-Identifier: ISC

// Package mailid makes and reads the one number that names a message on its
// whole way: in the 250 reply, in Received lines, in every log line, and in the
// name of the Maildir file. An id is the time of acceptance in microseconds
// since 1970, times 1000, plus a random 0…999; so ids of one machine ascend
// with its clock and two programs at the same microsecond rarely meet. That
// they never meet is queued's business, not this package's.
package mailid

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// ID is a message's id; 0 is none. It is always below 2^63.
type ID uint64

// scale is how many ids share one microsecond.
const scale = 1000

// New makes the id of a message that is accepted now.
func New() ID {
	return At(time.Now(), rand.IntN(scale)) // nobody's secret: it keeps two programs apart
}

// At makes the id of a message accepted at t; of n only n modulo 1000 counts.
func At(t time.Time, n int) ID {
	return ID(uint64(t.UnixMicro())*scale + uint64(n%scale))
}

// Parse reads a decimal id. It refuses signs, leading zeros, 0 and anything
// that does not fit below 2^63.
func Parse(s string) (ID, bool) {
	if s == "" || s[0] < '1' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return ID(n), err == nil
}

// FromEnv is the id handed on in QUILLID, or a new one where there is none or
// it is not an id.
func FromEnv(v string) ID {
	if id, ok := Parse(v); ok {
		return id
	}
	return New()
}

// String is the id in decimal.
func (i ID) String() string { return strconv.FormatUint(uint64(i), 10) }

// Time is when the message was accepted, to the microsecond.
func (i ID) Time() time.Time { return time.UnixMicro(int64(i / scale)) }
