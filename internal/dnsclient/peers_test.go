// SPDX-License-Identifier: ISC

//go:build peers

package dnsclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quill/internal/dnswire"
)

// ours is the folder with our programs; theirs are Debian's.
const theirs = "/usr/bin"

// build makes our programs.
func build(t *testing.T) (ours string) {
	t.Helper()
	ours = t.TempDir()
	args := []string{"build", "-o", ours}
	for _, p := range []string{"dnsip", "dnsipq", "dnsname", "dnsmx", "dnstxt", "dnsq", "dnsqr", "dnsfilter", "dnstrace", "dnstracesort", "random-ip", "tinydns-get"} {
		args = append(args, "../../cmd/"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return ours
}

// net53 is addresses of loopback that no other test run uses.
func net53(last int) string { return fmt.Sprintf("127.53.%d.%d", os.Getpid()%250+1, last) }

// job is one run of a program, ours or theirs.
type job struct {
	program string
	args    []string
	env     []string
	stdin   string
	dir     string
}

// run gives what it printed on descriptors 1 and 2, and its exit code.
func (j job) run(folder string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(folder, j.program), j.args...)
	cmd.Dir, cmd.Env, cmd.Stdin = j.dir, append([]string{"PATH=/usr/bin:/bin", "LC_ALL=C"}, j.env...), strings.NewReader(j.stdin)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return err.Error()
	}
	return fmt.Sprintf("%s\n2: %s\nexit %d", out.String(), said.String(), cmd.ProcessState.ExitCode())
}

// sorted is text with the words of each line in order: addresses come in a
// random one.
func sorted(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		words := strings.Split(line, " ")
		slices.Sort(words)
		out = append(out, strings.Join(words, " "))
	}
	return strings.Join(out, "")
}

// compareAll runs theirs and ours, all at the same time: many of them wait for
// servers that do not answer.
func compareAll(t *testing.T, ours string, jobs []job) {
	t.Helper()
	var running sync.WaitGroup
	for _, j := range jobs {
		running.Go(func() {
			var want string
			var other sync.WaitGroup
			other.Go(func() { want = j.run(theirs) })
			got := j.run(ours)
			other.Wait()
			if j.program == "dnsip" || j.program == "dnsipq" {
				got, want = sorted(got), sorted(want)
			}
			if got != want {
				t.Errorf("%s %q prints\n%.3000s\nDebian's\n%.3000s", j.program, j.args, got, want)
			}
		})
	}
	running.Wait()
}

