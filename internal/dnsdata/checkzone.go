// SPDX-License-Identifier: ISC

package dnsdata

import (
	"bytes"

	"quill/internal/dnswire"
)

// What one can say of records only when all are known.

// plainAnswer is the size of a record's value that djb's tinydns can answer.
const plainAnswer = 32767

// maxSiblings is how many records of a name each other one is held against.
const maxSiblings = 1000

// text is a name that is put in words only if it is printed.
type text struct{ name []byte }

func (t text) String() string { return dnswire.Text(t.name) }

// zones looks at all records together.
func (k *checker) zones() {
	for _, u := range k.used {
		if k.n = u.line; !k.locations[u.lo] {
			k.warn("write a % line that says which clients are there", "nobody is at location %q", bytes.TrimRight(u.lo[:], "\x00"))
		}
	}
	for i := range k.records {
		r := &k.records[i]
		k.n = r.line
		k.place(r)
		k.target(r)
		k.siblings(r)
	}
}

// data looks at a record's data.
func (k *checker) data(r *placed) {
	if d, ok := typeOf(r.Type); ok && d.fields != "" && !(k.kind == '\'' && len(r.Data) == 0) {
		if _, right := FormatData(r.Type, r.Data); !right {
			k.fail("write it in words, with a ! line", "the data of %s %s is not right for its type", dnswire.Text(r.Owner), d.name)
		}
	}
	if len(r.Data) > plainAnswer-ValueHeader-2 {
		k.warn("make it shorter", "%s %s has %d bytes of data: djb's tinydns does not answer with so many", dnswire.Text(r.Owner), TypeName(r.Type), len(r.Data))
	}
	if (r.Type == dnswire.TypeA || r.Type == dnswire.TypeAAAA) && bytes.IndexByte(r.Owner, '_') >= 0 {
		k.warn("use letters, digits and - in names of hosts (RFC 1123 §2.1)", "the host %s has an underscore in its name", dnswire.Text(r.Owner))
	}
}

// has is whether name has a record of this type, as itself.
func (k *checker) has(name []byte, typ uint16) bool {
	for r := range k.of(name) {
		if r.Type == typ {
			return true
		}
	}
	return false
}

// zoneOf is the zone of ours that name is in, and the delegation that it is at
// or below, if there is one.
func (k *checker) zoneOf(name []byte) (zone, cut []byte) {
	for n := name; ; n = dnswire.Parent(n) {
		switch {
		case k.has(n, dnswire.TypeSOA):
			return n, cut
		case k.has(n, dnswire.TypeNS):
			cut = n
		}
		if n[0] == 0 {
			return nil, cut
		}
	}
}

// place looks at where a record is: in which zone, below which delegation.
func (k *checker) place(r *placed) {
	zone, cut := k.zoneOf(r.Owner)
	name := text{r.Owner}
	switch {
	case r.Type == dnswire.TypeSOA && !k.has(r.Owner, dnswire.TypeNS):
		k.fail("write an & line for it too", "the zone %s has no name server: tinydns does not answer for it", name)
	case r.implied && r.Type == dnswire.TypePTR:
	case zone == nil && !r.implied:
		k.warn("write a . line for its zone", "%s is in no zone of this file", name)
	case cut != nil && zone != nil && !glue(r, cut):
		k.warn("give it to the servers of that zone, or take the delegation out", "%s %s is below the delegation of %s: nobody sees it", name, TypeName(r.Type), dnswire.Text(cut))
	}
}

// glue says whether a record may be at or below a delegation.
func glue(r *placed, cut []byte) bool {
	if bytes.Equal(r.Owner, cut) && (r.Type == dnswire.TypeNS || r.Type == dnswire.TypeDS) {
		return true
	}
	return r.Type == dnswire.TypeA || r.Type == dnswire.TypeAAAA
}

