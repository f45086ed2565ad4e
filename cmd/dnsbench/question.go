// SPDX-License-Identifier: ISC

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// types and rcodes that are asked for and expected.
const (
	typeA, typeMX, typeTXT, typeAAAA = 1, 15, 16, 28
	rcodeOK, rcodeName               = 0, 3
	header                           = 12 // bytes of a message before its question
)

var typeNames = map[uint16]string{typeA: "A", typeMX: "MX", typeTXT: "TXT", typeAAAA: "AAAA"}

// question is one with what a right answer to it has.
type question struct {
	name     string
	typ      uint16
	rcode    byte
	min, max byte // records in the answer section
}

// count is how many questions are drawn for N names.
func count(n int) int { return min(max(n, 1<<16), 1<<20) }

// draw picks questions at random, always the same for the same N: a tenth for
// names that do not exist, the others for any name that does; of those with an
// address every fifth is for AAAA, which only some have.
func draw(n int, each func(question)) {
	r := rand.New(rand.NewPCG(53, uint64(n)))
	for range count(n) {
		i, d := r.IntN(n), r.IntN(50)
		if d < 5 {
			each(question{fmt.Sprintf("x%07d.%s", i, origin), typeA, rcodeName, 0, 0})
			continue
		}
		q := question{name(i), typeA, rcodeOK, 1, 1}
		switch kindOf(i) {
		case address:
			if d%5 == 0 {
				q.typ, q.min, q.max = typeAAAA, 0, 0
			}
		case both:
			if d%5 == 0 {
				q.typ = typeAAAA
			}
		case mail:
			q.typ = typeMX
		case text:
			q.typ = typeTXT
		case alias:
			q.max = 2 // and what it leads to, at most servers
		case wildcard:
			q.name = fmt.Sprintf("w%d.%s", d, q.name)
		case cut:
			q.name, q.min, q.max = "www."+q.name, 0, 0
		}
		each(q)
	}
}

// writeQueries writes the questions for dnsperf.
func writeQueries(w io.Writer, n int) {
	draw(n, func(q question) { fmt.Fprintln(w, q.name, typeNames[q.typ]) })
}

// packets are questions ready to be sent, one after another in one slice.
type packets struct {
	all   []byte
	start []uint32 // where each begins; one more for the end
	want  []want
}

// want is what a right answer has.
type want struct{ rcode, min, max byte }

// pack packs questions, with EDNS (RFC 6891, 1232 bytes) where it is wished for.
func pack(n int, edns bool) *packets {
	p := &packets{start: make([]uint32, 1, count(n)+1), want: make([]want, 0, count(n)), all: make([]byte, 0, 64*count(n))}
	draw(n, func(q question) {
		p.all = q.append(p.all, edns)
		p.start = append(p.start, uint32(len(p.all)))
		p.want = append(p.want, want{q.rcode, q.min, q.max})
	})
	return p
}

// append appends the question as a packet, its number 0.
func (q question) append(b []byte, edns bool) []byte {
	more := byte(0)
	if edns {
		more = 1
	}
	b = append(b, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, more)
	for label := range strings.SplitSeq(q.name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	b = binary.BigEndian.AppendUint16(append(b, 0), q.typ)
	b = append(b, 0, 1)
	if edns {
		b = append(b, 0, 0, 41, 1232>>8, 1232&255, 0, 0, 0, 0, 0, 0)
	}
	return b
}

// len is how many there are.
func (p *packets) len() int { return len(p.want) }

// at is one of them.
func (p *packets) at(i int) []byte { return p.all[p.start[i]:p.start[i+1]] }

// right says whether an answer to question i is one: the question word for word,
// the expected rcode, as many records as expected.
func (p *packets) right(i int, answer []byte) bool {
	q, w := p.at(i), p.want[i]
	end := header
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5
	if len(answer) < end || answer[2]&0x82 != 0x80 || answer[3]&15 != w.rcode || string(answer[4:6]) != "\x00\x01" || string(answer[header:end]) != string(q[header:end]) {
		return false
	}
	records := binary.BigEndian.Uint16(answer[6:])
	return records >= uint16(w.min) && records <= uint16(w.max)
}
