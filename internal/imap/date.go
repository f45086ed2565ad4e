// SPDX-License-Identifier: ISC

package imap

import (
	"strings"
	"time"
)

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// parseDate reads d-Mon-yyyy, the day with one digit or two.
func parseDate(s string) (time.Time, bool) {
	if len(s) == len("1-Jan-2000") {
		s = "0" + s
	}
	if len(s) != len("01-Jan-2000") || s[2] != '-' || s[6] != '-' {
		return time.Time{}, false
	}
	day, ok1 := number([]byte(s[:2]), 31)
	month := monthOf(s[3:6])
	year, ok2 := number([]byte(s[7:]), 9999)
	if !ok1 || !ok2 || month == 0 {
		return time.Time{}, false
	}
	t := time.Date(int(year), month, int(day), 0, 0, 0, 0, time.UTC)
	return t, t.Day() == int(day)
}

func monthOf(s string) time.Month {
	for m := range 12 {
		if strings.EqualFold(s, months[3*m:3*m+3]) {
			return time.Month(m + 1)
		}
	}
	return 0
}

// parseDateTime reads dd-Mon-yyyy hh:mm:ss +zzzz, the day with a space for its
// first digit if it has one. A leap second is the one after it.
func parseDateTime(s string) (time.Time, bool) {
	if len(s) != len("01-Jan-2000 00:00:00 +0000") || s[11] != ' ' || s[14] != ':' || s[17] != ':' || s[20] != ' ' ||
		s[21] != '+' && s[21] != '-' {
		return time.Time{}, false
	}
	date := s[:11]
	if date[0] == ' ' {
		date = date[1:]
	}
	t, ok := parseDate(date)
	var v [5]int // hour, minute, second, zone's hours and minutes
	for i, f := range [5]struct{ at, top int }{{12, 23}, {15, 59}, {18, 60}, {22, 23}, {24, 59}} {
		n, good := number([]byte(s[f.at:f.at+2]), uint64(f.top))
		ok = ok && good
		v[i] = int(n)
	}
	if !ok {
		return time.Time{}, false
	}
	zone := (v[3]*60 + v[4]) * 60
	if s[21] == '-' {
		zone = -zone
	}
	return time.Date(t.Year(), t.Month(), t.Day(), v[0], v[1], v[2], 0, time.FixedZone("", zone)), true
}

// dateTimeForm is a date-time as time.Format writes it, RFC 9051 §9.
const dateTimeForm = "_2-Jan-2006 15:04:05 -0700"
