// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/privilege/privilegetest"
)

// TestMain re-runs this test binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("AXFRGET_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// server says canned messages to a program, one list to each question.
type server struct {
	answers [][][]byte
	sign    func(n int, question, msg []byte) []byte
	asked   [][]byte
}

// outcome is what a program did.
type outcome struct {
	file, log string
	code      int
	fresh     bool // the file was made anew
}

// fetch runs a program on descriptors 6 and 7 in dir.
func (s *server) fetch(t testing.TB, dir string, cmd *exec.Cmd) outcome {
	t.Helper()
	toRead, fromUs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	toUs, toWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &log
	cmd.ExtraFiles = []*os.File{nil, nil, nil, toRead, toWrite}
	privilegetest.Plain(cmd)
	before, _ := os.Stat(filepath.Join(dir, "zone"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toRead.Close()
	toWrite.Close()
	end := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer end.Stop()
	s.serve(toUs, fromUs)
	cmd.Wait()
	toUs.Close()
	after, _ := os.Stat(filepath.Join(dir, "zone"))
	text, _ := os.ReadFile(filepath.Join(dir, "zone"))
	var lines []string
	for l := range strings.Lines(log.String()) {
		if !strings.Contains(l, "not confined: built with cgo") {
			lines = append(lines, l)
		}
	}
	return outcome{string(text), strings.Join(lines, ""), cmd.ProcessState.ExitCode(), after != nil && (before == nil || !os.SameFile(before, after))}
}

// serve answers the questions that come.
func (s *server) serve(in io.Reader, out io.WriteCloser) {
	defer out.Close()
	s.asked = nil
	for _, list := range s.answers {
		var head [2]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(in, question); err != nil {
			return
		}
		s.asked = append(s.asked, question)
		for i, msg := range list {
			if s.sign != nil {
				msg = s.sign(i, question, msg)
			}
			if _, err := out.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)); err != nil {
				return
			}
		}
	}
}

// ours is this program.
func ours(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append([]string{"AXFRGET_TEST=1"}, env...)
	return cmd
}

var plainArgs = []string{"ex.test", "zone", "zone.tmp"}

