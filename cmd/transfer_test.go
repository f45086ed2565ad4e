// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Keys of these tests.
const (
	xferSecret = "bm90IGEgc2VjcmV0OiBvZiBhIHRlc3QsIDMyIGJ5dGVzIQ=="
	xferKey    = "hmac-sha256:key1:" + xferSecret
)

// onPort is a free port of an address, UDP and TCP.
func onPort(t *testing.T, ip string) string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		u, err := net.ListenPacket("udp", net.JoinHostPort(ip, port))
		l.Close()
		if err == nil {
			u.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// daemon runs a server in the foreground until the test ends.
func daemon(t *testing.T, env []string, argv ...string) *safeBuffer {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log := new(safeBuffer)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v; install its Debian package", argv[0], err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", argv[0], log)
		}
	})
	return log
}

// ask is what a client program prints.
func ask(t *testing.T, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("%v: %v; install its Debian package", argv, err)
	}
	return string(out)
}

// until waits for a client program to print a text.
func until(t *testing.T, want string, argv ...string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got = ask(t, argv...); strings.Contains(got, want) {
			return
		}
	}
	t.Fatalf("%v: %q; want %q", argv, got, want)
}

// primary is tinydns with zones to transfer.
type primary struct {
	t             *testing.T
	dir, ip, port string
	log           *safeBuffer
}

const primaryIP = "127.0.2.1"

func newPrimary(t *testing.T, zone string, files map[string]string) *primary {
	t.Helper()
	p := &primary{t: t, dir: t.TempDir(), ip: primaryIP, port: onPort(t, primaryIP)}
	open(t, p.dir)
	files["keys"] = "key1:hmac-sha256:" + xferSecret + "\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(p.dir, "keys"), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "transfer", "notify"} {
		os.Chown(filepath.Join(p.dir, name), 65534, 65534)
	}
	p.publish(zone)
	p.log = daemon(t, []string{"ROOT=" + p.dir, "IP=" + p.ip, "PORT=" + p.port, "UID=65534", "GID=65534"}, program("tinydns"))
	until(t, "SOA", "dig", "+tries=1", "+timeout=1", "@"+p.ip, "-p", p.port, "ex.test", "soa")
	return p
}

// publish compiles data.
func (p *primary) publish(zone string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "data"), []byte(zone), 0o644); err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(program("tinydns-data"))
	cmd.Dir = p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("tinydns-data: %v %s", err, out)
	}
}

