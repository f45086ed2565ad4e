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
	"sync"
	"testing"
	"time"

	"quill/internal/mailbox"
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

// login begins a session and selects the mailbox.
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

// some is a set of one to three numbers that there are, with its members.
func (m *modelled) some() (set string, ns []int) {
	for range 1 + m.rng.IntN(3) {
		a := 1 + m.rng.IntN(len(m.uids))
		b := min(len(m.uids), a+m.rng.IntN(3))
		set += fmt.Sprintf(",%d:%d", a, b)
		for n := a; n <= b; n++ {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return set[1:], slices.Compact(ns)
}

// someUIDs is UIDs that are known, and perhaps one that is not there.
func (m *modelled) someUIDs() (set string, uids []uint32) {
	for range 1 + m.rng.IntN(3) {
		uid := m.uids[m.rng.IntN(len(m.uids))]
		if uid == 0 || m.rng.IntN(10) == 0 {
			uid = 1 + m.rng.Uint32N(2000)
		}
		set += fmt.Sprintf(",%d", uid)
		uids = append(uids, uid)
	}
	return set[1:], uids
}

// box is what is really there: flags by UID.
func (m *modelled) box() map[uint32]mailbox.Message {
	b, err := m.mail.Account().Open("INBOX", true)
	if err != nil {
		m.fail("%v", err)
	}
	defer b.Close()
	all := map[uint32]mailbox.Message{}
	for seq := 1; seq <= b.Len(); seq++ {
		var msg mailbox.Message
		b.Message(seq, &msg)
		all[msg.UID] = msg
	}
	return all
}

// touched fails where others than these messages have been changed or are gone.
func (m *modelled) touched(before map[uint32]mailbox.Message, named []uint32) {
	if !m.alone {
		return
	}
	after := m.box()
	for uid, was := range before {
		now, ok := after[uid]
		if slices.Contains(named, uid) || ok && now.Flags == was.Flags && now.Keywords == was.Keywords {
			continue
		}
		m.fail("message %d was not named, had flags %x and is there: %v, with %x", uid, was.Flags, ok, now.Flags)
	}
}

// uidsOf is what the client knows of these numbers; 0 stands for what it does not.
func (m *modelled) uidsOf(ns []int) (uids []uint32) {
	for _, n := range ns {
		uids = append(uids, m.uids[n-1])
	}
	return uids
}

// step does something.
func (m *modelled) step() {
	m.asked, m.byNum = map[int]bool{}, false
	if i := slices.Index(m.uids, 0); i >= 0 && m.rng.IntN(2) == 0 {
		m.do(fmt.Sprintf("UID FETCH %d:* (FLAGS)", max(1, slices.Max(append([]uint32{0}, m.uids...))+1)))
		return
	}
	do := m.rng.IntN(16)
	if len(m.uids) == 0 && do < 11 {
		do = 11
	}
	switch do {
	case 0, 1, 2:
		m.stepFetch()
	case 3, 4, 5:
		m.stepStore()
	case 6:
		m.stepPipelined()
	case 7:
		m.stepMove()
	case 8:
		set, uids := m.someUIDs()
		before := m.box()
		m.do("UID EXPUNGE " + set)
		m.touched(before, uids)
	case 9:
		before, deleted := m.box(), []uint32{}
		for uid, msg := range before {
			if msg.Flags&mailbox.Deleted != 0 {
				deleted = append(deleted, uid)
			}
		}
		m.do("EXPUNGE")
		m.touched(before, deleted)
	case 10:
		m.stepSearch()
	case 11:
		m.do([]string{"NOOP", "CHECK"}[m.rng.IntN(2)])
	case 12:
		m.do("IDLE")
	case 13, 14:
		m.stepMore()
	case 15:
		if m.rng.IntN(4) == 0 {
			m.uids, m.flags = nil, nil
			m.do("SELECT INBOX")
		}
	}
}

func (m *modelled) stepFetch() {
	if m.rng.IntN(3) == 0 {
		set, _ := m.someUIDs()
		m.do("UID FETCH " + set + " (FLAGS)")
		return
	}
	set, ns := m.some()
	for _, n := range ns {
		m.asked[n] = true
	}
	m.byNum = true
	if got := m.do("FETCH " + set + " (UID FLAGS)"); !strings.HasPrefix(got[0], "OK ") {
		m.fail("FETCH of numbers that there are is refused")
	}
	for n := range m.asked {
		m.fail("message %d was not fetched", n)
	}
}

func (m *modelled) stepStore() {
	flag := []string{`\Deleted`, `\Flagged`, `\Seen`, "kw1", "kw2"}[m.rng.IntN(5)]
	op, silent := []string{"+", "-", ""}[m.rng.IntN(3)], []string{"", ".SILENT"}[m.rng.IntN(2)]
	change := " " + op + "FLAGS" + silent + " (" + flag + ")"
	before := m.box()
	if m.rng.IntN(3) == 0 {
		set, uids := m.someUIDs()
		m.do("UID STORE " + set + change)
		m.touched(before, uids)
		for i, uid := range m.uids {
			if slices.Contains(uids, uid) && silent != "" {
				m.flags[i] = changed(m.flags[i], op, flag)
			}
		}
		return
	}
	set, ns := m.some()
	m.byNum = true
	uids := m.uidsOf(ns)
	got := m.do("STORE " + set + change)
	if !slices.Contains(uids, 0) {
		m.touched(before, uids)
	}
	for _, n := range ns {
		switch {
		case !strings.HasPrefix(got[0], "OK "): // some are gone
			m.flags[n-1] = "?"
		case silent != "":
			m.flags[n-1] = changed(m.flags[n-1], op, flag)
		}
	}
}

// changed is flags after a STORE.
func changed(flags, op, flag string) string {
	if flags == "?" {
		return flags
	}
	if op == "" {
		return flag
	}
	words := slices.DeleteFunc(strings.Fields(flags), func(w string) bool { return w == flag })
	if op == "+" {
		words = append(words, flag)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// stepPipelined sends commands together; the numbers are those of when they are
// sent.
func (m *modelled) stepPipelined() {
	var commands []string
	for range 2 + m.rng.IntN(3) {
		set, _ := m.some()
		commands = append(commands, []string{"FETCH " + set + " (UID FLAGS)", "STORE " + set + ` +FLAGS (\Seen)`, "SEARCH ALL"}[m.rng.IntN(3)])
	}
	m.byNum = true
	m.do(commands...)
}

func (m *modelled) stepMove() {
	before := m.box()
	if m.rng.IntN(2) == 0 {
		set, uids := m.someUIDs()
		m.do([]string{"UID MOVE ", "UID COPY "}[m.rng.IntN(2)] + set + []string{" INBOX", " Trash"}[m.rng.IntN(2)])
		m.touched(before, uids)
		return
	}
	set, ns := m.some()
	uids := m.uidsOf(ns)
	start := len(m.log)
	m.do([]string{"MOVE ", "COPY "}[m.rng.IntN(2)] + set + []string{" INBOX", " Trash"}[m.rng.IntN(2)])
	if slices.Contains(uids, 0) {
		return
	}
	m.touched(before, uids)
	for _, line := range m.log[start:] {
		if c := reCopyUID.FindStringSubmatch(line); c != nil {
			for _, uid := range spread(c[1]) {
				if !slices.Contains(uids, uid) {
					m.fail("message %d was copied, which was not named", uid)
				}
			}
		}
	}
}

// stepSearch: a search of all finds just what the client knows of.
func (m *modelled) stepSearch() {
	if m.rng.IntN(2) == 0 {
		m.byNum = true
		known := len(m.uids)
		m.do("SEARCH ALL")
		if len(m.found) != known {
			m.fail("SEARCH ALL finds %d of %d messages", len(m.found), known)
		}
		return
	}
	known := slices.Clone(m.uids)
	m.do("UID SEARCH ALL")
	if len(known) != len(m.found) {
		m.fail("UID SEARCH ALL finds %d of %d messages", len(m.found), len(known))
	}
	for i, uid := range known {
		if uid != 0 && m.found[i] != uid {
			m.fail("number %d is message %d to SEARCH and %d to us", i+1, m.found[i], uid)
		}
	}
}

// stepMore brings messages.
func (m *modelled) stepMore() {
	switch {
	case len(m.uids) > 40:
		m.do(`STORE 1:20 +FLAGS.SILENT (\Deleted)`, "EXPUNGE")
		for i := range m.flags {
			m.flags[i] = "?"
		}
	case m.rng.IntN(2) == 0:
		m.do("APPEND INBOX (kw1) {6+}\r\na: b\r\n")
	default:
		m.mail.Deliver("INBOX", mailboxtest.Message{Text: "a: b\n\n"}, mailboxtest.Message{Text: "c: d\n\n"})
	}
}

// TestIM10: sessions in one mailbox that expunge, move and store: what a client
// has been told is always what is, no number is another message's before that was
// told, and no message is touched that was not named.
func TestIM10(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			mail := mailboxtest.New()
			if err := mail.Account().Create("Trash", nil); err != nil {
				t.Fatal(err)
			}
			var ms []*modelled
			for i := range 3 {
				m := newModelled(t, fmt.Sprint("session ", i), mail, seed<<8+uint64(i), i == 1)
				m.alone = true
				ms = append(ms, m)
			}
			rng := rand.New(rand.NewPCG(seed, 2))
			for range 1500 {
				ms[rng.IntN(3)].step()
			}
		})
	}
}

// TestIM10AtOnce: the same while all go at once.
func TestIM10AtOnce(t *testing.T) {
	mail := mailboxtest.New()
	if err := mail.Account().Create("Trash", nil); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		m := newModelled(t, fmt.Sprint("session ", i), mail, uint64(i), i%2 == 1)
		wg.Go(func() {
			for range 1500 {
				if t.Failed() {
					return
				}
				m.step()
			}
		})
	}
	wg.Wait()
}
