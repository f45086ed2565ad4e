// SPDX-License-Identifier: ISC

package dnsanswer

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnswire"
)

// The head of a question, and one with an additional record.
const (
	head    = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	headOPT = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
	mail    = "\x04mail\x0btestingsmtp\x03org\x00"
	aIN     = "\x00\x01\x00\x01"
)

// bad is a packet and its answer: -1 is silence.
type bad struct {
	id, name, packet string
	rcode            int
}

func badPackets() []bad {
	all := []bad{
		{"DN2", "pointer to itself", head + "\xc0\x0c" + aIN, 1}, {"DN2", "pointer on", head + "\xc0\x0e" + aIN, 1}, {"DN2", "pointer outside", head + "\xc0\xff" + aIN, 1}, {"DN2", "two that point to each other", head + "\x01a\xc0\x10\xc0\x0e" + aIN, 1},
		{"DN3", "label type 0x40", head + "\x40a\x00" + aIN, 1}, {"DN3", "label type 0x80", head + "\x80a\x00" + aIN, 1}, {"DN3", "128 labels", head + strings.Repeat("\x01a", 128) + "\x00" + aIN, 1}, {"DN3", "no end", head + "\x04mail", 1}, {"DN3", "no type", head + mail, 1}, {"DN3", "more after the question", head + mail + aIN + "\x00", 1},
		{"DN4", "an answer", "\x12\x34\x81\x80" + head[4:] + mail + aIN, -1}, {"DN4", "FORMERR", "\x12\x34\x81\x81" + head[4:] + mail + aIN, -1}, {"DN4", "REFUSED", "\x12\x34\x81\x85" + head[4:] + mail + aIN, -1},
		{"DN5", "no question", head[:5] + "\x00" + head[6:], 1}, {"DN5", "2 questions", head[:5] + "\x02" + head[6:] + mail + aIN + mail + aIN, 1}, {"DN5", "65535 questions", head[:4] + "\xff\xff" + head[6:] + mail + aIN, 1}, {"DN5", "an answer in it", head[:7] + "\x01" + head[8:] + mail + aIN, 1}, {"DN5", "authority in it", head[:9] + "\x01" + head[10:] + mail + aIN, 1},
		{"DN7", "version.bind CH", head + "\x07version\x04bind\x00\x00\x10\x00\x03", 5}, {"DN7", "HS", head + mail + "\x00\x01\x00\x04", 5}, {"DN7", "class ANY", head + mail + "\x00\x01\x00\xff", 5}, {"DN7", "class 0", head + mail + "\x00\x01\x00\x00", 5},
		{"DN9", "AXFR", head + mail[5:] + "\x00\xfc\x00\x01", 5}, {"DN9", "IXFR of no zone", head + mail + "\x00\xfb\x00\x01", 5},
		{"DN10", "version 1", headOPT + mail + aIN + "\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x00", 16}, {"DN10", "two OPT", head[:11] + "\x02" + mail + aIN + optRecord + optRecord, 1}, {"DN10", "not the root's", headOPT + mail + aIN + "\x01a" + optRecord, 1}, {"DN10", "option beyond its end", headOPT + mail + aIN + optRecord[:10] + "\x04\x00\x0a\x00\x09", 1},
		{"DN10", "half an option", headOPT + mail + aIN + optRecord[:10] + "\x03\x00\x0a\x00", 1}, {"DN10", "OPT beyond the end", headOPT + mail + aIN + optRecord[:6], 1}, {"DN10", "unknown flags", headOPT + mail + aIN + "\x00\x00\x29\x04\xd0\x00\x00\x7f\xff\x00\x00", 0}, {"DN10", "unknown option", headOPT + mail + aIN + optRecord[:10] + "\x05\xff\xff\x00\x01x", 0},
		{"DN11", "not ours", head + "\x01x\x07example\x00" + aIN, 5}, {"DN11", "the root", head + "\x00\x00\x02\x00\x01", 5},
		{"DN12", "strange bytes", head + "\x04\x00.\xff \x0btestingsmtp\x03org\x00" + aIN, 3},
	}
	for n := range dnswire.HeaderLen {
		all = append(all, bad{"DN1", fmt.Sprintf("%d bytes", n), (head + mail)[:n], -1})
	}
	for opcode := 1; opcode < 16; opcode++ {
		all = append(all, bad{"DN6", fmt.Sprintf("opcode %d", opcode), "\x12\x34" + string([]byte{byte(opcode << 3)}) + "\x00" + head[4:] + mail + aIN, 4})
	}
	for _, size := range []string{"\x00\x00", "\x01\xff", "\xff\xff"} {
		all = append(all, bad{"DN10", fmt.Sprintf("size %x", size), headOPT + mail + aIN + "\x00\x00\x29" + size + "\x00\x00\x00\x00\x00\x00", 0})
	}
	return all
}

