// SPDX-License-Identifier: ISC

//go:build peers

package dnsanswer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"quill/internal/dnswire"
)

// peerQuestions is how many questions are asked; TINYDNS_QUESTIONS says
// otherwise.
const peerQuestions = 20000

const (
	peerRound  = 5000 // questions of one file of data
	peerWindow = 64   // that are on their way at once
)

// peer is Debian's tinydns, running.
type peer struct {
	dir  string
	cmd  *exec.Cmd
	log  *bytes.Buffer
	conn *net.UDPConn
	from netip.Addr
}

// startPeer has Debian's programs compile text and answer from it. tinydns
// knows port 53 alone, so it gets an address of its own.
func startPeer(t *testing.T, text string) *peer {
	t.Helper()
	for _, program := range []string{"tinydns", "tinydns-data"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: install Debian's package tinydns", err)
		}
	}
	p := &peer{dir: t.TempDir(), log: new(bytes.Buffer)}
	if err := errors.Join(os.Chmod(p.dir, 0o755), os.Chmod(filepath.Dir(p.dir), 0o755), os.WriteFile(filepath.Join(p.dir, "data"), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	data := exec.Command("tinydns-data")
	data.Dir = p.dir
	if out, err := data.CombinedOutput(); err != nil {
		t.Fatalf("tinydns-data: %v %s", err, out)
	}
	ip := fmt.Sprintf("127.53.%d.%d", os.Getpid()>>8&255, os.Getpid()&255|1)
	p.cmd = exec.Command("tinydns")
	p.cmd.Env = []string{"IP=" + ip, "ROOT=" + p.dir, "UID=65534", "GID=65534"}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end() })
	conn, err := net.Dial("udp4", ip+":53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p.conn = conn.(*net.UDPConn)
	p.from = p.conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	p.conn.SetReadBuffer(1 << 20)
	b := make([]byte, 512)
	for range 100 { // until it is there
		p.conn.Write([]byte(question))
		p.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := p.conn.Read(b); err == nil {
			return p
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("tinydns does not answer: %s", p.log)
	return nil
}

// end stops the peer, so that its log is whole.
func (p *peer) end() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Wait()
}

// ours is what the composer says, and its status.
type ours struct {
	packet, answer []byte
	status         Status
}

// TestPeerQuestions: answers and silence byte for byte those of Debian's
// tinydns, and so are the letters of its log.
func TestPeerQuestions(t *testing.T) {
	random := rand.New(rand.NewPCG(1987, 1034))
	count := peerQuestions
	if n, err := strconv.Atoi(os.Getenv("TINYDNS_QUESTIONS")); err == nil {
		count = n
	}
	statuses := make(map[Status]int)
	for asked := 0; asked < count && !t.Failed(); asked += peerRound {
		peerAsk(t, random, min(peerRound, count-asked), statuses)
	}
	t.Logf("%d questions, statuses %v", count, statuses)
	for _, s := range "+-IC/" {
		if statuses[Status(s)] < count/50 {
			t.Errorf("only %d of %d questions have status %c: they say little of it", statuses[Status(s)], count, s)
		}
	}
}

// peerAsk puts count questions of data of their own.
func peerAsk(t *testing.T, random *rand.Rand, count int, statuses map[Status]int) {
	text, names := peerData(random)
	p := startPeer(t, text)
	b, err := os.ReadFile(filepath.Join(p.dir, "data.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	d, c := open(t, b), New(Config{DJB: true})
	want := []string{}
	for asked := 0; asked < count && !t.Failed(); asked += peerWindow {
		batch := make([]ours, peerWindow)
		for i := range batch {
			o := &batch[i]
			o.packet = peerPacket(random, names, uint16(i))
			var q dnswire.Query
			o.answer, o.status = c.Answer(d, nil, o.packet, p.from, false, time.Now(), &q)
			statuses[o.status]++
			want = append(want, logOf(&q, o.status))
		}
		p.compare(t, batch)
	}
	p.end()
	compareLog(t, p.log.String(), want)
}

// compare asks the peer a batch of questions, whose ids are their places in
// it, and one more that it answers last.
func (p *peer) compare(t *testing.T, batch []ours) {
	t.Helper()
	const last = 0xfffe
	for _, o := range batch {
		if _, err := p.conn.Write(o.packet); err != nil {
			t.Fatal(err)
		}
	}
	end := []byte(question)
	binary.BigEndian.PutUint16(end, last)
	if _, err := p.conn.Write(end); err != nil {
		t.Fatal(err)
	}
	got := make(map[uint16][]byte)
	b := make([]byte, 65536)
	for {
		p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := p.conn.Read(b)
		if err != nil {
			t.Fatalf("no answer to the last question: %v", err)
		}
		id := binary.BigEndian.Uint16(b)
		if id == last {
			break
		}
		got[id] = slices.Clone(b[:n])
	}
	for i, o := range batch {
		a, b := masked(got[uint16(i)]), masked(o.answer)
		if !bytes.Equal(a, b) {
			t.Errorf("question %x\n tinydns %x\n    ours %x (%c)", o.packet, got[uint16(i)], o.answer, o.status)
		}
	}
}

// masked is an answer with what is random in it put in order: the run of A
// records of one owner at the end of the answer section. Where there are eight
// of them, which eight is random too.
func masked(b []byte) []byte {
	if len(b) < dnswire.HeaderLen || b[2]&2 != 0 {
		return b
	}
	b = slices.Clone(b)
	skip := func(at int) int {
		for b[at] != 0 && b[at] < 0xc0 {
			at += 1 + int(b[at])
		}
		return at + 1 + int(b[at]>>7)
	}
	at := skip(dnswire.HeaderLen) + 4
	var run [][]byte
	for range binary.BigEndian.Uint16(b[6:]) {
		start := at
		at = skip(at)
		n := int(binary.BigEndian.Uint16(b[at+8:]))
		if binary.BigEndian.Uint16(b[at:]) == dnswire.TypeA && n == 4 {
			run = append(run, b[start:at+14])
		}
		at += 10 + n
	}
	if len(run) == djbAddresses {
		for _, r := range run {
			clear(r[len(r)-4:])
		}
		return b
	}
	sorted := make([][]byte, len(run))
	for i, r := range run {
		sorted[i] = slices.Clone(r)
	}
	slices.SortFunc(sorted, bytes.Compare)
	for i, r := range run {
		copy(r, sorted[i])
	}
	return b
}

// logOf is what djb's log says after the address.
func logOf(q *dnswire.Query, status Status) string {
	return fmt.Sprintf("%04x %c %04x %s", q.ID, status, q.Type, dnswire.Text(q.Name))
}

// compareLog wants the lines of the peer's log to be those of ours, without
// the questions that we put between.
func compareLog(t *testing.T, log string, want []string) {
	t.Helper()
	i := 0
	for line := range strings.Lines(log) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		_, rest, ok := strings.Cut(rest, ":")
		if !ok || strings.HasPrefix(rest, "fffe ") || strings.HasPrefix(rest, "1234 + 0001 mail.testingsmtp.org") {
			continue
		}
		if i == len(want) || rest != want[i] {
			t.Fatalf("log line %d: %q; want %q", i, rest, want[min(i, len(want)-1)])
		}
		i++
	}
	if i < len(want) && !t.Failed() {
		t.Errorf("%d log lines; want %d", i, len(want))
	}
}
