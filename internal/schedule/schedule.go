// SPDX-License-Identifier: ISC

// Package schedule says when a recipient that was put off is tried again, by
// qmail's formula: the k-th try comes near k² units of time after a message's
// birth, so new messages are tried often and old ones seldom, and no state but
// the birth is needed.
package schedule

import (
	"math"
	"time"
)

// The steps of the two channels, in square roots of seconds.
const (
	Local  = 10
	Remote = 20
)

// DefaultLifetime is how long a message is tried (control/queuelifetime).
const DefaultLifetime = 604800 * time.Second

// Next is the time of the next try of a message born at birth that was tried
// now: birth + (⌊√age⌋ + step)². A birth in the future counts as now.
func Next(birth, now time.Time, step int) time.Time {
	age := max(0, int64(now.Sub(birth)/time.Second))
	if birth.After(now) {
		birth = now
	}
	root := int64(math.Sqrt(float64(age)))
	for root*root > age {
		root--
	}
	for (root+1)*(root+1) <= age {
		root++
	}
	n := root + int64(step)
	return birth.Truncate(time.Second).Add(time.Duration(n*n) * time.Second)
}

// Bound is a recorded time of a next try, brought to at most one step ahead of
// now: a clock that jumped must not put mail off for years.
func Bound(next, birth, now time.Time, step int) time.Time {
	if latest := Next(birth, now, step); next.After(latest) {
		return latest
	}
	return next
}

// Expired says whether a message of this age is given up when it fails once
// more.
func Expired(birth, now time.Time, lifetime time.Duration) bool { return now.Sub(birth) > lifetime }