// TestBadPackets: packets that are no good question, and what comes back; as
// djb's, too, they do no harm.
func TestBadPackets(t *testing.T) {
	d := compiled(t, zoneText)
	for _, c := range badPackets() {
		for _, tcp := range []bool{false, true} {
			var q dnswire.Query
			out, _ := say(d, c.packet, tcp, &q)
			switch {
			case (out == nil) != (c.rcode == -1):
				t.Errorf("%s %s: answer of %d bytes; want silence %v", c.id, c.name, len(out), c.rcode == -1)
			case out != nil && (int(out[3]&15) != c.rcode&15 || q.Rcode != c.rcode || out[0] != 0x12 || out[1] != 0x34):
				t.Errorf("%s %s: %x, rcode %d; want rcode %d", c.id, c.name, out, q.Rcode, c.rcode)
			}
			New(Config{DJB: true}).Answer(d, nil, []byte(c.packet), localhost, tcp, time.Now(), &q)
		}
	}
}

// TestEcho: DN12: the question comes back to the byte.
func TestEcho(t *testing.T) {
	d := compiled(t, zoneText)
	for _, name := range []string{"\x04mAiL\x0bTestingSMTP\x03oRg\x00", "\x04\x00.\xff \x0btestingsmtp\x03org\x00", "\x01\x41\x07Example\x00"} {
		for _, djb := range []bool{false, true} {
			var q dnswire.Query
			out, _ := New(Config{DJB: djb}).Answer(d, nil, []byte(head+name+aIN), localhost, false, time.Now(), &q)
			if out != nil && string(out[12:12+len(name)]) != name {
				t.Errorf("%q comes back as %q", name, out[12:])
			}
		}
	}
	if got, want := dnswire.Text([]byte("\x05A\x00.\xff \x00")), `a\000\056\377\040`; got != want {
		t.Errorf("in the log: %s; want %s", got, want)
	}
}

// TestBigRecords: DN13: long texts and many records over UDP and TCP.
func TestBigRecords(t *testing.T) {
	text := ".big.org:1.2.3.4:ns.big.org\n"
	for _, n := range []int{255, 256, 1000, 64000} {
		text += fmt.Sprintf("'t%d.big.org:%s\n", n, strings.Repeat("x", n))
	}
	for i := range 1000 {
		text += fmt.Sprintf("+many.big.org:10.0.%d.%d\n", i>>8, i&255)
	}
	for i := range 3 {
		text += "'over.big.org:" + strings.Repeat(string(rune('a'+i)), 30000) + "\n"
	}
	d := compiled(t, text)
	for _, c := range []struct {
		name string
		kind uint16
		udp  bool // it fits there
		tcp  int  // records; 0: it does not fit
	}{{"t255", dns.TypeTXT, true, 1}, {"t256", dns.TypeTXT, true, 1}, {"t1000", dns.TypeTXT, false, 1}, {"t64000", dns.TypeTXT, false, 1}, {"many", dns.TypeA, false, 1000}, {"over", dns.TypeTXT, false, 0}} {
		m := new(dns.Msg).SetQuestion(c.name+".big.org.", c.kind)
		if a, _ := ask(t, d, m, false); a.Truncated == c.udp || a.Truncated && len(a.Answer) != 0 {
			t.Errorf("DN13 %s over UDP: TC %v, %d records; want TC %v", c.name, a.Truncated, len(a.Answer), !c.udp)
		}
		if a, _ := ask(t, d, m, true); len(a.Answer) != c.tcp || a.Truncated != (c.tcp == 0) {
			t.Errorf("DN13 %s over TCP: TC %v, %d records; want %d", c.name, a.Truncated, len(a.Answer), c.tcp)
		}
	}
}