// script is the answers of the false server: by name, then by type; 0 is any
// type.
func script() map[string]map[uint16]func(q []byte) []byte {
	say := func(flags uint16, records ...string) func([]byte) []byte {
		return func(q []byte) []byte { return reply(q, flags, records...) }
	}
	lie := func(change func(a []byte) []byte, records ...string) func([]byte) []byte {
		return func(q []byte) []byte { return change(reply(q, 0, records...)) }
	}
	var addresses, hosts, texts []string
	for i := range 100 {
		addresses = append(addresses, rr("", 1, string([]byte{10, 0, 0, byte(i)})))
	}
	for i := range 1000 {
		hosts = append(hosts, rr("", 15, string([]byte{byte(i >> 8), byte(i)})+string(name(fmt.Sprintf("mx%d.example", i)))))
	}
	for range 60 {
		texts = append(texts, rr("", 16, strings.Repeat("\xff"+strings.Repeat("z", 255), 4)))
	}
	soa := rr("example", 6, string(name("ns.example"))+string(name("Host\\033master.example"))+"\x00\x00\x00\x01\xff\xff\xff\xff"+strings.Repeat("\x01", 12))
	authority := func(a []byte) []byte { a[7], a[9] = a[7]-1, 1; return a } // the last record is of the authority section
	additional := func(a []byte) []byte { a[7], a[11] = a[7]-1, 1; return a }
	type answers = map[uint16]func([]byte) []byte
	return map[string]answers{
		"one.example":           {1: say(0, rr("", 1, good)), 0: say(0)},
		"many.example":          {1: say(0, addresses...)},
		"nodata.example":        {0: lie(authority, soa)},
		"nx.example":            {0: say(3)},
		"alias.example":         {0: say(0, rr("", 5, string(name("b.example"))), rr("b.example", 5, string(name("C.example"))), rr("c.example", 1, good), rr("c.example", 15, "\x00\x05"+string(name("m.example"))), rr("c.example", 16, "\x01x"))},
		"ring.example":          {0: say(0, rr("", 5, string(name("b.example"))), rr("b.example", 5, "\xc0\x0c"))},
		"mx.example":            {15: say(0, rr("", 15, "\x00\x0a\x02MX\xc0\x0c"), rr("", 15, "\x00\x00\x00"), rr("", 15, "\xff\xff\x03a\x1b.\xc0\x0c"))},
		"thousand.example":      {15: say(0, hosts...)},
		"txt.example":           {16: say(0, rr("", 16, "\x05a\x1bb\x00c\x03\x7f\xff~"), rr("", 16, "\x00"), rr("", 16, ""), rr("", 16, "\x09too long"[:5]))},
		"sixty.example":         {16: say(0, texts...)},
		"odd\\033\\000.example": {0: say(0, rr("", 16, "\x01x"), rr("", 1, good), rr("", 99, " \\~\x7f\x80!"))},
		"all.example": {0: lie(additional, rr("", 1, good), rr("", 2, "\xc0\x0c"), rr("", 5, "\xc0\x0c"), rr("", 12, "\x00"), soa, rr("", 15, "\x00\x07\xc0\x0c"), rr("", 28, strings.Repeat("\xfe", 16)),
			rr("", 33, "\x00\x01\x00\x02\x00\x19\xc0\x0c"), rr("", 257, "\x00\x05issueletsencrypt.org"), rr("", 65535, ""), "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00")},
		"flags.example":        {0: say(0x7cf0)},
		"short.example":        {0: lie(func(a []byte) []byte { return a[:len(a)-1] }, rr("", 1, good))},
		"long.example":         {0: lie(func(a []byte) []byte { return append(a, 0) }, rr("", 1, good), rr("", 16, "\x01y"), rr("", 15, "\x00\x01\x00"))},
		"count.example":        {0: lie(func(a []byte) []byte { a[7] = 9; return a }, rr("", 1, good))},
		"loop.example":         {0: say(0, rr("", 5, "\xc0\x1f\xc0\x1d"), rr("", 12, "\xc0\x1f"))},
		"fails.example":        {0: say(2)},
		"refuses.example":      {0: say(5)},
		"slow.example":         {0: say(dnswire.FlagTC)},
		"badtcp.example":       {0: say(dnswire.FlagTC)},
		"ns.example":           {1: say(0, rr("", 1, string(netip.MustParseAddr(net53(1)).AsSlice())))},
		"noaddress.example":    {0: say(0)},
		"4.3.2.1.in-addr.arpa": {12: say(0, rr("", 12, string(name("Host.example"))), rr("", 12, string(name("second.example"))))},
		"5.3.2.1.in-addr.arpa": {12: say(0, rr("", 5, string(name("5.a.example"))), rr("5.a.example", 12, string(name("o\\033dd.example"))))},
		"6.3.2.1.in-addr.arpa": {12: say(3)},
		"7.3.2.1.in-addr.arpa": {12: say(0, rr("", 12, "\xc0\xff"))},
		"8.3.2.1.in-addr.arpa": {12: say(dnswire.FlagTC)},
	}
}

// falseServer answers by a script, over TCP where it does not fit. Names that
// are not in it do not exist.
func falseServer(t *testing.T, addr string, lines map[string]map[uint16]func(q []byte) []byte) {
	t.Helper()
	answer := func(q []byte) []byte {
		n := dnswire.NameLen(q[12:])
		by := lines[dnswire.Text(q[12:12+n])]
		kind := uint16(q[12+n])<<8 | uint16(q[13+n])
		if by[kind] != nil {
			return by[kind](q)
		}
		if by[0] != nil {
			return by[0](q)
		}
		return reply(q, dnswire.RcodeNXDomain)
	}
	startAt(t, addr, func(q []byte, _ netip.AddrPort) [][]byte {
		a := answer(q)
		if len(a) > dnswire.MinUDP {
			a = reply(q, dnswire.FlagTC)
		}
		return one(a)
	}, func(c net.Conn, q []byte) {
		switch a := answer(q); {
		case bytes.Contains(q, []byte("\x04slow")), bytes.Contains(q, []byte("\x018\x013\x012\x011")):
			c.SetDeadline(time.Now().Add(15 * time.Second))
			c.Write([]byte{0})
			c.Read(make([]byte, 1))
		case bytes.Contains(q, []byte("\x06badtcp")):
			c.Write(framed(a)[:5])
		default:
			c.Write(framed(a))
		}
	})
}

