// SPDX-License-Identifier: ISC

// Package zonefile brings zones into the data file of tinydns, from master files
// (RFC 1035 §5) and by zone transfer (RFC 5936), and out of data.cdb into master
// files. Each record comes as a line of its own, so what has no line is an
// error and nothing is lost in silence; what is left out is counted.
package zonefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnsdata"
	"quill/internal/dnswire"
)

// Limits of a transfer.
const (
	maxRecords      = 10_000_000
	transferTimeout = 10 * time.Minute // for the whole
	messageTimeout  = 30 * time.Second // for each message
)

// Left is what was left out.
type Left struct {
	Signatures int // RRSIG, NSEC, NSEC3 and NSEC3PARAM: they are of whoever signs the zone
	Outside    int // records of names outside the zone
}

// Import writes a data line for each record of a master file. name is the
// file's in messages; origin may be empty, if all names are whole. $INCLUDE is
// refused.
func Import(r io.Reader, name, origin string, w io.Writer) (Left, error) {
	if origin != "" {
		if _, ok := dns.IsDomainName(origin); !ok {
			return Left{}, fmt.Errorf("origin %q is no name", origin)
		}
		origin = dns.Fqdn(origin)
	}
	z := dns.NewZoneParser(r, origin, name)
	z.SetIncludeAllowed(false)
	out := newLines(w)
	for rr, ok := z.Next(); ok; rr, ok = z.Next() {
		if err := out.add(rr); err != nil {
			return out.left, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := z.Err(); err != nil {
		return out.left, err
	}
	return out.left, out.finish()
}

// Transfer writes a data line for each record of a zone that the server at
// host:port gives away. Names outside the zone are left out.
func Transfer(server, zone string, w io.Writer) (Left, error) {
	if _, ok := dns.IsDomainName(zone); !ok {
		return Left{}, fmt.Errorf("zone %q is no name", zone)
	}
	out := newLines(w)
	out.zone = dns.Fqdn(zone)
	t := &dns.Transfer{DialTimeout: messageTimeout, ReadTimeout: messageTimeout, WriteTimeout: messageTimeout}
	answers, err := t.In(new(dns.Msg).SetAxfr(out.zone), server)
	if err != nil {
		return out.left, fmt.Errorf("transfer of %s from %s: %w", out.zone, server, err)
	}
	late := time.AfterFunc(transferTimeout, func() { t.Close() })
	defer late.Stop()
	var failed error
	for a := range answers {
		if failed != nil {
			continue // until the reader has noticed
		}
		if failed = out.message(a); failed != nil {
			t.Close()
		}
	}
	if failed == nil && !out.soa {
		failed = errors.New("no SOA of that zone came")
	}
	if failed != nil {
		return out.left, fmt.Errorf("transfer of %s from %s: %w", out.zone, server, failed)
	}
	return out.left, out.finish()
}

// lines writes data lines of records.
type lines struct {
	w     *bufio.Writer
	zone  string // where not empty, names outside are left out
	soa   bool   // the zone's SOA was written
	count int
	left  Left
	buf   []byte
}

func newLines(w io.Writer) *lines {
	return &lines{w: bufio.NewWriter(w), buf: make([]byte, dns.MaxMsgSize+dnswire.MaxName+10)}
}

// message writes what a message of a transfer brings. The SOA comes at the end
// once more.
func (l *lines) message(a *dns.Envelope) error {
	if a.Error != nil {
		return a.Error
	}
	for _, rr := range a.RR {
		h := rr.Header()
		if !dns.IsSubDomain(l.zone, h.Name) {
			l.left.Outside++
			continue
		}
		if h.Rrtype == dns.TypeSOA {
			if l.soa {
				continue
			}
			l.soa = true
		}
		if l.count++; l.count > maxRecords {
			return fmt.Errorf("more than %d records", maxRecords)
		}
		if err := l.add(rr); err != nil {
			return err
		}
	}
	return nil
}

// add writes a record's line.
func (l *lines) add(rr dns.RR) error {
	h := rr.Header()
	switch h.Rrtype {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM:
		l.left.Signatures++
		return nil
	}
	if h.Class != dns.ClassINET {
		return fmt.Errorf("%q %s is of class %d; data lines have IN alone", h.Name, dnsdata.TypeName(h.Rrtype), h.Class)
	}
	end, err := dns.PackRR(rr, l.buf, 0, nil, false)
	if err != nil {
		return fmt.Errorf("%q %s: %w", h.Name, dnsdata.TypeName(h.Rrtype), err)
	}
	n := dnswire.NameLen(l.buf)
	if n == 0 || end < n+10 {
		return fmt.Errorf("%q is no name", h.Name)
	}
	line := dnsdata.FormatLine(l.buf[:n], h.Rrtype, h.Ttl, l.buf[n+10:end])
	if line == "" {
		return fmt.Errorf("no data line can hold %q %s", h.Name, dnsdata.TypeName(h.Rrtype))
	}
	_, err = l.w.WriteString(line + "\n")
	return err
}

func (l *lines) finish() error {
	if err := l.w.Flush(); err != nil {
		return fmt.Errorf("write lines: %w", err)
	}
	return nil
}

// ErrNoZone says that data.cdb has no such zone.
var ErrNoZone = errors.New("no such zone in the data: it has no SOA for that name")
