// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"quill/internal/dnswire"
)

// rule lets somebody have a zone.
type rule struct {
	zone []byte // wire form, lower case; nil: each
	who  netip.Prefix
	all  bool   // who is everybody
	key  string // wire form, lower case; "": none is needed
}

// Rules say who may have which zone. Without rules nobody may.
type Rules []rule

// ParseRules reads lines zone:who[:keyname]: zone is a name, or * for each;
// who is an address, a prefix, or *, with IPv6 in brackets; keyname says which
// key the request must be signed with.
func ParseRules(r io.Reader) (Rules, error) {
	var rules Rules
	err := eachLine(r, func(line string) error {
		one, err := parseRule(line)
		if err == nil {
			rules = append(rules, one)
		}
		return err
	})
	return rules, err
}

func parseRule(line string) (one rule, err error) {
	zone, rest, ok := strings.Cut(line, ":")
	if !ok {
		return one, errors.New("want zone:who or zone:who:keyname")
	}
	if zone != "*" {
		if one.zone, err = wireName(zone); err != nil {
			return one, err
		}
	}
	who, key, keyed := cutAddress(rest)
	if keyed {
		wire, err := wireName(key)
		if err != nil || len(wire) < 2 {
			return one, fmt.Errorf("%q is no name of a key", key)
		}
		one.key = string(wire)
	}
	if one.all = who == "*"; one.all {
		return one, nil
	}
	if a, err := netip.ParseAddr(who); err == nil {
		one.who = netip.PrefixFrom(a, a.BitLen())
		return one, nil
	}
	if one.who, err = netip.ParsePrefix(who); err != nil || one.who != one.who.Masked() {
		return one, fmt.Errorf("%q is no address, no prefix, and not *", who)
	}
	return one, nil
}

// wireName reads a name into its wire form in lower case.
func wireName(s string) ([]byte, error) {
	wire, err := dnswire.Name(s)
	if err != nil || s == "" {
		return nil, fmt.Errorf("%q is no domain name", s)
	}
	return dnswire.Lower(wire), nil
}

// cutAddress parts an address, in brackets where it has colons, from what
// follows its colon.
func cutAddress(s string) (address, rest string, more bool) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		address, tail, closed := strings.Cut(inner, "]")
		if !closed || tail != "" && tail[0] != ':' {
			return s, "", false
		}
		return address, strings.TrimPrefix(tail, ":"), tail != ""
	}
	return strings.Cut(s, ":")
}

// Allow says whether a client, whose request was signed with key (nil: with
// none), may have a zone, given in wire form and lower case.
func (r Rules) Allow(zone []byte, from netip.Addr, key *Key) bool {
	from = from.Unmap().WithZone("")
	for _, one := range r {
		if (one.zone == nil || bytes.Equal(one.zone, zone)) && (one.all || one.who.Contains(from)) && (one.key == "" || key != nil && one.key == string(key.name)) {
			return true
		}
	}
	return false
}