// TestPeers: our programs print what Debian's print, and end as they end.
func TestPeers(t *testing.T) {
	ours := build(t)
	falseServer(t, net53(1)+":53", script())
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules")
	if err := os.WriteFile(rules, []byte("# rules\n-.local:one.example\n*.ex:.example\n?:+.nosuch.ex+.example\n*.:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cache := "DNSCACHEIP=" + net53(1)
	var jobs []job
	add := func(program string, lines ...string) {
		for _, l := range lines {
			jobs = append(jobs, job{program: program, args: strings.Fields(l), env: []string{cache, "DNSREWRITEFILE=" + rules}})
		}
	}
	long := strings.Repeat("x", 64)
	add("dnsip", "", "one.example", "One.Example. many.example nx.example nodata.example", "127...1 [1.2.3.4] 1.2.3 1.2.3.4.5.6.7.8.9 256.1.1.1", "alias.example ring.example", `odd\033\000.example`, "one.example short.example",
		"count.example", "one.example fails.example", "slow.example", "badtcp.example", long, "long.example")
	add("dnsmx", "", "mx.example MX.example", "nx.example nodata.example One.Example", "thousand.example", "alias.example", "long.example", ".", long, "slow.example", `odd\033\000.example`)
	add("dnstxt", "txt.example", "sixty.example", "nx.example nodata.example alias.example", "slow.example", "long.example", long)
	add("dnsname", "1.2.3.4 1.2.3.5 1.2.3.6", "1.2.3.4junk 257.2.3.4", "1.2.3", "x", "1.2.3.4 1.2.3.7", "1.2.3.8")
	for _, kind := range []string{"a", "ANY", "mx", "txt", "28", "65535", "0", "aaaa", "axfr"} {
		add("dnsqr", kind+" all.example", kind+" flags.example")
		add("dnsq", kind+" all.example "+net53(1), kind+" flags.example ns")
	}
	add("dnsqr", "a one.example", "a many.example", "any nx.example", "a nodata.example", "txt txt.example", "txt sixty.example", "mx thousand.example", "mx mx.example", `any Odd\033\000.Example`, "a short.example", "a long.example",
		"a count.example", "any loop.example", "ptr loop.example", "a refuses.example", "a slow.example", "a badtcp.example", "a", "", "a b c", "nosuch one.example", "65537 one.example", "a "+long)
	add("dnsq", "a one.example "+net53(1), "a one.example ns.example", "a one.example ns.ex", "a one.example 127...1.1", "txt sixty.example "+net53(1), "a nx.example "+net53(1), "any refuses.example "+net53(1), "a one.example nx.example",
		"a one.example noaddress.example", "a one.example "+net53(2), "a short.example "+net53(1), "a one.example", "a", "", "x one.example 127.0.0.1", "a "+long+" 127.0.0.1", "a one.example "+net53(1)+" more")
	add("dnsipq", "one one.ex any.local one.example. 1.2.3.4", "nx.ex many.ex", "[1.2.3.4] 127...1", "", long+".example", "short.ex")
	jobs = append(jobs, job{program: "dnsipq", args: []string{"one", "one.example.", "a.b+.nx.ex"}, env: []string{cache, "LOCALDOMAIN=nodata.example example", "DNSREWRITEFILE=/nonexistent"}},
		job{program: "dnsip", args: []string{"one.example"}, env: []string{"DNSCACHEIP=" + net53(1) + "." + net53(1)}})
	lines := "1.2.3.4\n1.2.3.4 first\n1.2.3.5\tsecond\n1.2.3.6 none\n1.2.3.7 broken\nno address\n\n 1.2.3.4\n1.2.3.4:80 x\n1.2.3\n" + strings.Repeat("1.2.3.4 again\nplain\n", 200) + "1.2.3.8 slow\n1.2.3.5 last"
	for _, args := range []string{"", "-c1", "-c 1000 -l 1", "-c0 -l0", "-c x -l2", "-l 1000000", "-x", "-c"} {
		jobs = append(jobs, job{program: "dnsfilter", args: strings.Fields(args), env: []string{cache}, stdin: lines})
	}
	compareAll(t, ours, jobs)
}

// TestTracePeers: a trace through root, top and zone servers, one of them lame,
// one with an alias; then in order for people.
func TestTracePeers(t *testing.T) {
	ours := build(t)
	at := func(last int) string { return string(netip.MustParseAddr(net53(last)).AsSlice()) }
	refer := func(n int, records ...string) func([]byte) []byte { // the first n are authority, the rest additional
		return func(q []byte) []byte {
			a := reply(q, 0, records...)
			a[7], a[9], a[11] = 0, byte(n), byte(len(records)-n)
			return a
		}
	}
	say := func(flags uint16, records ...string) func([]byte) []byte {
		return func(q []byte) []byte { return reply(q, flags|dnswire.FlagAA, records...) }
	}
	type answers = map[uint16]func([]byte) []byte
	top := refer(1, rr("example", 2, string(name("a.gtld.example"))), rr("a.gtld.example", 1, at(11)))
	zone := refer(2, rr("z.example", 2, string(name("ns1.z.example"))), rr("z.example", 2, string(name("ns2.z.example"))), rr("ns1.z.example", 1, at(12)), rr("ns2.z.example", 1, at(13)), rr("outside.test", 1, "\x06\x06\x06\x06"))
	soa := rr("z.example", 6, "\x00\x00"+strings.Repeat("\x00", 20))
	script := func(answer func([]byte) []byte, more map[string]answers) map[string]map[uint16]func([]byte) []byte {
		out := make(map[string]map[uint16]func([]byte) []byte)
		for _, n := range []string{"www.z.example", "alias.z.example", "nx.z.example", "nodata.z.example", "ns1.z.example", "ns2.z.example", "a.gtld.example", "broken.z.example", "mail.z.example", "up.z.example"} {
			out[n] = answers{0: answer}
		}
		for n, a := range more {
			out[n] = a
		}
		return out
	}
	falseServer(t, net53(10)+":53", script(top, map[string]answers{"localhost": {0: say(3)}, "1.2.3.4": {0: say(3)}}))
	falseServer(t, net53(11)+":53", script(zone, map[string]answers{"a.gtld.example": {0: say(0, rr("", 1, at(11)))}}))
	falseServer(t, net53(12)+":53", script(say(3), map[string]answers{
		"www.z.example":    {0: say(0, rr("", 1, good), rr("", 1, "\x0a\x00\x00\x02"), rr("", 16, "\x05a:b\\c"))},
		"mail.z.example":   {0: say(0, rr("", 15, "\x00\x05"+string(name("www.z.example"))))},
		"alias.z.example":  {0: say(0, rr("", 5, string(name("www.z.example"))))},
		"nodata.z.example": {0: refer(1, soa)},
		"broken.z.example": {0: func(q []byte) []byte { a := reply(q, 0, rr("", 1, good)); return a[:len(a)-1] }},
		"up.z.example":     {0: refer(1, rr("x.y.z.example", 2, "\x00"))},
		"ns1.z.example":    {1: say(0, rr("", 1, at(12)))},
		"ns2.z.example":    {1: say(0, rr("", 1, at(13)))},
	}))
	falseServer(t, net53(13)+":53", script(top, nil)) // lame
	env := []string{"DNSCACHEIP=" + net53(10), "LOCALDOMAIN=example"}
	var traces, sorts []job
	for _, line := range []string{"a www.z.example", "ANY www.z.example", "txt WWW.z.example", "a alias.z.example", "a nx.z.example", "mx nodata.z.example", "a broken.z.example", "mx mail.z.example", "a up.z.example", "a localhost", "a 1.2.3.4"} {
		traces = append(traces, job{program: "dnstrace", args: append(strings.Fields(line), net53(10)), env: env})
	}
	for _, line := range []string{"", "a", "nosuch a 127.0.0.1"} {
		traces = append(traces, job{program: "dnstrace", args: strings.Fields(line), env: env})
	}
	compareAll(t, ours, traces)
	for _, j := range traces {
		text := strings.Split(j.run(ours), "\n2: ")[0]
		sorts = append(sorts, job{program: "dnstracesort", env: env, stdin: strings.ReplaceAll(text, "a:b", "ab")}) // theirs cuts data at a colon
	}
	compareAll(t, ours, sorts)
}
