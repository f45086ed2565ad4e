// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/privilege/privilegetest"
)

// TestMain re-runs this test binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("AXFRDNS_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// publish makes data.cdb of text in dir, by rename.
func publish(t testing.TB, dir, text string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "data.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	w := cdb.NewWriter(f)
	if err := errors.Join(dnsdata.Compile(strings.NewReader(text), 7, w.Put), w.Finish(), f.Close(), os.Rename(f.Name(), filepath.Join(dir, "data.cdb"))); err != nil {
		t.Fatal(err)
	}
}

// ours is this program with these variables.
func ours(t testing.TB, dir string, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append([]string{"AXFRDNS_TEST=1", "ROOT=" + dir, "UID=65534", "GID=65534", "TCPREMOTEIP=192.0.2.9", "TCPREMOTEPORT=4660"}, env...)
	return cmd
}

// said is what a program says on both descriptors, and its exit code.
type said struct {
	out, log string
	code     int
}

// talk gives a program its input.
func talk(t testing.TB, cmd *exec.Cmd, in []byte) said {
	t.Helper()
	var out, log bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &log
	end := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer end.Stop()
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	var lines []string
	for l := range strings.Lines(log.String()) {
		if !strings.Contains(l, "not confined: built with cgo") {
			lines = append(lines, l)
		}
	}
	return said{out.String(), strings.Join(lines, ""), cmd.ProcessState.ExitCode()}
}

// framed puts packets into a stream.
func framed(packets ...[]byte) (b []byte) {
	for _, p := range packets {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(p))), p...)
	}
	return b
}

