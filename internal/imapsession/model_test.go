// SPDX-License-Identifier: ISC

package imapsession

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quill/internal/mailbox/mailboxtest"
)

// modelled is a client that believes what it is told, and nothing else: which UID
// each number has, and which flags.
type modelled struct {
	t    *testing.T
	name string
	conn net.Conn
	r    *bufio.Reader
	rng  *rand.Rand
	log  []string

	qresync bool
	uids    []uint32 // by number; 0: not told yet
	flags   []string // by number, in order; "?": not known
	byNum   bool     // all commands that run name messages by number
	asked   map[int]bool
	found   []uint32 // by the last SEARCH
	mail    *mailboxtest.Mail
	alone   bool // nobody else does anything meanwhile
}

var (
	reCount   = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|RECENT)$`)
	reFetch   = regexp.MustCompile(`^\* (\d+) FETCH \((.*)\)$`)
	reUID     = regexp.MustCompile(`UID (\d+)`)
	reFlags   = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	reVanish  = regexp.MustCompile(`^\* VANISHED ([0-9,:]+)$`)
	reCopyUID = regexp.MustCompile(`COPYUID \d+ ([0-9,:]+) `)
)

func (m *modelled) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s: %s; the last lines are\n%s", m.name, fmt.Sprintf(format, args...), strings.Join(m.log[max(0, len(m.log)-40):], "\n"))
}

func (m *modelled) note(line string) { m.log = append(m.log, line) }

// do sends commands in one packet, each with its tag before it, and takes in what
// comes until all are answered. It gives how each was.
func (m *modelled) do(commands ...string) (answers []string) {
	m.t.Helper()
	var send strings.Builder
	for i, c := range commands {
		fmt.Fprintf(&send, "t%d %s\r\n", i, c)
		m.note("C: " + c)
	}
	m.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := m.conn.Write([]byte(send.String())); err != nil {
		m.fail("%v", err)
	}
	for len(answers) < len(commands) {
		line := m.line()
		switch rest, ok := strings.CutPrefix(line, fmt.Sprintf("t%d ", len(answers))); {
		case ok:
			answers = append(answers, rest)
		case strings.HasPrefix(line, "+ "):
			m.note("C: DONE")
			if _, err := m.conn.Write([]byte("DONE\r\n")); err != nil {
				m.fail("%v", err)
			}
		default:
			m.hear(line)
		}
	}
	return answers
}

func (m *modelled) line() string {
	line, err := m.r.ReadString('\n')
	m.note("S: " + strings.TrimRight(line, "\r\n"))
	if err != nil {
		m.fail("%v", err)
	}
	return strings.TrimRight(line, "\r\n")
}

// hear takes in an untagged line.
func (m *modelled) hear(line string) {
	if c := reCount.FindStringSubmatch(line); c != nil {
		n, _ := strconv.Atoi(c[1])
		switch {
		case c[2] == "EXISTS" && n < len(m.uids):
			m.fail("EXISTS %d where %d are known and no EXPUNGE was told", n, len(m.uids))
		case c[2] == "EXISTS":
			for len(m.uids) < n {
				m.uids, m.flags = append(m.uids, 0), append(m.flags, "?")
			}
		case c[2] == "EXPUNGE" && (m.byNum || n < 1 || n > len(m.uids) || m.qresync):
			m.fail("EXPUNGE %d of %d, among commands by number: %v, QRESYNC: %v", n, len(m.uids), m.byNum, m.qresync)
		case c[2] == "EXPUNGE":
			m.drop(n - 1)
		}
		return
	}
	if v := reVanish.FindStringSubmatch(line); v != nil {
		if !m.qresync || m.byNum {
			m.fail("VANISHED among commands by number: %v, QRESYNC: %v", m.byNum, m.qresync)
		}
		for _, uid := range spread(v[1]) {
			m.vanish(uid)
		}
		return
	}
	if f := reFetch.FindStringSubmatch(line); f != nil {
		n, _ := strconv.Atoi(f[1])
		m.fetched(n, f[2])
		return
	}
	if rest, ok := strings.CutPrefix(line, "* SEARCH"); ok {
		m.found = nil
		for _, w := range strings.Fields(rest) {
			n, _ := strconv.ParseUint(w, 10, 32)
			m.found = append(m.found, uint32(n))
		}
		return
	}
	if !strings.HasPrefix(line, "* OK ") && !strings.HasPrefix(line, "* FLAGS ") && !strings.HasPrefix(line, "* ENABLED") {
		m.fail("unexpected line")
	}
}

func (m *modelled) drop(i int) {
	m.uids, m.flags = slices.Delete(m.uids, i, i+1), slices.Delete(m.flags, i, i+1)
}

// vanish drops the message with this UID, or one whose UID was not told yet and
// that may have it.
func (m *modelled) vanish(uid uint32) {
	i := slices.Index(m.uids, uid)
	for j, u := range m.uids {
		if i < 0 && u == 0 && slices.Max(append([]uint32{0}, m.uids[:j]...)) < uid &&
			!slices.ContainsFunc(m.uids[j:], func(u uint32) bool { return u > 0 && u < uid }) {
			i = j
		}
	}
	if i < 0 {
		m.fail("VANISHED %d, which is not there", uid)
	}
	m.drop(i)
}

func (m *modelled) fetched(n int, items string) {
	if n < 1 || n > len(m.uids) {
		m.fail("FETCH of message %d of %d", n, len(m.uids))
	}
	if u := reUID.FindStringSubmatch(items); u != nil {
		uid64, _ := strconv.ParseUint(u[1], 10, 32)
		uid := uint32(uid64)
		switch was := m.uids[n-1]; {
		case was != 0 && was != uid:
			m.fail("number %d was message %d and is %d, and no EXPUNGE was told", n, was, uid)
		case n > 1 && m.uids[n-2] >= uid:
			m.fail("message %d stands after %d", uid, m.uids[n-2])
		}
		m.uids[n-1] = uid
	}
	f := reFlags.FindStringSubmatch(items)
	if f == nil {
		return
	}
	words := slices.DeleteFunc(strings.Fields(f[1]), func(w string) bool { return w == `\Recent` })
	slices.Sort(words)
	now := strings.Join(words, " ")
	if was := m.flags[n-1]; m.asked[n] && was != "?" && was != now {
		m.fail("number %d had flags %q and has %q, which was not told", n, was, now)
	}
	delete(m.asked, n) // what comes after the answer is news
	m.flags[n-1] = now
}

// spread is the numbers of a set.
func spread(set string) (out []uint32) {
	for _, r := range strings.Split(set, ",") {
		lo, hi, ok := strings.Cut(r, ":")
		a, _ := strconv.ParseUint(lo, 10, 32)
		b := a
		if ok {
			b, _ = strconv.ParseUint(hi, 10, 32)
		}
		for n := a; n <= b; n++ {
			out = append(out, uint32(n))
		}
	}
	return out
}

// newModelled begins a session and selects the mailbox.
func newModelled(t *testing.T, name string, mail *mailboxtest.Mail, seed uint64, qresync bool) *modelled {
	conn, _ := piped(mail, nil)
	lines := make(chan string, 1<<16)
	back, feed := net.Pipe()
	go func() { // so that the session never waits for the client to read
		r := bufio.NewReader(conn)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				close(lines)
				return
			}
			lines <- line
		}
	}()
	go func() {
		for line := range lines {
			if _, err := feed.Write([]byte(line)); err != nil {
				return
			}
		}
		feed.Close()
	}()
	t.Cleanup(func() { conn.Close(); back.Close() })
	m := &modelled{t: t, name: name, conn: conn, r: bufio.NewReader(back), rng: rand.New(rand.NewPCG(seed, 1)), mail: mail, qresync: qresync, asked: map[int]bool{}}
	m.line()
	if qresync {
		m.do("ENABLE QRESYNC")
	}
	m.do("SELECT INBOX")
	return m
}
