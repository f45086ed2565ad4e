// SPDX-License-Identifier: ISC

package maildir

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-maildir"

	"quill/internal/mailid"
)

// Limits of names.
const (
	hostMax = 24 // bytes of a host in a file's name, after escaping
	uidlMax = 70 // bytes of a UIDL (RFC 1939 §7)
)

// Flag is a letter of a file's info part: S(een), R(eplied), F(lagged), T(rashed),
// D(raft), P(assed).
type Flag = maildir.Flag

// Name is the file name of recipient rcpt's copy of message id: it follows from
// the two and the content alone, so that a second try finds the first. size is
// the file's bytes, wsize what they are when each line ends in CRLF.
func Name(id mailid.ID, rcpt int, host string, size, wsize int64) string {
	return base(id, rcpt, "", host) + sizes(size, wsize)
}

// base is Name without the sizes; extra is "" or X and a random part, for a file
// whose plain name another message has.
func base(id mailid.ID, rcpt int, extra, host string) string {
	return stem(id, rcpt) + extra + "." + Host(host)
}

// stem is what the names of all files for recipient rcpt of message id begin with.
func stem(id mailid.ID, rcpt int) string {
	t := id.Time()
	return fmt.Sprintf("%d.M%dQ%sR%d", t.Unix(), t.Nanosecond()/1000, id, rcpt)
}

func sizes(size, wsize int64) string {
	if wsize < size { // not measured
		return fmt.Sprintf(",S=%d", size)
	}
	return fmt.Sprintf(",S=%d,W=%d", size, wsize)
}

// Host is how a host stands in file names: '/', ':' and ',' as \057, \072 and
// \054, anything unprintable as '_', and cut to 24 bytes.
func Host(host string) string {
	var b strings.Builder
	for i := 0; i < len(host); i++ {
		s := host[i : i+1]
		switch c := host[i]; {
		case c == '/' || c == ':' || c == ',':
			s = fmt.Sprintf(`\%03o`, c)
		case c <= ' ' || c >= 0x7f:
			s = "_"
		}
		if b.Len()+len(s) > hostMax {
			break
		}
		b.WriteString(s)
	}
	if b.Len() == 0 {
		return "localhost"
	}
	return b.String()
}

// splitInfo parts a file's name into the key that stays and the info part after
// the first ':', which readers change.
func splitInfo(name string) (key, info string) {
	key, info, _ = strings.Cut(name, ":")
	return key, info
}

// Flags is the flags in a file's name, sorted, each once, and only those that
// are letters: what other programs wrote there is not to be trusted.
func Flags(name string) []Flag {
	_, info := splitInfo(name)
	letters, ok := strings.CutPrefix(info, "2,")
	if !ok {
		return nil
	}
	var flags []Flag
	for _, c := range letters {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			flags = append(flags, Flag(c))
		}
	}
	slices.SortFunc(flags, cmp.Compare[Flag])
	return slices.Compact(flags)
}

// WithFlags is the name a file has in cur/ when it carries these flags.
func WithFlags(name string, flags []Flag) string {
	key, _ := splitInfo(name)
	sorted := slices.Compact(slices.SortedFunc(slices.Values(flags), cmp.Compare[Flag]))
	return key + ":2," + string(sorted)
}

// number reads the decimal number s begins with, and what follows it.
func number(s string) (n int64, rest string, ok bool) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(s[:i], 10, 64)
	return n, s[i:], err == nil
}

// nameSizes is the sizes that a name claims, -1 for each it does not.
func nameSizes(name string) (size, wsize int64) {
	size, wsize = -1, -1
	key, _ := splitInfo(name)
	_, fields, _ := strings.Cut(key, ",")
	for f := range strings.SplitSeq(fields, ",") {
		for prefix, to := range map[string]*int64{"S=": &size, "W=": &wsize} {
			if v, ok := strings.CutPrefix(f, prefix); ok {
				if n, rest, ok := number(v); ok && rest == "" {
					*to = n
				}
			}
		}
	}
	return size, wsize
}

// nameTime is the time that a name begins with, in microseconds since 1970.
func nameTime(name string) (usec int64, ok bool) {
	const most = 1 << 40 // seconds; more is no time
	sec, rest, ok := number(name)
	if !ok || sec > most {
		return 0, false
	}
	if rest, ok := strings.CutPrefix(rest, ".M"); ok {
		usec, _, _ = number(rest)
		usec = min(usec, 999_999)
	}
	return sec*1_000_000 + usec, true
}

// UIDL is a message's unique-id (RFC 1939 §7): its file's name before the first
// ',' or the info part, which stays the same however readers rename the file;
// or, where that is longer than 70 bytes or not printable, a hash of it.
func UIDL(name string) string {
	key, _ := splitInfo(name)
	short, _, _ := strings.Cut(key, ",")
	if short == "" || len(short) > uidlMax || strings.ContainsFunc(short, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return hashed(key)
	}
	return short
}

// hashed is a UIDL that stands for a whole key.
func hashed(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:20])
}

// UIDLs is the unique-ids of msgs, in their order, no two the same: where
// programs of others made names that differ only after the ',', all but the
// first have the hash of their name.
func UIDLs(msgs []Message) []string {
	ids, seen := make([]string, len(msgs)), make(map[string]bool, len(msgs))
	for i, msg := range msgs {
		ids[i] = msg.UIDL()
		if seen[ids[i]] {
			key, _ := splitInfo(msg.Name)
			ids[i] = hashed(key)
		}
		seen[ids[i]] = true
	}
	return ids
}
