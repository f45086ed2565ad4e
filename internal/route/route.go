// SPDX-License-Identifier: ISC

// Package route decides where an envelope address leads: to a user of this
// host or to another host, by qmail-send(8)'s rules for control/locals,
// virtualdomains, percenthack and envnoathost. It knows nothing of users.
package route

import "strings"

// Table is a host's rules.
type Table struct {
	me       string
	locals   map[string]bool
	virtual  map[string]string
	percent  map[string]bool
	noAtHost string
}

// New makes a table. Domains compare without regard to case. An empty
// envnoathost is me. Of a virtual domain that stands twice the first counts.
func New(me string, locals []string, virtual [][2]string, percenthack []string, envnoathost string) *Table {
	t := &Table{me: me, locals: set(locals), virtual: make(map[string]string), percent: set(percenthack), noAtHost: envnoathost}
	if envnoathost == "" {
		t.noAtHost = me
	}
	for _, kv := range virtual {
		if k := Lower(kv[0]); !has(t.virtual, k) {
			t.virtual[k] = kv[1]
		}
	}
	return t
}

func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, d := range list {
		m[Lower(d)] = true
	}
	return m
}

func has(m map[string]string, k string) bool {
	_, ok := m[k]
	return ok
}

// Lower is s with ASCII letters in lower case; other bytes stay.
func Lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// split cuts an address at its last @.
func split(addr string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return addr, "", false
	}
	return addr[:i], addr[i+1:], true
}

// normal is a recipient with envnoathost appended and percent hacks undone.
func (t *Table) normal(rcpt string) (local, domain string) {
	local, domain, ok := split(rcpt)
	if !ok {
		domain = t.noAtHost
	}
	for t.percent[Lower(domain)] {
		i := strings.LastIndexByte(local, '%')
		if i < 0 {
			break
		}
		local, domain = local[:i], local[i+1:]
	}
	return local, domain
}

// prepend is what virtualdomains puts before an address: the whole address
// counts first, then its domain, then each suffix of that, then the rule for
// everything.
func (t *Table) prepend(addr, domain string) (string, bool) {
	if p, ok := t.virtual[Lower(addr)]; ok {
		return p, p != ""
	}
	d := Lower(domain)
	if p, ok := t.virtual[d]; ok {
		return p, p != ""
	}
	for i := range d {
		if d[i] == '.' {
			if p, ok := t.virtual[d[i:]]; ok {
				return p, p != ""
			}
		}
	}
	p, ok := t.virtual[""]
	return p, ok && p != ""
}

// Rewrite is the address as the spawners get it, and whether it is local. A
// virtual user's address gets its prefix: joe@virt.example becomes
// prefix-joe@virt.example.
func (t *Table) Rewrite(rcpt string) (addr string, local bool) {
	l, d := t.normal(rcpt)
	addr = l + "@" + d
	if t.locals[Lower(d)] {
		return addr, true
	}
	if p, ok := t.prepend(addr, d); ok {
		return p + "-" + addr, true
	}
	return addr, false
}

// LocalKey is the name by which users/cdb knows a recipient: u for u@d with d
// in locals, p-u with d:p in virtualdomains, in lower case. local is false for
// an address of another host.
func (t *Table) LocalKey(rcpt string) (key string, local bool) {
	addr, local := t.Rewrite(rcpt)
	if !local {
		return "", false
	}
	l, _, _ := split(addr)
	return Lower(l), true
}

// StripPrepend undoes what Rewrite put before a virtual user's address, for
// people to read.
func (t *Table) StripPrepend(addr string) string {
	l, d, ok := split(addr)
	if !ok || t.locals[Lower(d)] {
		return addr
	}
	for i := range l {
		if l[i] != '-' {
			continue
		}
		if p, ok := t.prepend(addr[i+1:], d); ok && p == l[:i] {
			return addr[i+1:]
		}
	}
	return addr
}

// HostSet is a list of domains as control/rcpthosts has it: exact ones, and
// suffixes that begin with a dot.
type HostSet map[string]bool

// NewHostSet makes a set.
func NewHostSet(list []string) HostSet { return set(list) }

// Match says whether the domain, or a suffix of it, is in the set.
func (h HostSet) Match(domain string) bool {
	d := Lower(domain)
	if h[d] {
		return true
	}
	for i := range d {
		if d[i] == '.' && h[d[i:]] {
			return true
		}
	}
	return false
}
