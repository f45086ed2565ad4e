// SPDX-License-Identifier: ISC

package imapsession

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
	"quill/internal/racetest"
)

// TestIM10: sessions in one mailbox that expunge, move and store: what a client
// has been told is always what is, no number is another message's before that was
// told, and no message is touched that was not named.
func TestIM10(t *testing.T) {
	for _, seed := range []uint64{0, 1, 2, 3, 4, 5, 6, 34} {
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
			for range racetest.Fewer(1500) {
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
	if m.rng.IntN(3) == 0 {
		change = fmt.Sprintf(" (UNCHANGEDSINCE %d)%s", m.rng.IntN(400), change)
	}
	before := m.box()
	if m.rng.IntN(3) == 0 {
		set, uids := m.someUIDs()
		spared := modifiedOf(m.do("UID STORE " + set + change)[0])
		m.touched(before, slices.DeleteFunc(slices.Clone(uids), func(uid uint32) bool { return slices.Contains(spared, uid) }))
		after := m.box()
		for i, uid := range m.uids {
			if _, there := after[uid]; slices.Contains(uids, uid) && silent != "" && there && !slices.Contains(spared, uid) {
				m.flags[i] = changed(m.flags[i], op, flag)
			} else if !there {
				m.flags[i] = "?" // it is gone, and that is still to be told
			}
		}
		return
	}
	set, ns := m.some()
	m.byNum = true
	uids := m.uidsOf(ns)
	got := m.do("STORE " + set + change)
	spared := modifiedOf(got[0])
	if !slices.Contains(uids, 0) {
		m.touched(before, m.uidsOf(slices.DeleteFunc(slices.Clone(ns), func(n int) bool { return slices.Contains(spared, uint32(n)) })))
	}
	for _, n := range ns {
		switch {
		case !strings.HasPrefix(got[0], "OK "): // some are gone
			m.flags[n-1] = "?"
		case silent != "" && !slices.Contains(spared, uint32(n)):
			m.flags[n-1] = changed(m.flags[n-1], op, flag)
		}
	}
}

// modifiedOf is what an answer says was spared (RFC 7162 §3.1.3).
func modifiedOf(answer string) []uint32 {
	_, rest, ok := strings.Cut(answer, "[MODIFIED ")
	if !ok {
		return nil
	}
	set, _, _ := strings.Cut(rest, "]")
	return spread(set)
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