// message packs records.
func message(t testing.TB, kind uint16, compress bool, records ...string) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion("ex.test.", kind)
	m.Id, m.Response, m.RecursionDesired, m.Compress = 0, true, false, compress
	for _, r := range records {
		rr, err := dns.NewRR(r)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const soa = "ex.test. 2560 IN SOA ns.ex.test. h.ex.test. 7 1 2 3 4"

// transfer is the answers to the two questions.
func transfer(t testing.TB, records ...string) *server {
	s := &server{answers: [][][]byte{{message(t, dns.TypeSOA, false, soa)}, nil}}
	for _, r := range append(append([]string{soa}, records...), soa) {
		s.answers[1] = append(s.answers[1], message(t, dns.TypeAXFR, false, r))
	}
	return s
}

func folder(t testing.TB) string { return privilegetest.Reachable(t, t.TempDir()) }

const line = "#7 auto axfr-get\nZex.test:ns.ex.test.:h.ex.test.:7:1:2:3:4:2560\n"

// TestFetch: a zone is fetched; not again while its serial number stays; and
// again when that has changed, or is 0.
func TestFetch(t *testing.T) {
	dir := folder(t)
	s := transfer(t, "a.ex.test. 5 IN A 1.2.3.4")
	want := line + "+a.ex.test:1.2.3.4:5\n"
	if got := s.fetch(t, dir, ours(t, nil, plainArgs...)); got != (outcome{want, "", 0, true}) || len(s.asked) != 2 {
		t.Fatalf("first: %+v", got)
	}
	if got := s.fetch(t, dir, ours(t, nil, plainArgs...)); got != (outcome{want, "", 0, false}) || len(s.asked) != 1 {
		t.Errorf("again: %+v, %d questions", got, len(s.asked))
	}
	for _, first := range []string{"#8", "#6 x\n", "#0\n", "", "no number\n", "#"} {
		if err := os.WriteFile(filepath.Join(dir, "zone"), []byte(first), 0o666); err != nil {
			t.Fatal(err)
		}
		if got := s.fetch(t, dir, ours(t, nil, plainArgs...)); got != (outcome{want, "", 0, true}) {
			t.Errorf("after %q: %+v", first, got)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "zone.tmp")); err == nil {
		t.Error("zone.tmp is left")
	}
}

// TestTrouble: what a server does wrong leaves the old file, and 111.
func TestTrouble(t *testing.T) {
	soaAnswer := [][]byte{message(t, dns.TypeSOA, false, soa)}
	refused := message(t, dns.TypeAXFR, false, soa)
	refused[3] = 5
	endless := make([][]byte, 100)
	for i := range endless {
		endless[i] = message(t, dns.TypeAXFR, false)
	}
	for _, c := range []struct {
		why     string
		answers [][][]byte
		want    string
	}{
		{"hangs up", nil, "unable to parse AXFR results: protocol error: the server hung up"},
		{"hangs up before the transfer", [][][]byte{soaAnswer}, "unable to parse AXFR results: protocol error: the server hung up"},
		{"hangs up in the transfer", [][][]byte{soaAnswer, soaAnswer}, "unable to parse AXFR results: protocol error: the server hung up"},
		{"refuses", [][][]byte{soaAnswer, {refused}}, "the server says REFUSED"},
		{"refuses the SOA", [][][]byte{{refused}}, "the server says REFUSED"},
		{"other zone", [][][]byte{{message(t, dns.TypeSOA, false, strings.Replace(soa, "ex.test. 2560", "ey.test. 2560", 1))}}, "no SOA of the zone"},
		{"messages without records", [][][]byte{soaAnswer, endless}, "message without records"},
		{"empty message", [][][]byte{soaAnswer, {{}}}, "message of 0 bytes"},
	} {
		dir := folder(t)
		os.WriteFile(filepath.Join(dir, "zone"), []byte("#1 old\n"), 0o644)
		got := (&server{answers: c.answers}).fetch(t, dir, ours(t, nil, plainArgs...))
		if got.code != 111 || got.fresh || got.file != "#1 old\n" || !strings.HasPrefix(got.log, "axfr-get: fatal: ") || !strings.Contains(got.log, c.want) {
			t.Errorf("%s: %+v; want %q", c.why, got, c.want)
		}
	}
	for _, args := range [][]string{nil, {"ex.test"}, {"ex.test", "zone"}, {"-x", "a", "b", "c"}} {
		if got := (&server{}).fetch(t, folder(t), ours(t, nil, args...)); got.code != 100 {
			t.Errorf("%v: %+v; want 100", args, got)
		}
	}
	if got := (&server{}).fetch(t, folder(t), ours(t, nil, strings.Repeat("a", 64), "zone", "zone.tmp")); got.code != 111 {
		t.Errorf("long name: %+v", got)
	}
	s := transfer(t)
	if got := s.fetch(t, folder(t), ours(t, nil, "ex.test", "zone", "no/zone.tmp")); got.code != 111 || !strings.Contains(got.log, "unable to write no/zone.tmp: ") {
		t.Errorf("no folder: %+v", got)
	}
}

// TestKey: with KEY both questions are signed, and answers that are not are not
// taken.
func TestKey(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("k:hmac-sha256:"+secret+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	signer := func(secret string, every int) func(int, []byte, []byte) []byte {
		mac := ""
		return func(n int, question, msg []byte) []byte {
			q := new(dns.Msg)
			if err := q.Unpack(question); err != nil || q.IsTsig() == nil {
				return msg
			}
			if n == 0 {
				mac = q.IsTsig().MAC
			}
			if n%every != 0 {
				return msg
			}
			m := new(dns.Msg)
			m.Unpack(msg)
			m.SetTsig("k.", dns.HmacSHA256, 300, time.Now().Unix())
			out, next, err := dns.TsigGenerate(m, secret, mac, n > 0)
			if err != nil {
				panic(err)
			}
			mac = next
			return out
		}
	}
	for _, c := range []struct {
		why string
		fn  func(int, []byte, []byte) []byte
		ok  bool
	}{
		{"signed", signer(secret, 1), true}, {"not signed", nil, false}, {"with another secret", signer("eHh4", 1), false}, {"the last is not", signer(secret, 2), false},
	} {
		s := transfer(t, "a.ex.test. 5 IN A 1.2.3.4", "b.ex.test. 5 IN A 1.2.3.4")
		s.sign = c.fn
		os.Remove(filepath.Join(dir, "zone"))
		got := s.fetch(t, dir, ours(t, []string{"KEY=key"}, plainArgs...))
		if (got.code == 0) != c.ok || got.fresh != c.ok || !c.ok && !strings.Contains(got.log, "signature") {
			t.Errorf("%s: %+v; want ok %v", c.why, got, c.ok)
		}
	}
	if got := transfer(t).fetch(t, dir, ours(t, []string{"KEY=zone.none"}, plainArgs...)); got.code != 111 || !strings.Contains(got.log, "$KEY") {
		t.Errorf("no key: %+v", got)
	}
}