// messages reads a stream.
func messages(t testing.TB, s string) (all []*dns.Msg) {
	t.Helper()
	for r := strings.NewReader(s); r.Len() > 0; {
		var head [2]byte
		io.ReadFull(r, head[:])
		b := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatalf("stream is cut: %v", err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(b); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// ask packs a question.
func ask(name string, kind uint16, change ...func(*dns.Msg)) []byte {
	m := new(dns.Msg)
	m.SetQuestion(name, kind)
	m.Id = 0xabcd
	for _, c := range change {
		c(m)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

const zone = "Zex.test:ns.ex.test:h.ex.test:7\n&ex.test:1.2.3.4:ns.ex.test\n+www.ex.test:1.2.3.5\nZb.test:ns.ex.test:h.ex.test:8\n&b.test::ns.ex.test\n"

func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	privilegetest.Reachable(t, dir)
	publish(t, dir, zone)
	return dir
}

// TestConversation: ordinary questions and transfers on one connection, each
// logged; odd ones get their answer and the connection goes on.
func TestConversation(t *testing.T) {
	dir := folder(t)
	in := framed(
		ask("www.Ex.test.", dns.TypeA),
		ask("ex.test.", dns.TypeAXFR, func(m *dns.Msg) { m.SetEdns0(1232, false) }),
		ask("ex.test.", dns.TypeSOA, func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }),
		ask("ex.test.", dns.TypeA, func(m *dns.Msg) { m.Response = true }),
		[]byte{1, 2, 3},
		ask("b.test.", dns.TypeAXFR),
		ask("no.test.", dns.TypeAXFR),
		ask("ex.test.", dns.TypeIXFR, func(m *dns.Msg) { m.SetIxfr("ex.test.", 7, "a.", "b."); m.Id = 0xabcd }),
		ask("www.ex.test.", dns.TypeA),
	)
	got := talk(t, ours(t, dir), in)
	all := messages(t, got.out)
	if got.code != 0 || len(all) != 7 {
		t.Fatalf("%d answers, code %d, log:\n%s", len(all), got.code, got.log)
	}
	for i, want := range []struct{ rcode, answers int }{{0, 1}, {0, 5}, {dns.RcodeNotImplemented, 0}, {0, 3}, {dns.RcodeNotAuth, 0}, {0, 1}, {0, 1}} {
		if all[i].Rcode != want.rcode || len(all[i].Answer) != want.answers {
			t.Errorf("answer %d: %v; want rcode %d, %d records", i, all[i], want.rcode, want.answers)
		}
	}
	if all[1].IsEdns0() == nil {
		t.Error("the transfer's first message has no OPT")
	}
	for _, line := range []string{"c0000209:1234:abcd 0001 www.ex.test\n", "c0000209:1234:abcd 00fc ex.test\n", "c0000209:1234:abcd 00fb ex.test\n"} {
		if !strings.Contains(got.log, line) {
			t.Errorf("log lacks %q:\n%s", line, got.log)
		}
	}
}

// TestDN9: AXFR names the zones that may be had; unset it is all, empty none.
func TestDN9(t *testing.T) {
	dir := folder(t)
	for _, c := range []struct {
		env  []string
		zone string
		ok   bool
	}{
		{nil, "ex.test.", true},
		{[]string{"AXFR="}, "ex.test.", false},
		{[]string{"AXFR=b.test/EX.test"}, "ex.test.", true},
		{[]string{"AXFR=b.test/EX.test"}, "b.test.", true},
		{[]string{"AXFR=b.test"}, "ex.test.", false},
		{[]string{"AXFR=test"}, "ex.test.", false},
		{[]string{"AXFR=/"}, "ex.test.", false},
	} {
		all := messages(t, talk(t, ours(t, dir, c.env...), framed(ask(c.zone, dns.TypeAXFR))).out)
		if len(all) != 1 || (all[0].Rcode == 0) != c.ok || !c.ok && (all[0].Rcode != dns.RcodeRefused || len(all[0].Answer) > 0) {
			t.Errorf("%v, %s: %v; want ok %v", c.env, c.zone, all, c.ok)
		}
		djb := talk(t, ours(t, dir, append(c.env, "ANSWERS=djb")...), framed(ask(c.zone, dns.TypeAXFR, func(m *dns.Msg) { m.RecursionDesired = false })))
		if (djb.code == 0) != c.ok || (djb.out != "") != c.ok {
			t.Errorf("djb, %v, %s: %+v; want ok %v", c.env, c.zone, djb, c.ok)
		}
	}
}

// TestLimits: the longest question, one that is longer, a client that says
// nothing more, wrong variables, no data.
func TestLimits(t *testing.T) {
	dir := folder(t)
	long := func(n int) []byte {
		return ask("www.ex.test.", dns.TypeA, func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_PADDING{Padding: make([]byte, n-len(ask("www.ex.test.", dns.TypeA))-11-4)}}
		})
	}
	if got := talk(t, ours(t, dir), framed(long(maxQuestion))); got.code != 0 || len(messages(t, got.out)) != 1 {
		t.Errorf("question of %d bytes: %+v", maxQuestion, got)
	}
	for _, c := range []struct {
		why  string
		in   []byte
		env  []string
		code int
		log  string
	}{
		{"one byte more", framed(long(maxQuestion + 1)), nil, 111, "axfrdns: fatal: excessively large request\n"},
		{"half a question", framed(long(100))[:50], nil, 0, ""},
		{"nothing", nil, nil, 0, ""},
		{"no ROOT", nil, []string{"ROOT="}, 111, "axfrdns: fatal: $ROOT not set\n"},
		{"no such mode", nil, []string{"ANSWERS=x"}, 111, "axfrdns: fatal: $ANSWERS is \"x\": want rfc or djb\n"},
	} {
		if got := talk(t, ours(t, dir, c.env...), c.in); got.code != c.code || got.log != c.log {
			t.Errorf("%s: %d %q; want %d %q", c.why, got.code, got.log, c.code, c.log)
		}
	}
	os.Remove(filepath.Join(dir, "data.cdb"))
	all := messages(t, talk(t, ours(t, dir), framed(ask("ex.test.", dns.TypeAXFR), ask("ex.test.", dns.TypeA))).out)
	if len(all) < 1 || all[0].Rcode != dns.RcodeServerFailure {
		t.Errorf("without data.cdb: %v", all)
	}
}
