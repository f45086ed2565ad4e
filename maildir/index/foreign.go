// SPDX-License-Identifier: ISC

package index

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Files in which other servers keep what the index keeps.
const (
	dovecotList     = "dovecot-uidlist"
	dovecotKeywords = "dovecot-keywords"
	dovecotValidity = "dovecot-uidvalidity" // beside a user's INBOX, like qx.uidvalidity
	courierList     = "courierimapuiddb"
	courierKeywords = "courierimapkeywords" // a folder
	courierAll      = ":list"               // in it
)

// Limits of what others have written.
const (
	listMax     = 512 << 20 // bytes of a list of UIDs
	linesMax    = 10_000_000
	lineMax     = 8 << 10       // bytes of a line; a longer one is passed over
	keywordsMax = 1 << 20       // bytes of a list of keywords' names
	validMax    = 1<<32 - 1<<16 // a greater UIDVALIDITY leaves too few above it
	letterMax   = 26            // keywords that have a letter in Dovecot's names
)

// errRefused says that a list cannot be what another server wrote.
var errRefused = errors.New("not taken over")

// entry is what a list says of a file.
type entry struct {
	uid        UID
	size, wire int64  // -1: nothing
	rest       string // other fields of Dovecot's, with a space before each
	twice      bool   // the name stands in two lines
}

// list is a list of UIDs as another server left it.
type list struct {
	valid uint32
	next  UID
	box   [16]byte // Dovecot's GUID of the folder
	files map[string]entry
}

// eachLine calls f for each line of r that ends, without its LF; long is of one
// with more than lineMax bytes, which are not shown.
func eachLine(r io.Reader, bytesMax int64, f func(line []byte, long bool) error) error {
	limited := &io.LimitedReader{R: r, N: bytesMax + 1}
	b := bufio.NewReaderSize(limited, lineMax)
	for n, long := 0, false; ; {
		line, err := b.ReadSlice('\n')
		switch {
		case limited.N <= 0:
			return fmt.Errorf("%w: more than %d bytes", errRefused, bytesMax)
		case err == bufio.ErrBufferFull:
			long = true
			continue
		case err == io.EOF: // a line without end was never finished
			return nil
		case err != nil:
			return err
		}
		if n++; n > linesMax {
			return fmt.Errorf("%w: more than %d lines", errRefused, linesMax)
		}
		if long {
			line = nil
		}
		if err := f(bytes.TrimSuffix(line, []byte("\n")), long); err != nil {
			return err
		}
		long = false
	}
}

// parseList reads dovecot-uidlist, version 3 or 1, or courierimapuiddb, which is
// version 1. Only files for which has is true are kept. The list is refused as a
// whole where its head is not right or its UIDs do not ascend; a line that is not
// right is passed over, and so are all of a name that stands twice. New lines are
// put at the end without a change of the head, so the next UID may be too small
// there.
func parseList(r io.Reader, has func(key string) bool) (*list, error) {
	l := &list{files: make(map[string]entry)}
	version, last := "", UID(0)
	err := eachLine(r, listMax, func(line []byte, long bool) error {
		if version == "" {
			var ok bool
			if version, ok = l.head(string(line)); !ok {
				return fmt.Errorf("%w: bad first line", errRefused)
			}
			return nil
		}
		number, rest, ok := strings.Cut(string(line), " ")
		uid, numeric := parse32(number)
		if !ok || !numeric || uid == 0 {
			return nil
		}
		if UID(uid) <= last {
			return fmt.Errorf("%w: UID %d after %d", errRefused, uid, last)
		}
		if last = UID(uid); last >= uidMax {
			return fmt.Errorf("%w: UID %d", errRefused, uid)
		}
		l.next = max(l.next, last+1)
		e := entry{uid: last, size: -1, wire: -1}
		name := rest
		if version == "3" {
			name, ok = e.fields(rest)
		}
		if ok {
			l.put(name, e, has)
		}
		return nil
	})
	if err == nil && version == "" {
		err = fmt.Errorf("%w: no first line", errRefused)
	}
	return l, err
}