// TestEndlessData: DN16: a data.cdb made to keep us busy costs no more than
// maxWork, and the answer is SERVFAIL.
func TestEndlessData(t *testing.T) {
	s := &table{}
	key := []byte("\x04mail\x0btestingsmtp\x03org\x00")
	s.put(key, []byte("\x00\x01=\x00\x00\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04"))
	b := s.finish()
	h := binary.LittleEndian.Uint32(b[len(b)-16:])
	if h == 0 {
		h = binary.LittleEndian.Uint32(b[len(b)-8:])
	}
	start := len(b)
	for range 2 << 20 { // every slot of one table leads to that record
		b = binary.LittleEndian.AppendUint32(b, h)
		b = binary.LittleEndian.AppendUint32(b, cdbHeader)
	}
	for i := range 256 {
		binary.LittleEndian.PutUint32(b[i*8:], uint32(start))
		binary.LittleEndian.PutUint32(b[i*8+4:], 2<<20)
	}
	d := &Data{b: b}
	for _, djb := range []bool{false, true} {
		began := time.Now()
		var q dnswire.Query
		out, status := New(Config{DJB: djb}).Answer(d, nil, []byte(question), localhost, true, time.Now(), &q)
		if status != '-' || djb != (len(out) == 0) || !djb && q.Rcode != dnswire.RcodeServFail {
			t.Errorf("djb %v: %x %c; want SERVFAIL, or silence", djb, out, status)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("djb %v: %v for one answer", djb, took)
		}
	}
}

// TestFault: DN16: the file under the data is cut short; the answer panics as
// the runtime has it, Failure says SERVFAIL, and the composer works on.
func TestFault(t *testing.T) {
	good := database(t, zoneText)
	path := filepath.Join(t.TempDir(), "data.cdb")
	if err := os.WriteFile(path, append(make([]byte, 0, 1<<16), append(good, make([]byte, 1<<16-len(good))...)...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := syscall.Mmap(int(f.Fd()), 0, 1<<16, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(b)
	cut := open(t, b)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for _, djb := range []bool{false, true} {
		c := New(Config{DJB: djb})
		var q dnswire.Query
		faulted := func() (faulted bool) {
			defer func() { faulted = recover() != nil }()
			c.Answer(cut, nil, []byte(question), localhost, false, time.Now(), &q)
			return false
		}()
		if !faulted {
			t.Error("no fault; the test says nothing")
		}
		if out := Failure(nil, &q); out[3]&15 != dnswire.RcodeServFail || string(out[12:12+len(mail)]) != mail {
			t.Errorf("after a fault: %x; want SERVFAIL for the question", out)
		}
		if out, status := c.Answer(open(t, good), nil, []byte(question), localhost, false, time.Now(), &q); status != '+' || out[7] != 1 {
			t.Errorf("the next answer: %x %c", out, status)
		}
	}
}

// FuzzData: no packet and no data make answers in either mode panic.
func FuzzData(f *testing.F) {
	good := database(f, zoneText)
	f.Add([]byte(question), good, true)
	for _, p := range badPackets() {
		f.Add([]byte(p.packet), good, false)
	}
	f.Fuzz(func(t *testing.T, packet, data []byte, tcp bool) {
		d, err := Open(memory(data))
		if err != nil {
			d = &Data{b: data} // as if it had changed after Open
		}
		for _, cfg := range []Config{{DJB: true}, {NSID: []byte("x"), Cookies: dnswire.NewCookies([16]byte{1})}} {
			var q dnswire.Query
			out, _ := New(cfg).Answer(d, nil, packet, netip.IPv6LinkLocalAllNodes(), tcp, time.Unix(1e9, 0), &q)
			if !tcp && len(out) > dnswire.MaxUDP || len(out) > dnswire.MaxTCP {
				t.Errorf("answer of %d bytes", len(out))
			}
		}
	})
}

// FuzzDJB: no packet makes answers like djb's panic; over UDP they are small.
func FuzzDJB(f *testing.F) {
	good := database(f, zoneText)
	d, err := Open(memory(good))
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range badPackets() {
		f.Add([]byte(p.packet))
	}
	f.Add([]byte(question))
	c := New(Config{DJB: true})
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, tcp := range []bool{false, true} {
			var q dnswire.Query
			if out, _ := c.Answer(d, nil, packet, localhost, tcp, time.Unix(1e9, 0), &q); !tcp && len(out) > djbSize {
				t.Errorf("answer of %d bytes over UDP", len(out))
			}
		}
	})
}
