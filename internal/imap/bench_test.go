// SPDX-License-Identifier: ISC

package imap

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkFlagsLine writes what FETCH 1:* (UID FLAGS) answers for a message.
func BenchmarkFlagsLine(b *testing.B) {
	w := NewWriter(io.Discard)
	flags := []string{`\Answered`, `\Seen`, "$Junk"}
	b.ReportAllocs()
	for i := range b.N {
		w.Counted(uint32(i), "FETCH (UID ").Number(uint64(i)).Raw(" FLAGS ").Flags(flags).Raw(")").End()
	}
}

// BenchmarkCommand reads a command of the kind clients send most.
func BenchmarkCommand(b *testing.B) {
	line := "a123 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SUBJECT TO CC)])\r\n"
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	in := strings.NewReader(line)
	r := NewReader(in, nil)
	r.LoggedIn = true
	for range b.N {
		in.Reset(line)
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMatch is the matcher's worst: both lengths at their limit.
func BenchmarkMatch(b *testing.B) {
	name := strings.Repeat("x/", maxMailbox/2)
	pattern := strings.Repeat("*x", maxMailbox/2)
	m := NewMatcher(pattern, '/')
	for range b.N {
		m.Match(name)
	}
}
