// SPDX-License-Identifier: ISC

package dnsreply

import (
	"encoding/binary"
	"errors"
	"strings"

	"quill/internal/dnswire"
)

// NegativeTTL is how long "no" may be kept, in seconds (RFC 2308).
const NegativeTTL = 300

// nsTTL is the time to live of NS records, in seconds; tinydns-data's.
const nsTTL = 259200

// MaxServers is the name servers of a zone.
const MaxServers = 13

// Zone is the top of a zone whose records are made up.
type Zone struct {
	Base    []byte   // its name, in lower case
	Servers [][]byte // its name servers; may be none
}

// Names reads names with dots, separated by slashes, commas or blanks, into lower
// case wire form.
func Names(s string) (names [][]byte, err error) {
	for _, f := range strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune("/, \t\n", c) }) {
		n, err := dnswire.Name(f)
		if err != nil {
			return nil, errors.New(f + ": no domain name")
		}
		names = append(names, dnswire.Lower(n))
	}
	return names, nil
}

// Under says whether a name in lower case is base or below it.
func Under(name, base []byte) bool {
	for len(name) > len(base) {
		name = dnswire.Parent(name)
	}
	return string(name) == string(base)
}

// Apex answers for the zone's own name.
func (z *Zone) Apex(q *dnswire.Query, r *Reply, serial uint32) {
	if q.Type == dnswire.TypeSOA || q.Type == dnswire.TypeANY {
		r.Answers = append(r.Answers, z.soa(q, serial))
	}
	if q.Type == dnswire.TypeNS || q.Type == dnswire.TypeANY {
		for _, s := range z.Servers {
			r.Answers = append(r.Answers, Record{z.owner(q), dnswire.TypeNS, nsTTL, s})
		}
	}
}

// Close adds the SOA to an answer without records, so that "no" can be kept.
func (z *Zone) Close(q *dnswire.Query, r *Reply, serial uint32) {
	if len(r.Answers) == 0 && !r.Failed && !r.Foreign {
		r.Authority = append(r.Authority, z.soa(q, serial))
	}
}

// owner is the zone's name as a part of the question's.
func (z *Zone) owner(q *dnswire.Query) []byte { return q.Name[len(q.Name)-len(z.Base):] }

// soa is the zone's, made up: its first server or itself as the source,
// hostmaster as the mailbox, tinydns-data's times but for the minimum.
func (z *Zone) soa(q *dnswire.Query, serial uint32) Record {
	data := make([]byte, 0, 128)
	at := binary.BigEndian.AppendUint16(nil, questionName+uint16(len(q.Name)-len(z.Base)))
	if len(z.Servers) > 0 {
		data = append(data, z.Servers[0]...)
	} else {
		data = append(data, at...)
	}
	data = append(append(append(data, 10), "hostmaster"...), at...)
	for _, n := range []uint32{serial, 16384, 2048, 1048576, NegativeTTL} {
		data = binary.BigEndian.AppendUint32(data, n)
	}
	return Record{z.owner(q), dnswire.TypeSOA, NegativeTTL, data}
}
