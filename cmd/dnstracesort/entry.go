// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"strings"
)

// entry is a line: type, name, zone, server, what, and more about it.
type entry struct {
	line   string
	fields []string
}

func split(line string) entry { return entry{line, strings.Split(line, ":")} }

func (e entry) field(i int) string {
	if i < len(e.fields) {
		return e.fields[i]
	}
	return ""
}

func (e entry) what() string { return e.field(4) }

// parse reads a line; an address or server that was learned on the way becomes
// an answer about its own name.
func parse(line string) entry {
	e := split(line)
	if what := e.what(); what == "A" || what == "NS" {
		owner := e.field(5)
		return split("glue:" + owner + ":" + e.field(2) + ":" + e.field(3) + ":answer:" + owner + " " + what + " " + e.field(6))
	}
	return e
}

// compare is the order: type, name and zone; then what; then server.
func compare(a, b entry) int {
	for _, key := range []func(entry) string{
		func(e entry) string { return e.from(0, 3) }, func(e entry) string { return e.from(4, len(e.fields)) },
		func(e entry) string { return e.from(3, 5) }, func(e entry) string { return e.from(2, 4) },
	} {
		if c := strings.Compare(key(a), key(b)); c != 0 {
			return c
		}
	}
	return strings.Compare(a.line, b.line)
}

// from is the fields from one up to another as one text.
func (e entry) from(first, end int) string {
	return strings.Join(e.fields[min(first, len(e.fields)):min(end, len(e.fields))], ":")
}

// pretty is a line for people: the zone underlined, alerts bold, by backspaces
// as ul(1) and less(1) know them.
func (e entry) pretty() string {
	name, zone, rest := e.field(1), e.field(2), e.from(5, len(e.fields))
	result := e.what()
	switch result {
	case "ALERT":
		result = "A\bAL\bLE\bER\bRT\bT:\b: " + rest
	case "answer":
		result = strings.TrimPrefix(rest, name+" ")
	case "see", "CNAME":
		result += " " + rest
	}
	if zone != "." {
		name = name[:max(len(name)-len(zone), 0)]
		for _, b := range []byte(zone) {
			name += "_\b" + string([]byte{b})
		}
	}
	return fmt.Sprintf("%s %s %-16s %s", e.field(0), name, e.field(3), result)
}
