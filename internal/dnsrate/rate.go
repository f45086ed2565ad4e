// SPDX-License-Identifier: ISC

// Package dnsrate limits the rate of answers over UDP, so that a server is no
// weapon against those whose addresses are forged: response rate limiting, as
// NSD and BIND have it. Answers are counted by the network of the client, by
// what they are about and by their kind. It knows no clock and opens nothing.
//
// Its memory is fixed, whatever is asked by whom. Buckets that have been quiet
// the longest make room for new ones; where a bucket lies depends on a random
// seed, so nobody can aim at another's. It takes no lock: one Table is for all
// goroutines.
package dnsrate

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"
)

// Limits; tinydns(8) lists them.
const (
	DefaultRate = 200     // answers a second and bucket
	MaxRate     = 1000000 // a bucket's time is counted in microseconds
	DefaultSlip = 2
	MaxSlip     = 10
	MaxExempt   = 64
	Buckets     = 1 << 18 // of 8 bytes
)

// Kind is what sort of answer it is: floods of one do not use up another's rate.
type Kind byte

// Kinds of answers.
const (
	Positive Kind = iota
	NoData
	NXDomain
	Referral
	Failure // REFUSED, FORMERR and the like; count without a name
)

// Verdict is what is to become of an answer.
type Verdict byte

// Verdicts: Slip sends TC without records, so that a real client asks over TCP.
const (
	Send Verdict = iota
	Slip
	Drop
)

// Config is what a Table is to do.
type Config struct {
	Rate   int            // answers a second; at least 1
	Slip   int            // each so manyth limited answer slips; 0: none does
	Exempt []netip.Prefix // clients without a limit
}

// ways is the buckets among which one is looked for: a line of the processor's
// cache.
const ways = 8

// A bucket is a word: 20 bits tell it from its neighbours, 4 count limited
// answers, and 40 are the time in µs up to which its answers are used up (the
// theoretical arrival time of GCRA). Those go round in 12 days; a time further
// ahead than can be is an old one.
const (
	timeBits  = 40
	timeMask  = 1<<timeBits - 1
	countAt   = timeBits
	countMask = 15
	tagAt     = timeBits + 4
)

// Table counts.
type Table struct {
	interval uint64 // µs of one answer
	burst    uint64 // µs that may be used up ahead: a second's answers at once
	slip     uint64
	exempt   []netip.Prefix
	seed     maphash.Seed
	keys     [2]uint64
	sets     [][ways]atomic.Uint64
}

// New makes a table without any answers in it.
func New(c Config) *Table {
	interval := uint64(1000000 / min(max(c.Rate, 1), MaxRate))
	return &Table{
		interval: interval, burst: uint64(max(c.Rate, 1)-1) * interval, slip: uint64(min(max(c.Slip, 0), MaxSlip)), exempt: c.Exempt,
		seed: maphash.MakeSeed(), keys: [2]uint64{rand.Uint64(), rand.Uint64()}, sets: make([][ways]atomic.Uint64, Buckets/ways),
	}
}

// Check counts an answer to a client about a name, in lower case, and says what
// is to become of it.
func (t *Table) Check(client netip.Addr, kind Kind, name []byte, now time.Time) Verdict {
	h := t.hash(client, kind, name)
	verdict := t.count(&t.sets[h%uint64(len(t.sets))], h>>tagAt<<tagAt, uint64(now.UnixMicro())&timeMask)
	if verdict != Send && t.free(client) {
		return Send
	}
	return verdict
}

// hash is that of a bucket. Who does not know the seed and the keys cannot find
// two that fall together.
func (t *Table) hash(client netip.Addr, kind Kind, name []byte) uint64 {
	network := uint64(kind) << 1
	if client.Is4() {
		a := client.As4()
		network |= uint64(binary.BigEndian.Uint32(a[:])&^0xff) << 8 // /24
	} else {
		a := client.As16()
		network |= binary.BigEndian.Uint64(a[:])&^0xff | 1 // /56
	}
	high, low := bits.Mul64(maphash.Bytes(t.seed, name)^t.keys[0], network^t.keys[1])
	return high ^ low
}

// count takes an answer out of the bucket with this tag.
func (t *Table) count(set *[ways]atomic.Uint64, tag, now uint64) Verdict {
	for {
		at, was := t.find(set, tag, now)
		verdict, is := t.step(tag, was, now)
		if set[at].CompareAndSwap(was, is) {
			return verdict
		}
	}
}

// find is the bucket with the tag, or the one that has been quiet the longest.
func (t *Table) find(set *[ways]atomic.Uint64, tag, now uint64) (at int, was uint64) {
	least := ^uint64(0)
	for i := range set {
		b := set[i].Load()
		if b>>tagAt<<tagAt == tag {
			return i, b
		}
		if used := t.used(b, now); used < least {
			at, was, least = i, b, used
		}
	}
	return at, was
}

// used is how far ahead of now a bucket's answers are used up, in µs.
func (t *Table) used(b, now uint64) uint64 {
	if ahead := (b - now) & timeMask; ahead <= t.burst+t.interval {
		return ahead
	}
	return 0
}

// step is one more answer for a bucket: what becomes of it, and of the bucket.
func (t *Table) step(tag, was, now uint64) (Verdict, uint64) {
	used, count := uint64(0), uint64(0)
	if was>>tagAt<<tagAt == tag {
		used, count = t.used(was, now), was>>countAt&countMask
	}
	if used <= t.burst {
		return Send, tag | count<<countAt | (now+used+t.interval)&timeMask
	}
	verdict := Drop
	if count++; t.slip > 0 && count >= t.slip {
		verdict, count = Slip, 0
	}
	if t.slip == 0 {
		count = 0
	}
	return verdict, tag | count<<countAt | was&timeMask
}

// free says whether a client has no limit.
func (t *Table) free(client netip.Addr) bool {
	for _, p := range t.exempt {
		if p.Contains(client) {
			return true
		}
	}
	return false
}
