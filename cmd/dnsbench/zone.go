// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The zone of a run has N names below origin, and what they are follows from
// their number alone, so that data and questions agree without a file.
const (
	origin   = "bench.test"
	maxNames = 10_000_000
	ttl      = 3600
)

// kind is what a name has.
type kind int

const (
	address  kind = iota // A
	both                 // A and AAAA
	mail                 // MX, to one host
	text                 // TXT
	alias                // CNAME, to a name with an address
	wildcard             // A for every name below it
	cut                  // delegation with glue
)

// kindOf is what the name of this number has: of a hundred, 70 have A, 10 A and
// AAAA, 8 MX, 8 TXT, 2 CNAME, one is a wildcard and one a delegation.
func kindOf(i int) kind {
	switch n := i % 100; {
	case n < 70:
		return address
	case n < 80:
		return both
	case n < 88:
		return mail
	case n < 96:
		return text
	case n < 98:
		return alias
	case n < 99:
		return wildcard
	}
	return cut
}

// name is that of this number.
func name(i int) string { return fmt.Sprintf("h%07d.%s", i, origin) }

// target is where the alias of this number leads: a name with an address.
func target(i int) string { return name(i - i%100) }

// ip4 and ip6 are the addresses of the name of this number.
func ip4(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }

func ip6(i int) [16]byte {
	return [16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}
}

const words = "v=spf1 mx -all"

// writeData writes the zone as lines of tinydns-data(8), djb's own types only.
func writeData(w io.Writer, n int) {
	fmt.Fprintf(w, "Z%s:ns1.%[1]s:hostmaster.%[1]s:1:16384:2048:1048576:2560:86400\n&%[1]s::ns1.%[1]s:86400\n&%[1]s::ns2.%[1]s:86400\n", origin)
	fmt.Fprintf(w, "+ns1.%s:192.0.2.1:86400\n+ns2.%[1]s:192.0.2.2:86400\n+mail.%[1]s:192.0.2.3:%d\n", origin, ttl)
	for i := range n {
		own := name(i)
		switch kindOf(i) {
		case address:
			fmt.Fprintf(w, "+%s:%s:%d\n", own, ip4(i), ttl)
		case both:
			fmt.Fprintf(w, "+%s:%s:%d\n:%[1]s:28:", own, ip4(i), ttl)
			for _, b := range ip6(i) {
				fmt.Fprintf(w, "\\%03o", b)
			}
			fmt.Fprintf(w, ":%d\n", ttl)
		case mail:
			fmt.Fprintf(w, "@%s::mail.%s:10:%d\n", own, origin, ttl)
		case text:
			fmt.Fprintf(w, "'%s:%s:%d\n", own, words, ttl)
		case alias:
			fmt.Fprintf(w, "C%s:%s:%d\n", own, target(i), ttl)
		case wildcard:
			fmt.Fprintf(w, "+*.%s:%s:%d\n", own, ip4(i), ttl)
		case cut:
			fmt.Fprintf(w, "&%s:%s:ns.%[1]s:%[3]d\n", own, ip4(i), ttl)
		}
	}
}

// writeZone writes the same zone as a zone file (RFC 1035 §5).
func writeZone(w io.Writer, n int) {
	fmt.Fprintf(w, "$ORIGIN %s.\n$TTL %d\n@ 86400 IN SOA ns1 hostmaster 1 16384 2048 1048576 2560\n@ 86400 IN NS ns1\n@ 86400 IN NS ns2\n", origin, ttl)
	fmt.Fprint(w, "ns1 86400 IN A 192.0.2.1\nns2 86400 IN A 192.0.2.2\nmail IN A 192.0.2.3\n")
	for i := range n {
		own := name(i) + "."
		switch kindOf(i) {
		case address:
			fmt.Fprintf(w, "%s IN A %s\n", own, ip4(i))
		case both:
			fmt.Fprintf(w, "%s IN A %s\n%[1]s IN AAAA 2001:db8::%[3]x:%[4]x\n", own, ip4(i), i>>16&255, i&65535)
		case mail:
			fmt.Fprintf(w, "%s IN MX 10 mail\n", own)
		case text:
			fmt.Fprintf(w, "%s IN TXT \"%s\"\n", own, words)
		case alias:
			fmt.Fprintf(w, "%s IN CNAME %s.\n", own, target(i))
		case wildcard:
			fmt.Fprintf(w, "*.%s IN A %s\n", own, ip4(i))
		case cut:
			fmt.Fprintf(w, "%s IN NS ns.%[1]s\nns.%[1]s IN A %[2]s\n", own, ip4(i))
		}
	}
}

// data writes data, zone and queries into a folder.
func data(args []string) error {
	if len(args) != 2 {
		return usage
	}
	n, err := number("N", args[0], 100, maxNames)
	if err != nil {
		return err
	}
	write := func(file string, fill func(w io.Writer)) error {
		f, err := os.Create(filepath.Join(args[1], file))
		if err != nil {
			return err
		}
		w := bufio.NewWriterSize(f, 1<<20)
		fill(w)
		return errors.Join(w.Flush(), f.Close())
	}
	return errors.Join(
		write("data", func(w io.Writer) { writeData(w, n) }),
		write("zone", func(w io.Writer) { writeZone(w, n) }),
		write("queries", func(w io.Writer) { writeQueries(w, n) }))
}