// put keeps what a line says of a file, but for what follows its key.
func (l *list) put(name string, e entry, has func(key string) bool) {
	key, _, _ := strings.Cut(name, ":")
	if !validName(key) || !has(key) {
		return
	}
	if old, ok := l.files[key]; ok {
		old.twice = true
		e = old
	}
	l.files[key] = e
}

// head reads a list's first line.
func (l *list) head(line string) (version string, ok bool) {
	words := strings.Fields(line)
	if len(words) < 3 {
		return "", false
	}
	version, words = words[0], words[1:]
	switch version {
	case "1":
		words = []string{"V" + words[0], "N" + words[1]}
	case "3":
	default:
		return "", false
	}
	var valid, next uint32
	for _, w := range words {
		switch w[0] {
		case 'V':
			valid, _ = parse32(w[1:])
		case 'N':
			next, _ = parse32(w[1:])
		case 'G':
			if id, err := hex.DecodeString(w[1:]); err == nil && len(id) == len(l.box) {
				copy(l.box[:], id)
			}
		}
	}
	l.valid, l.next = valid, UID(next)
	return version, valid != 0 && valid <= validMax && next != 0 && next <= uidMax
}

// fields reads what stands before the name in a line of version 3.
func (e *entry) fields(rest string) (name string, ok bool) {
	for {
		if name, ok = strings.CutPrefix(rest, ":"); ok {
			return name, true
		}
		var word string
		if word, rest, ok = strings.Cut(rest, " "); !ok || word == "" {
			return "", false
		}
		n, err := strconv.ParseUint(word[1:], 10, 63)
		switch {
		case word[0] == 'S' && err == nil:
			e.size = int64(n)
		case word[0] == 'W' && err == nil:
			e.wire = int64(n)
		case word[0] != 'S' && word[0] != 'W':
			e.rest += " " + word
		}
	}
}

// wireOf is the bytes with CRLF of a file of this size, where the list says what
// is possible.
func (e *entry) wireOf(size int64) (wire int64, ok bool) {
	ok = (e.size < 0 || e.size == size) && e.wire >= size && size <= math.MaxInt64/2 && e.wire <= 2*size
	return e.wire, ok
}

func parse32(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && s[0] != '+'
}

// parseLetters reads dovecot-keywords: the names of the keywords whose letters
// are a to z. Lines that are not right are passed over.
func parseLetters(r io.Reader) (names [letterMax]string, err error) {
	err = eachLine(r, keywordsMax, func(line []byte, long bool) error {
		number, name, _ := strings.Cut(string(line), " ")
		if n, ok := parse32(number); ok && n < letterMax && names[n] == "" && ValidKeyword(name) {
			names[n] = name
		}
		return nil
	})
	return names, err
}

// nameLetters is the keyword letters in a file's name: bit n is the n-th.
func nameLetters(name string) (set uint32) {
	_, info, _ := strings.Cut(name, ":")
	marks, ok := strings.CutPrefix(info, "2,")
	marks, _, _ = strings.Cut(marks, ",") // Dovecot leaves the rest alone
	for i := 0; ok && i < len(marks); i++ {
		if c := marks[i]; c >= 'a' && c <= 'z' {
			set |= 1 << (c - 'a')
		}
	}
	return set
}

// parseCourier reads courierimapkeywords/:list: the keywords' names, an empty
// line, and for each file that has some `name:number number`. Only files for
// which has is true are kept; lines that are not right are passed over.
func parseCourier(r io.Reader, has func(key string) bool) (map[string][]string, error) {
	var names []string
	out, body := make(map[string][]string), false
	err := eachLine(r, listMax, func(line []byte, long bool) error {
		switch {
		case body:
			key, numbers, _ := strings.Cut(string(line), ":")
			if !has(key) {
				return nil
			}
			out[key] = nil
			for word := range strings.FieldsSeq(numbers) {
				if n, ok := parse32(word); ok && int64(n) < int64(len(names)) && len(out[key]) <= KeywordsMax { // $Forwarded is one more
					out[key] = append(out[key], names[n])
				}
			}
		case len(line) == 0 && !long:
			body = true
		case len(names) == lineMax:
			return fmt.Errorf("%w: more than %d keywords", errRefused, lineMax)
		default: // one that cannot be a keyword has a number nevertheless
			names = append(names, string(line))
		}
		return nil
	})
	return out, err
}
