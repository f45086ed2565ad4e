// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"fmt"
	"net/netip"
	"time"

	"quill/internal/dnswire"
)

// Limits of a trace: a server could lead it on for ever.
const (
	maxKnown = 4096  // servers, addresses, and names to ask for, each
	maxTasks = 20000 // questions
)

const slow = time.Second

// what is learned on the way; names are in wire form and lower case.
type (
	address struct {
		owner string
		ip    netip.Addr
	}
	delegation struct{ zone, server string }
	query      struct {
		name string
		kind uint16
	}
	task struct {
		query
		zone string
		ip   netip.Addr
	}
)

// tracer asks every server of every zone above a name for it, and for the
// addresses of the servers that it hears of.
type tracer struct {
	out    *bufio.Writer
	ask    func(server netip.Addr, name []byte, kind uint16) ([]byte, error)
	prefix string // of each line
	known  int    // limits: maxKnown
	most   int    // and maxTasks

	addresses map[string][]netip.Addr // by owner
	numbered  int                     // addresses
	zones     []delegation
	byServer  map[string][]string // zones
	queries   []query
	tasks     []task
	seen      map[any]bool // of all four
	full      bool         // a limit was reached, and said
}

func newTracer(out *bufio.Writer, ask func(netip.Addr, []byte, uint16) ([]byte, error)) *tracer {
	return &tracer{out: out, ask: ask, prefix: "0:.:.:start:", known: maxKnown, most: maxTasks, addresses: make(map[string][]netip.Addr), byServer: make(map[string][]string), seen: make(map[any]bool)}
}

// trace asks until there is nothing new to ask.
func (t *tracer) trace(kind uint16, name []byte, roots []netip.Addr) error {
	const root = "\x00"
	t.addQuery(query{string(name), kind})
	t.addZone(delegation{root, root})
	for _, ip := range roots {
		t.addAddress(address{root, ip})
	}
	for i := 0; i < len(t.tasks); i++ {
		k := t.tasks[i]
		t.prefix = fmt.Sprintf("%d:%s:%s:%s:", k.kind, text(k.name), text(k.zone), k.ip)
		t.say("tx")
		if err := t.out.Flush(); err != nil {
			return err
		}
		t.do(k)
	}
	return t.out.Flush()
}

// do puts one question to one server.
func (t *tracer) do(k task) {
	began := time.Now()
	packet, err := t.ask(k.ip, []byte(k.name), k.kind)
	if err != nil {
		t.say("ALERT:query failed; " + err.Error())
	} else {
		if time.Since(began) > slow {
			t.say("ALERT:took more than 1 second")
		}
		if err := t.learn(packet, k); err != nil {
			t.say("ALERT:unable to parse response packet; " + err.Error())
		}
	}
	if k.name == "\x09localhost\x00" {
		t.say("ALERT:some caches do not handle localhost internally")
		t.addAddress(address{k.name, netip.AddrFrom4([4]byte{127, 0, 0, 1})})
	}
	if ip, ok := dotted(k.name); ok {
		t.say("ALERT:some caches do not handle IP addresses internally")
		t.addAddress(address{k.name, ip})
	}
}

// say prints a line about the question under way.
func (t *tracer) say(line string) {
	t.out.WriteString(t.prefix)
	t.out.WriteString(line)
	t.out.WriteByte('\n')
}

// first says whether something is new, and remembers it; beyond the limit
// nothing is.
func (t *tracer) first(what any, have, limit int) bool {
	if t.seen[what] {
		return false
	}
	if have >= limit {
		if !t.full {
			t.full = true
			t.say("ALERT:too many servers; some are left out from here on")
		}
		return false
	}
	t.seen[what] = true
	return true
}

// addTask asks a server of a zone for a name below it. The root, our artificial
// host, is not asked for.
func (t *tracer) addTask(k task) {
	if k.name != "\x00" && t.first(k, len(t.tasks), t.most) {
		t.tasks = append(t.tasks, k)
	}
}

func (t *tracer) addQuery(q query) {
	if !t.first(q, len(t.queries), t.known) {
		return
	}
	t.queries = append(t.queries, q)
	for _, z := range t.zones {
		if below(q.name, z.zone) {
			for _, ip := range t.addresses[z.server] {
				t.addTask(task{q, z.zone, ip})
			}
		}
	}
}

func (t *tracer) addZone(z delegation) {
	t.say("NS:" + text(z.zone) + ":" + text(z.server))
	if !t.first(z, len(t.zones), t.known) {
		return
	}
	t.addQuery(query{z.server, dnswire.TypeA})
	t.zones = append(t.zones, z)
	t.byServer[z.server] = append(t.byServer[z.server], z.zone)
	for _, q := range t.queries {
		if below(q.name, z.zone) {
			for _, ip := range t.addresses[z.server] {
				t.addTask(task{q, z.zone, ip})
			}
		}
	}
}

func (t *tracer) addAddress(a address) {
	t.say("A:" + text(a.owner) + ":" + a.ip.String())
	if !t.first(a, t.numbered, t.known) {
		return
	}
	t.numbered++
	t.addresses[a.owner] = append(t.addresses[a.owner], a.ip)
	for _, zone := range t.byServer[a.owner] {
		for _, q := range t.queries {
			if below(q.name, zone) {
				t.addTask(task{q, zone, a.ip})
			}
		}
	}
}

func text(name string) string { return dnswire.Text([]byte(name)) }

// below says whether a name is a zone's or below it.
func below(name, zone string) bool {
	for len(name) > len(zone) {
		name = name[1+int(name[0]):]
	}
	return name == zone
}

// dotted reads a name that looks like an IPv4 address.
func dotted(name string) (netip.Addr, bool) {
	if s := text(name); len(s) <= len("255.255.255.255") {
		if ip, err := netip.ParseAddr(s); err == nil && ip.Is4() {
			return ip, true
		}
	}
	return netip.Addr{}, false
}
