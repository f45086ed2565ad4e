// SPDX-License-Identifier: ISC

// Package djbpeer runs Debian's small DNS servers for tests that compare ours
// with them, and makes up questions. It needs root, for port 53 and chroot.
package djbpeer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quill/internal/dnswire"
)

// Path is a program of Debian's.
func Path(t *testing.T, program string) string {
	t.Helper()
	for _, dir := range []string{"/usr/sbin", "/usr/bin"} {
		path := filepath.Join(dir, program)
		if st, err := os.Stat(path); err == nil && st.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Fatalf("no %s of djbdns: install Debian's packages djbdns, tinydns and rbldns", program)
	return ""
}

// Peer is a server that runs.
type Peer struct {
	c        *net.UDPConn
	log      *bufio.Reader
	sentinel []byte // what it answers to the question that ends each exchange
}

// question is one of an id for a name in wire form.
func question(id uint16, name string, kind, class uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(append(b, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), name...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, kind), class)
}

// end is the question that ends each exchange: nobody's name.
func end() []byte { return question(0xeeee, "\x03end\x00", 1, 1) }

// Start starts a program on port 53 of a loopback address that nobody uses, with
// root as its ROOT.
func Start(t *testing.T, program, root string, env ...string) *Peer {
	t.Helper()
	cmd := exec.Command(Path(t, program))
	ip := free(t)
	cmd.Env = append([]string{"IP=" + ip.String(), "ROOT=" + root, "UID=65534", "GID=65534"}, env...)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	p := &Peer{log: bufio.NewReader(log)}
	if line, err := p.log.ReadString('\n'); line != "starting "+program+"\n" {
		t.Fatalf("%s says %q, %v", program, line, err)
	}
	if p.c, err = net.DialUDP("udp4", nil, &net.UDPAddr{IP: ip, Port: 53}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.c.Close() })
	p.send(t, end())
	p.sentinel = p.read(t)
	p.line(t)
	return p
}

// free is a loopback address whose port 53 nobody uses.
func free(t *testing.T) net.IP {
	for range 50 {
		ip := net.IPv4(127, byte(1+rand.IntN(250)), byte(rand.IntN(256)), byte(1+rand.IntN(250))).To4()
		if u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip, Port: 53}); err == nil {
			u.Close()
			return ip
		}
	}
	t.Fatal("no loopback address has port 53 free, or this is not root")
	return nil
}

func (p *Peer) send(t *testing.T, packet []byte) {
	if _, err := p.c.Write(packet); err != nil {
		t.Fatal(err)
	}
}

func (p *Peer) read(t *testing.T) []byte {
	b := make([]byte, 2048)
	p.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := p.c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// line is what stands in the next line of the log after the client's address and
// port.
func (p *Peer) line(t *testing.T) string {
	line, err := p.log.ReadString('\n')
	if err != nil || len(line) < 14 {
		t.Fatalf("log: %q, %v", line, err)
	}
	return strings.TrimSuffix(line[14:], "\n")
}

// Ask gives the reply to a packet, nil for none, and the line of the log. The peer
// answers one packet after another: what it did not say before the next is nothing.
func (p *Peer) Ask(t *testing.T, packet []byte) (reply []byte, line string) {
	t.Helper()
	p.send(t, packet)
	p.send(t, end())
	for {
		b := p.read(t)
		if bytes.Equal(b, p.sentinel) {
			break
		}
		reply = b
	}
	line = p.line(t)
	p.line(t)
	return reply, line
}

// Line is our line of the log for a packet, as Ask has the peer's.
func Line(q *dnswire.Query, status byte) string {
	return fmt.Sprintf("%04x %c %04x %s", q.ID, status, q.Type, dnswire.Text(q.Name))
}

// Maker makes up questions. Names end with one of these suffixes, in wire form.
type Maker struct {
	R        *rand.Rand
	Suffixes []string
	Octets   []string // labels that are often taken
}

// Packet is one: in half of all cases a question that makes sense, for an address
// below the first suffix, else anything.
func (m *Maker) Packet() []byte {
	if m.R.IntN(2) == 0 {
		var b strings.Builder
		for range 4 {
			label := m.Octets[m.R.IntN(len(m.Octets))]
			b.WriteByte(byte(len(label)))
			b.WriteString(label)
		}
		return question(uint16(m.R.IntN(0xee00)), b.String()+m.Suffixes[0], []uint16{1, 16, 255, 12}[m.R.IntN(4)], 1)
	}
	types := []uint16{1, 1, 1, 16, 16, 12, 12, 255, 255, 2, 6, 28, 252, 251, 0, 65535}
	classes := []uint16{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 255, 255, 3, 0}
	b := question(uint16(m.R.IntN(0xee00)), m.name(), types[m.R.IntN(len(types))], classes[m.R.IntN(len(classes))])
	switch m.R.IntN(12) {
	case 0:
		b[2] = byte(m.R.IntN(256))
	case 1:
		b[3] = byte(m.R.IntN(256))
	case 2:
		b[2] |= 1
	case 3:
		b[4+m.R.IntN(8)] = byte(m.R.IntN(3))
	case 4:
		b = b[:m.R.IntN(len(b))]
	case 5:
		b[m.R.IntN(len(b))] = byte(m.R.IntN(256))
	case 6:
		b = append(b, make([]byte, m.R.IntN(600))...)
	case 7: // EDNS
		b[11] = 1
		b = append(b, 0, 0, 41, 16, 0, 0, 0, 0x80, 0, 0, 0)
	case 8:
		b = m.pointer(b)
	}
	if len(b) == 0 {
		b = []byte{0}
	}
	return b
}

// pointer moves the name of a question behind it and points there.
func (m *Maker) pointer(b []byte) []byte {
	n := len(b) - 16
	if n <= 0 {
		return b
	}
	name := bytes.Clone(b[12 : 12+n])
	out := append(bytes.Clone(b[:12]), 0xc0, byte(18+m.R.IntN(2)/2))
	out = append(out, b[12+n:]...)
	if m.R.IntN(8) == 0 {
		name = append(name[:len(name)-1], 0xc0, byte(m.R.IntN(40)))
	}
	return append(out, name...)
}

// name is labels and a suffix, in any case.
func (m *Maker) name() string {
	var b strings.Builder
	n := []int{4, 4, 4, 4, 4, 3, 2, 1, 0, 5, 6}[m.R.IntN(11)]
	if m.R.IntN(40) == 0 {
		n = 30
	}
	for range n {
		label := m.Octets[m.R.IntN(len(m.Octets))]
		switch m.R.IntN(16) {
		case 0, 1, 2:
			label = fmt.Sprint(m.R.IntN(300))
		case 3:
			label = []string{"00", "01", "256", "1000", "a", "-1", "*", "x\x00y", "\xff", " 1", "1 ", "0x1", strings.Repeat("9", 63)}[m.R.IntN(13)]
		}
		b.WriteByte(byte(len(label)))
		b.WriteString(label)
	}
	s := b.String() + m.Suffixes[m.R.IntN(len(m.Suffixes))]
	if m.R.IntN(4) == 0 {
		s = strings.ToUpper(s)
	}
	if len(s) > 300 {
		return "\x00"
	}
	return s
}
