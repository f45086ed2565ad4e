// SPDX-License-Identifier: ISC

package dnsclient

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
)

const rewriteFile = "/etc/dnsrewrite"

// Rules are what makes a full name of a short one: lines of DNSREWRITEFILE or
// /etc/dnsrewrite, else what LOCALDOMAIN, resolv.conf's search, or the name of
// this host amount to.
type Rules []string

// ReadRules finds the rules.
func ReadRules(getenv func(string) string) (Rules, error) {
	name := getenv("DNSREWRITEFILE")
	if name == "" {
		name = rewriteFile
	}
	text, there, err := contents(name)
	if err != nil {
		return nil, err
	}
	if there {
		var out Rules
		for line := range strings.Lines(text) {
			out = append(out, strings.TrimRight(line, " \t\r\n"))
		}
		return out, nil
	}
	if domains := getenv("LOCALDOMAIN"); domains != "" {
		return search(strings.Split(domains, " ")), nil
	}
	if text, _, err = contents(resolvConf); err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		for _, key := range []string{"search", "domain"} {
			if rest, ok := after(line, key); ok {
				return search(strings.FieldsFunc(rest, func(c rune) bool { return c == ' ' || c == '\t' || c == '\n' })), nil
			}
		}
	}
	return hostRules()
}

// search is the rules that try domains one after the other.
func search(domains []string) Rules {
	rule := "?:"
	for _, d := range domains {
		rule += "+." + d
	}
	return Rules{rule, "*.:"}
}

// hostRules is the rules of the domain that this host is in.
func hostRules() (Rules, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, plain(err)
	}
	out := Rules{"*.:"}
	if at := strings.IndexByte(host, '.'); at >= 0 {
		out = Rules{"?:" + host[at:], "*.:"}
	}
	return out, nil
}

// Rewrite changes a name by the rules, each at most once.
func (r Rules) Rewrite(name string) string {
	for _, rule := range r {
		name = rewrite(name, rule)
	}
	return name
}

// rewrite changes a name by a rule: what it is about, the end of names it is
// for, a colon, and what takes its place.
func rewrite(name, rule string) string {
	if rule == "" {
		return name
	}
	kind := rule[0]
	end, to, ok := strings.Cut(rule[1:], ":")
	if !ok || len(name) < len(end) || !strings.ContainsRune("?=*-", rune(kind)) {
		return name
	}
	front := name[:len(name)-len(end)]
	if !sameFold(name[len(front):], end) {
		return name
	}
	switch {
	case kind == '=' && front != "", kind == '?' && strings.ContainsAny(front, ".[]"):
		return name
	case kind == '-':
		return to
	}
	return front + to
}

// sameFold compares without regard to ASCII case.
func sameFold(a, b string) bool {
	lower := func(s string) []byte {
		out := []byte(s)
		for i, c := range out {
			if c >= 'A' && c <= 'Z' {
				out[i] = c + 'a' - 'A'
			}
		}
		return out
	}
	return bytes.Equal(lower(a), lower(b))
}

// Qualify rewrites a name and looks it up. With plus signs in it, what follows
// each of them is tried in turn as the end of the name: the first that has
// addresses counts, else the last.
func (r Rules) Qualify(name string, lookup func(string) ([]netip.Addr, error)) (fqdn string, ips []netip.Addr, err error) {
	front, ends, found := strings.Cut(r.Rewrite(name), "+")
	if !found {
		ips, err = lookup(front)
		return front, ips, err
	}
	for end, more := "", true; more; {
		end, ends, more = strings.Cut(ends, "+")
		fqdn = front + end
		if ips, err = lookup(fqdn); err != nil || len(ips) > 0 {
			return fqdn, ips, err
		}
	}
	return fqdn, ips, err
}
