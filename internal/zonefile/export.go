// SPDX-License-Identifier: ISC

package zonefile

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// tai is the label of the second 1970-01-01 00:00:00, without leap seconds as
// tinydns counts.
const tai = 1<<62 + 10

// Ttls of records that end (tinydns).
const (
	leastTTL = 2
	mostTTL  = 3600
)

// record is one of the zone's.
type record struct {
	dnsdata.Record
	key string // owner in lower case, labels from the root on
}

// Export writes the zone as a master file: what everybody sees at now, the SOA
// first, of what lies below a delegation only its servers' addresses. skipped
// says, a line each, what a master file cannot say.
func Export(m *cdb.Map, zone []byte, now time.Time, w io.Writer) (skipped []string, err error) {
	zone = dnswire.Lower(zone)
	all, skipped, err := collect(m, zone, now)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all, func(r record) bool { return r.Type == dnswire.TypeSOA && bytes.Equal(r.Owner, zone) }) {
		return nil, ErrNoZone
	}
	all = onlyOurs(all, zone)
	slices.SortStableFunc(all, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(rank(a.Type), rank(b.Type)))
	})
	out := bufio.NewWriter(w)
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].key == all[0].key && all[n].Type == all[0].Type {
			n++
		}
		if skipped, err = writeSet(out, all[:n], skipped); err != nil {
			return skipped, err
		}
		all = all[n:]
	}
	return skipped, out.Flush()
}

// rank puts SOA and NS before other types.
func rank(typ uint16) int {
	switch typ {
	case dnswire.TypeSOA:
		return -2
	case dnswire.TypeNS:
		return -1
	}
	return int(typ)
}

// collect is all records at and below zone that can be seen.
func collect(m *cdb.Map, zone []byte, now time.Time) (all []record, skipped []string, err error) {
	hidden := 0
	err = m.All(func(key, val []byte) bool {
		r, ok := dnsdata.ParseRecord(key, val)
		if !ok || !within(r.Owner, zone) {
			return true
		}
		if r.TTL, ok = visible(r, uint64(now.Unix())+tai); !ok {
			hidden++
			return true
		}
		all = append(all, record{r, order(r.Owner)})
		return true
	})
	if hidden > 0 {
		skipped = append(skipped, fmt.Sprintf("%d records of other times or for clients at locations", hidden))
	}
	return all, skipped, err
}

// visible is a record's ttl for everybody now, and whether it is there at all.
func visible(r dnsdata.Record, now uint64) (ttl uint32, ok bool) {
	switch {
	case r.Loc != [2]byte{}:
		return 0, false
	case r.Stamp == 0:
		return r.TTL, true
	case r.TTL == 0:
		return uint32(min(max(r.Stamp-min(now, r.Stamp), leastTTL), mostTTL)), now <= r.Stamp
	}
	return r.TTL, now > r.Stamp
}

// within says whether name is zone or below it.
func within(name, zone []byte) bool {
	for len(name) >= len(zone) {
		if bytes.Equal(name, zone) {
			return true
		}
		if name[0] == 0 {
			return false
		}
		name = dnswire.Parent(name)
	}
	return false
}

// order is a name so that its parents come right before it.
func order(name []byte) string {
	var labels []string
	for ; name[0] != 0; name = dnswire.Parent(name) {
		labels = append(labels, string(name[1:1+int(name[0])]))
	}
	slices.Reverse(labels)
	var b []byte
	for _, l := range labels {
		for _, ch := range []byte(l) {
			if ch <= 1 { // what ends a label must be less than all in it
				b = append(b, 1)
				ch++
			}
			b = append(b, ch)
		}
		b = append(b, 0)
	}
	return string(b)
}

// onlyOurs leaves out what is at or below a delegation, but for NS, DS, and the
// addresses of name servers.
func onlyOurs(all []record, zone []byte) []record {
	cuts, servers := map[string]bool{}, map[string]bool{}
	for _, r := range all {
		if r.Type == dnswire.TypeNS {
			servers[string(dnswire.Lower(r.Data))] = true
			if !bytes.Equal(r.Owner, zone) {
				cuts[string(r.Owner)] = true
			}
		}
	}
	return slices.DeleteFunc(all, func(r record) bool {
		var top []byte // the delegation that it is at or below
		for name := r.Owner; !bytes.Equal(name, zone); name = dnswire.Parent(name) {
			if cuts[string(name)] {
				top = name
			}
		}
		switch {
		case top == nil:
			return false
		case bytes.Equal(top, r.Owner) && (r.Type == dnswire.TypeNS || r.Type == dnswire.TypeDS):
			return false
		}
		return (r.Type != dnswire.TypeA && r.Type != dnswire.TypeAAAA) || !servers[string(r.Owner)]
	})
}

// writeSet writes records of one name and type: each once, all with the least
// ttl (RFC 2181 §5), of SOAs the first.
func writeSet(out *bufio.Writer, set []record, skipped []string) ([]string, error) {
	ttl := set[0].TTL
	for _, r := range set {
		ttl = min(ttl, r.TTL)
	}
	if ttl > 1<<31-1 {
		ttl = 0 // RFC 2181 §8
	}
	if set[0].Type == dnswire.TypeSOA {
		set = set[:1]
	}
	seen := map[string]bool{}
	for _, r := range set {
		if seen[string(r.Data)] {
			continue
		}
		seen[string(r.Data)] = true
		text, ok := dnsdata.FormatData(r.Type, r.Data)
		if !ok {
			if dnsdata.HasWords(r.Type) {
				skipped = append(skipped, fmt.Sprintf("%s %s, whose data is not right for its type", dnswire.Text(r.Owner), dnsdata.TypeName(r.Type)))
				continue
			}
			text = dnsdata.FormatUnknown(r.Data)
		}
		if _, err := fmt.Fprintf(out, "%s\t%d\tIN\t%s\t%s\n", dnsdata.FormatName(r.Owner), ttl, dnsdata.TypeName(r.Type), text); err != nil {
			return skipped, err
		}
	}
	return skipped, nil
}
