// SPDX-License-Identifier: ISC

package main

import (
	"net/netip"
	"strings"

	"quill/internal/dnsclient"
	"quill/internal/dnsprint"
	"quill/internal/dnswire"
)

// findings is what an answer says about the question.
type findings struct {
	answered bool   // has records of the type
	cname    string // "" none
	referral string // the zone of its NS records, "" none
	soa      bool
}

// learn reads an answer: it says what the answer is, and takes up servers and
// addresses, those of the zone that was asked only.
func (t *tracer) learn(packet []byte, k task) error {
	r, err := dnsprint.Read(packet)
	if err != nil {
		return err
	}
	if _, _, _, _, err = r.Question(); err != nil {
		return err
	}
	records, broken := all(r)
	if len(records) < r.Counts[dnsprint.Answer]+r.Counts[dnsprint.Authority] {
		return broken
	}
	f, err := t.judge(r, records, k)
	if err != nil {
		return err
	}
	nxdomain := r.Rcode() == dnswire.RcodeNXDomain
	if f.cname == "" && !nxdomain && !f.answered && f.referral != "" && !f.soa && (f.referral == k.zone || !below(f.referral, k.zone)) {
		t.say("ALERT:lame server; refers to " + text(f.referral))
		return nil
	}
	if err := t.take(r, records, k.zone); err != nil {
		return err
	}
	switch {
	case broken != nil:
		return broken
	case f.cname != "":
		t.addQuery(query{f.cname, k.kind})
		t.say("CNAME:" + text(f.cname))
	case nxdomain:
		t.say("NXDOMAIN")
	case f.answered:
		return t.show(r, records, k)
	case f.soa || f.referral == "":
		t.say("NODATA")
	case !below(k.name, f.referral):
		return dnsclient.ErrIO
	default:
		t.say("see:" + text(f.referral))
	}
	return nil
}

// all is the records of an answer up to its end, or up to what cannot be read.
func all(r *dnsprint.Reader) (out []dnsprint.Record, err error) {
	for {
		rec, ok, err := r.Next()
		if err != nil || !ok {
			return out, err
		}
		rec.Name = dnswire.Lower(rec.Name)
		out = append(out, rec)
	}
}

// match says whether a record is one that the question wants.
func (k task) match(rec dnsprint.Record) bool {
	return string(rec.Name) == k.name && (rec.Type == k.kind || k.kind == dnswire.TypeANY)
}

// judge looks at what answers, or refers.
func (t *tracer) judge(r *dnsprint.Reader, records []dnsprint.Record, k task) (f findings, err error) {
	for _, rec := range records {
		switch {
		case rec.Section == dnsprint.Answer && rec.Class == dnswire.ClassIN && k.match(rec):
			f.answered = true
		case rec.Section == dnsprint.Answer && rec.Class == dnswire.ClassIN && rec.Type == dnswire.TypeCNAME && string(rec.Name) == k.name:
			if f.cname, err = target(r, rec); err != nil {
				return f, err
			}
		case rec.Section == dnsprint.Authority && rec.Type == dnswire.TypeSOA:
			f.soa = true
		case rec.Section == dnsprint.Authority && rec.Type == dnswire.TypeNS:
			f.referral = string(rec.Name)
		}
	}
	return f, nil
}

func target(r *dnsprint.Reader, rec dnsprint.Record) (string, error) {
	name, _, err := r.NameAt(rec, 0)
	return string(dnswire.Lower(name)), err
}

// take takes up servers and addresses at or below the zone.
func (t *tracer) take(r *dnsprint.Reader, records []dnsprint.Record, zone string) error {
	for _, rec := range records {
		if rec.Class != dnswire.ClassIN || !below(string(rec.Name), zone) {
			continue
		}
		switch {
		case rec.Type == dnswire.TypeNS:
			server, err := target(r, rec)
			if err != nil {
				return err
			}
			t.addZone(delegation{string(rec.Name), server})
		case rec.Type == dnswire.TypeA && rec.Len == 4:
			t.addAddress(address{string(rec.Name), netip.AddrFrom4([4]byte(r.Data(rec)))})
		}
	}
	return nil
}

// show prints the records that answer.
func (t *tracer) show(r *dnsprint.Reader, records []dnsprint.Record, k task) error {
	for _, rec := range records {
		if !k.match(rec) {
			continue
		}
		line, err := r.Record(nil, rec)
		if err != nil {
			return err
		}
		t.say("answer:" + strings.TrimSuffix(string(line), "\n"))
	}
	return nil
}