// target looks at the name that a record points to.
func (k *checker) target(r *placed) {
	at := map[uint16]int{dnswire.TypeNS: 0, dnswire.TypeMX: 2, dnswire.TypeSRV: 6, dnswire.TypeCNAME: 0}
	skip, ok := at[r.Type]
	if !ok || len(r.Data) < skip || len(nameAt(r.Data[skip:])) == 0 {
		return
	}
	name := dnswire.Lower(nameAt(r.Data[skip:]))
	if name[0] == 0 {
		return // no such service (RFC 7505, RFC 2782)
	}
	text, kind := text{name}, TypeName(r.Type)
	zone, cut := k.zoneOf(name)
	switch {
	case r.Type == dnswire.TypeCNAME:
		if zone != nil && cut == nil && !k.exists(name) {
			k.warn("write the record that is meant", "the CNAME of %s points to %s, which is not there", dnswire.Text(r.Owner), text)
		}
		return
	case k.has(name, dnswire.TypeCNAME):
		k.fail("name the host itself (RFC 2181 §10.3)", "the %s of %s points to %s, which is a CNAME", kind, dnswire.Text(r.Owner), text)
	case r.Type == dnswire.TypeNS && cut != nil && within(name, r.Owner) && !k.addressed(name):
		k.fail("write its address in the second field, or a + line", "the delegation of %s to %s has no address for that (glue)", dnswire.Text(r.Owner), text)
	case zone != nil && cut == nil && !k.addressed(name):
		k.fail("write a + or 3 line for it", "the %s of %s points to %s, which has no address", kind, dnswire.Text(r.Owner), text)
	}
	if bytes.IndexByte(name, '_') >= 0 {
		k.warn("use letters, digits and - in names of hosts (RFC 1123 §2.1)", "the %s of %s points to %s, which has an underscore in its name", kind, dnswire.Text(r.Owner), text)
	}
}

// within says whether name is zone or below it.
func within(name, zone []byte) bool {
	for ; ; name = dnswire.Parent(name) {
		if bytes.Equal(name, zone) {
			return true
		}
		if name[0] == 0 {
			return false
		}
	}
}

// exists says whether name, or a wildcard above it, has records.
func (k *checker) exists(name []byte) bool {
	return k.matches(name, func(*placed) bool { return true })
}

func (k *checker) addressed(name []byte) bool {
	return k.matches(name, func(r *placed) bool { return r.Type == dnswire.TypeA || r.Type == dnswire.TypeAAAA })
}

func (k *checker) matches(name []byte, want func(*placed) bool) bool {
	for key := name; ; key = append([]byte("\x01*"), name...) {
		for r := range k.of(key) {
			if want(r) {
				return true
			}
		}
		if name[0] == 0 {
			return false
		}
		name = dnswire.Parent(name)
	}
}

// siblings looks at a record beside the others of its name that stand before
// it. Records with times or at other locations are never seen together.
func (k *checker) siblings(r *placed) {
	if r.Stamp != 0 {
		return
	}
	name, kind := text{r.Owner}, TypeName(r.Type)
	ttl, n := false, 0
	for o := range k.of(r.Owner) {
		if n++; o == r || n > maxSiblings {
			return
		}
		if o.Stamp != 0 || o.Loc != r.Loc && o.Loc != [2]byte{} && r.Loc != [2]byte{} {
			continue
		}
		same := o.Type == r.Type && bytes.Equal(o.Data, r.Data) && o.Loc == r.Loc
		switch {
		case same && !o.implied && !r.implied:
			k.warn("take one out", "%s %s is in line %d already", name, kind, o.line)
			return
		case same && o.TTL == r.TTL:
		case o.Type != r.Type && (o.Type == dnswire.TypeCNAME || r.Type == dnswire.TypeCNAME):
			k.fail("a CNAME stands alone (RFC 1034 §3.6.2)", "%s has a CNAME and a %s, in line %d", name, otherThanCNAME(o, r), o.line)
			return
		case o.Type == r.Type && r.Type == dnswire.TypeCNAME:
			k.fail("take one out (RFC 2181 §10.1)", "%s has another CNAME in line %d", name, o.line)
			return
		case o.Type == r.Type && r.Type == dnswire.TypeSOA:
		case o.Type == r.Type && o.TTL != r.TTL && !ttl:
			ttl = true
			k.warn("give all one ttl (RFC 2181 §5.2)", "%s %s has ttl %d; in line %d it is %d", name, kind, r.TTL, o.line, o.TTL)
		}
	}
}

func otherThanCNAME(a, b *placed) string {
	if a.Type == dnswire.TypeCNAME {
		return TypeName(b.Type)
	}
	return TypeName(a.Type)
}