// notify runs tinydns-notify.
func (p *primary) notify(args ...string) (string, int) {
	cmd := exec.Command(program("tinydns-notify"), args...)
	cmd.Dir = p.dir
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// zoneOf is lines of data with a serial number.
func zoneOf(serial int) string {
	return fmt.Sprintf("Zex.test:ns.ex.test:h.ex.test:%d:3600:600:86400:300\n&ex.test:127.0.0.1:ns.ex.test\n+*.w.ex.test:1.2.3.4\n@ex.test:1.2.3.5:mx:10\n"+
		"'txt.ex.test:serial %d\n&d.ex.test:1.1.1.1:ns\n.c.ex.test:1.1.1.2:ns\n+www.c.ex.test:1.1.1.3\nS_imaps._tcp.ex.test::mx.mx.ex.test:993:0:1\n3six.ex.test:20010db8000000000000000000000001\n", serial, serial)
}

// secondary is how a server of others is run as one, or as a primary of zone.
type secondary struct {
	name string
	ip   string // bind9 listens on addresses of interfaces alone
	argv func(dir string) []string
	// confs is its configuration: as a secondary of p, else with the zone file
	// ex.zone.
	conf func(dir, ip, port string, p *primary) string
}

var secondaries = []secondary{
	{"knot", "127.0.2.11", func(dir string) []string { return []string{"knotd", "-c", dir + "/conf"} }, func(dir, ip, port string, p *primary) string {
		c := "server:\n  listen: " + ip + "@" + port + "\n  rundir: " + dir + "\ndatabase:\n  storage: " + dir + "/db\nlog:\n  - target: stderr\n    any: info\n" +
			"key:\n  - id: key1\n    algorithm: hmac-sha256\n    secret: " + xferSecret + "\nacl:\n  - id: note\n    key: key1\n    action: notify\n  - id: get\n    address: 127.0.0.0/8\n    action: transfer\n"
		zone := "zone:\n  - domain: ex.test\n    storage: " + dir + "\n    file: ex.zone\n"
		if p == nil {
			return c + zone + "    acl: get\n"
		}
		return c + "remote:\n  - id: up\n    address: " + p.ip + "@" + p.port + "\n    key: key1\n" + zone + "    master: up\n    acl: note\n    retry-max-interval: 1\n"
	}},
	{"nsd", "127.0.2.12", func(dir string) []string { return []string{"nsd", "-d", "-c", dir + "/conf"} }, func(dir, ip, port string, p *primary) string {
		c := fmt.Sprintf("server:\n  ip-address: %s@%s\n  username: \"\"\n  chroot: \"\"\n  zonesdir: %q\n  database: \"\"\n  pidfile: %q\n  xfrdfile: %q\n  xfrdir: %q\n  zonelistfile: %q\n  server-count: 1\nremote-control:\n  control-enable: no\n"+
			"key:\n  name: key1\n  algorithm: hmac-sha256\n  secret: %q\nzone:\n  name: ex.test\n  zonefile: ex.zone\n", ip, port, dir, dir+"/pid", dir+"/xfrd", dir, dir+"/list", xferSecret)
		if p == nil {
			return c + "  provide-xfr: 127.0.0.0/8 NOKEY\n"
		}
		return c + "  allow-notify: 127.0.0.0/8 key1\n  request-xfr: " + p.ip + "@" + p.port + " key1\n"
	}},
	{"bind9", "127.0.0.1", func(dir string) []string { return []string{"named", "-g", "-c", dir + "/conf"} }, func(dir, ip, port string, p *primary) string {
		c := fmt.Sprintf("options { directory %q; listen-on port %s { %s; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; recursion no; dnssec-validation no; managed-keys-directory %q; notify no; };\ncontrols { };\n"+
			"key key1 { algorithm hmac-sha256; secret %q; };\n", dir, port, ip, dir, xferSecret)
		if p == nil {
			return c + "zone \"ex.test\" { type primary; file \"ex.zone\"; allow-transfer { 127.0.0.0/8; }; };\n"
		}
		return c + fmt.Sprintf("zone \"ex.test\" { type secondary; file \"ex.zone\"; masterfile-format text; primaries { %s port %s key key1; }; allow-notify { key key1; }; };\n", p.ip, p.port)
	}},
}

// start runs it; the answer is its port.
func (s *secondary) start(t *testing.T, p *primary, zoneFile string) (port string) {
	t.Helper()
	dir := t.TempDir()
	port = onPort(t, s.ip)
	files := map[string]string{"conf": s.conf(dir, s.ip, port, p)}
	if zoneFile != "" {
		files["ex.zone"] = zoneFile
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	daemon(t, nil, s.argv(dir)...)
	return port
}

// TestTransferSecondaries: knot, nsd and bind9 take a zone of tinydns by AXFR,
// hear of its change by tinydns-notify, ask for IXFR and have the new one; all
// signed.
func TestTransferSecondaries(t *testing.T) {
	for _, s := range secondaries {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPrimary(t, zoneOf(1), map[string]string{"transfer": "ex.test:*:key1\n"})
			port := s.start(t, p, "")
			until(t, `"serial 1"`, "dig", "+short", "+tries=1", "+timeout=1", "@"+s.ip, "-p", port, "txt.ex.test", "txt")
			if err := os.WriteFile(filepath.Join(p.dir, "notify"), []byte("ex.test:"+s.ip+"@"+port+":key1\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			p.publish(zoneOf(2))
			if out, code := p.notify("-a"); code != 0 || out != "" {
				t.Fatalf("tinydns-notify -a: %d %s", code, out)
			}
			until(t, `"serial 2"`, "dig", "+short", "+tries=1", "+timeout=1", "@"+s.ip, "-p", port, "txt.ex.test", "txt")
			for name, want := range map[string]string{"x.w.ex.test a": "1.2.3.4", "six.ex.test aaaa": "2001:db8::1", "_imaps._tcp.ex.test srv": "0 1 993 mx.mx.ex.test.", "ex.test mx": "10 mx.mx.ex.test."} {
				argv := append([]string{"dig", "+short", "@" + s.ip, "-p", port}, strings.Fields(name)...)
				if got := strings.TrimSpace(ask(t, argv...)); !strings.Contains(got, want) {
					t.Errorf("%s of %s: %q; want %q", name, s.name, got, want)
				}
			}
			log := p.log.String()
			for _, line := range []string{"+ 00fc ex.test\n", "+ 00fb ex.test\n"} {
				if !strings.Contains(log, line) {
					t.Errorf("the log of tinydns lacks %q:\n%s", line, log)
				}
			}
			state, _ := os.ReadFile(filepath.Join(p.dir, "notify.state"))
			if want := "ex.test " + s.ip + ":" + port + " 2\n"; string(state) != want {
				t.Errorf("notify.state is %q; want %q", state, want)
			}
			if out, code := p.notify("-k", "nokey", "ex.test", s.ip+":"+port); code != 111 || !strings.Contains(out, "nokey") {
				t.Errorf("NOTIFY with a key that does not exist: %d %s", code, out)
			}
			if out, code := p.notify("-k", "key1", "ex.test", s.ip+":"+port); code != 0 {
				t.Errorf("NOTIFY by hand: %d %s", code, out)
			}
		})
	}
}

// records are the lines of a transfer that a client printed, sorted.
func records(out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 4 && f[0][0] != ';' && f[3] != "TSIG" && f[2] == "IN" {
			f[0] = strings.ToLower(f[0])
			all = append(all, strings.Join(f, " "))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestTransferClients: dig, kdig and drill read our transfers, signed and not,
// and see the same; who is not allowed gets nothing (DN9).
func TestTransferClients(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "+host%d.some.label.ex.test:10.0.%d.%d\n", i, i/256, i%256)
	}
	p := newPrimary(t, zoneOf(1)+b.String()+"Zkey.test:a:b:1\n&key.test::a\n", map[string]string{"transfer": "ex.test:127.0.0.0/8\nkey.test:*:key1\n"})
	var want []string
	for _, c := range [][]string{
		{"dig", "+onesoa", "@" + p.ip, "-p", p.port, "axfr", "ex.test"},
		{"dig", "@" + p.ip, "-p", p.port, "axfr", "ex.test", "-y", xferKey},
		{"dig", "@" + p.ip, "-p", p.port, "ixfr=0", "ex.test", "-y", xferKey},
		{"kdig", "@" + p.ip, "-p", p.port, "axfr", "ex.test"},
		{"kdig", "@" + p.ip, "-p", p.port, "axfr", "ex.test", "-y", xferKey},
		{"kdig", "@" + p.ip, "-p", p.port, "ixfr=0", "ex.test", "-y", xferKey},
		{"drill", "-p", p.port, "@" + p.ip, "ex.test", "AXFR"},
		{"drill", "-p", p.port, "-y", "key1:" + xferSecret + ":hmac-sha256", "@" + p.ip, "ex.test", "AXFR"},
	} {
		out := ask(t, c...)
		got := records(out)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) || len(got) != 3013 || strings.Contains(out, "WARN") || strings.Contains(out, "rror:") {
			t.Errorf("%v: %d records; want %d\n%.2000s", c, len(got), len(want), out)
		}
	}
	for _, c := range [][]string{
		{"dig", "@" + p.ip, "-p", p.port, "axfr", "key.test"},
		{"dig", "@" + p.ip, "-p", p.port, "axfr", "other.test", "-y", xferKey},
		{"dig", "@" + p.ip, "-p", p.port, "axfr", "key.test", "-y", "hmac-sha512:key1:" + xferSecret},
		{"dig", "@" + p.ip, "-p", p.port, "axfr", "key.test", "-y", "hmac-sha256:key1:YWJj"},
		{"kdig", "@" + p.ip, "-p", p.port, "+notcp", "axfr", "ex.test"},
	} {
		if out := ask(t, c...); len(records(out)) != 0 {
			t.Errorf("%v: %.500s; want nothing", c, out)
		}
	}
	if got := records(ask(t, "dig", "@"+p.ip, "-p", p.port, "axfr", "key.test", "-y", xferKey)); len(got) != 2 {
		t.Errorf("with the key: %q", got)
	}
	for _, c := range [][]string{
		{"dig", "+short", "@" + p.ip, "-p", p.port, "ex.test", "soa", "-y", xferKey},
		{"dig", "+short", "+tcp", "@" + p.ip, "-p", p.port, "ex.test", "soa", "-y", xferKey},
		{"kdig", "+short", "@" + p.ip, "-p", p.port, "ex.test", "soa", "-y", xferKey},
	} {
		if out := ask(t, c...); !strings.HasPrefix(out, "ns.ex.test. h.ex.test. 1 3600 600 86400 300\n") {
			t.Errorf("%v: %q", c, out)
		}
	}
}

const exported = `$TTL 300
@ IN SOA ns h 42 3600 600 86400 300
@ IN NS ns
@ IN NS ns.other.org.
ns IN A 127.0.0.1
@ 60 IN MX 10 Mail.other.org.
* IN TXT "a string" "another: \"quoted\\"
*.w IN A 1.2.3.4
w IN A 1.2.3.4
w IN A 1.2.3.5
six IN AAAA 2001:db8::ff
_imaps._tcp IN SRV 1 2 143 mail
alias IN CNAME w
4.3 IN PTR w
@ IN CAA 0 issue "ca.example"
_25._tcp IN TLSA 3 1 1 0011223344556677889900112233445566778899001122334455667788990011
naptr IN NAPTR 10 20 "u" "E2U+sip" "!^.*$!sip:a@b!" .
rp IN RP h.ex.test. txt.ex.test.
d IN NS ns.d
ns.d IN A 1.1.1.1
d IN DS 1 13 2 00112233445566778899001122334455667788990011223344556677889900aa
dn IN DNAME other.org.
http IN TYPE65280 \# 3 00ff3a
`

// TestTransferGet: axfr-get fetches from knot, nsd and bind9; what it writes,
// compiled, is the same zone. Where the zone has not changed it writes nothing.
func TestTransferGet(t *testing.T) {
	for _, s := range secondaries {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var zone strings.Builder
			zone.WriteString("$ORIGIN ex.test.\n" + exported)
			for i := range 2000 {
				fmt.Fprintf(&zone, "host%d.some.label IN MX %d mail%d.some.label\n", i, i, i)
			}
			port := s.start(t, nil, zone.String())
			until(t, " 42 ", "dig", "+short", "+tries=1", "+timeout=1", "@"+s.ip, "-p", port, "ex.test", "soa")
			want := records(ask(t, "dig", "@"+s.ip, "-p", port, "axfr", "ex.test"))
			p := newPrimary(t, zoneOf(1), map[string]string{"transfer": "*:*\n"})
			for _, six := range [][]string{nil, {"-3"}} {
				os.Remove(filepath.Join(p.dir, "zone"))
				cmd := exec.Command("tcpclient", slices.Concat([]string{"-RHl0", s.ip, port, program("axfr-get")}, six, []string{"ex.test", "zone", "zone.tmp"})...)
				cmd.Dir = p.dir
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					t.Fatalf("axfr-get: %v %s", err, out)
				}
				text, err := os.ReadFile(filepath.Join(p.dir, "zone"))
				if err != nil {
					t.Fatal(err)
				}
				p.publish(string(text))
				time.Sleep(300 * time.Millisecond)
				got := records(ask(t, "dig", "@"+p.ip, "-p", p.port, "axfr", "ex.test"))
				if !slices.EqualFunc(got, want, strings.EqualFold) || len(got) < 2000 {
					t.Errorf("axfr-get of %s %v: %d records; want %d\n%.3000s", s.name, six, len(got), len(want), differ(got, want))
				}
			}
			before, err := os.Stat(filepath.Join(p.dir, "zone"))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("tcpclient", "-RHl0", s.ip, port, program("axfr-get"), "ex.test", "zone", "zone.tmp")
			cmd.Dir = p.dir
			out, rerr := cmd.CombinedOutput()
			after, err := os.Stat(filepath.Join(p.dir, "zone"))
			if rerr != nil || len(out) > 0 || err != nil || !os.SameFile(before, after) {
				t.Errorf("axfr-get again: %v %s; the file is another: %v", rerr, out, !os.SameFile(before, after))
			}
		})
	}
}

// differ is the lines that only one list has.
func differ(got, want []string) string {
	var b strings.Builder
	for _, l := range got {
		if !slices.ContainsFunc(want, func(w string) bool { return strings.EqualFold(w, l) }) {
			b.WriteString("+ " + l + "\n")
		}
	}
	for _, l := range want {
		if !slices.ContainsFunc(got, func(g string) bool { return strings.EqualFold(g, l) }) {
			b.WriteString("- " + l + "\n")
		}
	}
	return b.String()
}
