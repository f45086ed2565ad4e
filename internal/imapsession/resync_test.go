// SPDX-License-Identifier: ISC

package imapsession

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
)

// cached is what a client that resynchronizes (RFC 7162 §3.2.5) keeps of a mailbox
// between its visits.
type cached struct {
	flags  map[uint32]string // by UID
	modseq uint64
	whole  uint32 // it has fetched all up to this UID
	mine   string // the flag that its STORE in silence adds
}

// uids is the cache's UIDs in order.
func (c *cached) uids() []uint32 { return slices.Sorted(maps.Keys(c.flags)) }

// set is UIDs as a set, which must not be empty.
func set(uids []uint32) string { return string(imap.AppendRanges(nil, toRanges(uids))) }

// ask is the SELECT of this visit: with the UIDs that the client knows or without,
// and perhaps with some pairs of number and UID.
func (c *cached) ask(rng *rand.Rand, validity uint32) string {
	if c.modseq == 0 {
		return "s SELECT INBOX\r\n"
	}
	ask := fmt.Sprintf("s SELECT INBOX (QRESYNC (%d %d", validity, c.modseq)
	uids := c.uids()
	if len(uids) > 0 && rng.IntN(2) == 0 {
		ask += " " + set(uids)
	}
	if len(uids) > 0 && rng.IntN(2) == 0 {
		var seqs, of []uint32
		for i := range uids {
			if rng.IntN(3) == 0 {
				seqs, of = append(seqs, uint32(i+1)), append(of, uids[i])
			}
		}
		if len(seqs) > 0 {
			ask += " (" + set(seqs) + " " + set(of) + ")"
		}
	}
	return ask + "))\r\n"
}

var (
	reGone   = regexp.MustCompile(`^\* VANISHED (?:\(EARLIER\) )?([0-9,:]+)$`)
	reModSeq = regexp.MustCompile(`MODSEQ \((\d+)\)`)
	reHigh   = regexp.MustCompile(`\[HIGHESTMODSEQ (\d+)\]`)
)

// hear takes in what a command was answered. The point to come back to is then
// what RFC 7162 §6 says: HIGHESTMODSEQ, or the greatest MODSEQ where none was told.
func (c *cached) hear(t *testing.T, lines []string) {
	t.Helper()
	var high, seen uint64
	for _, line := range lines {
		if gone := reGone.FindStringSubmatch(line); gone != nil {
			for _, uid := range spread(gone[1]) {
				delete(c.flags, uid)
			}
		}
		if h := reHigh.FindStringSubmatch(line); h != nil {
			high, _ = strconv.ParseUint(h[1], 10, 64)
		}
		if f := reFetch.FindStringSubmatch(line); f != nil {
			seen = max(seen, c.fetched(t, f[2]))
		}
	}
	if c.modseq = max(c.modseq, seen); high != 0 {
		c.modseq = high
	}
}

// fetched takes in the items of a FETCH and gives its mod-sequence.
func (c *cached) fetched(t *testing.T, items string) (modseq uint64) {
	t.Helper()
	u := reUID.FindStringSubmatch(items)
	if u == nil {
		t.Fatalf("no UID in %q", items)
	}
	n, _ := strconv.ParseUint(u[1], 10, 32)
	uid := uint32(n)
	if m := reModSeq.FindStringSubmatch(items); m != nil {
		modseq, _ = strconv.ParseUint(m[1], 10, 64)
	}
	words := strings.Fields(c.flags[uid])
	if f := reFlags.FindStringSubmatch(items); f != nil {
		words = slices.DeleteFunc(strings.Fields(f[1]), func(w string) bool { return w == `\Recent` })
	} else if c.mine != "" && !slices.Contains(words, c.mine) {
		words = append(words, c.mine)
	}
	slices.Sort(words)
	c.flags[uid] = strings.Join(words, " ")
	return modseq
}

// is is what the mailbox really has.
func is(t *testing.T, mail *mailboxtest.Mail) (flags map[uint32]string, validity uint32) {
	t.Helper()
	b, err := mail.Account().Open("INBOX", true)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	flags = map[uint32]string{}
	for seq := 1; seq <= b.Len(); seq++ {
		var m mailbox.Message
		b.Message(seq, &m)
		var words []string
		for i, name := range systemFlags {
			if m.Flags&(1<<i) != 0 {
				words = append(words, name)
			}
		}
		for i, name := range b.Keywords() {
			if m.Keywords&(1<<i) != 0 {
				words = append(words, name)
			}
		}
		slices.Sort(words)
		flags[m.UID] = strings.Join(words, " ")
	}
	return flags, b.UIDValidity()
}

// TestResync: whatever others do between its visits, a client that resynchronizes
// and fetches what is above its UIDs knows what is there, also where what was
// expunged has been forgotten.
func TestResync(t *testing.T) {
	for seed := range uint64(6) {
		mail := mailboxtest.New()
		if err := mail.Account().Create("Trash", nil); err != nil {
			t.Fatal(err)
		}
		other := newModelled(t, "other", mail, seed, false)
		rng := rand.New(rand.NewPCG(seed, 3))
		c := &cached{flags: map[uint32]string{}}
		s := dial(t, mail)
		s.ask(t, "", "login OK")
		s.ask(t, "e ENABLE QRESYNC\r\n", "e OK")
		for range 150 {
			for range rng.IntN(12) {
				other.step()
			}
			if rng.IntN(5) == 0 {
				mail.Forget("INBOX")
			}
			_, validity := is(t, mail)
			last := uint32(0)
			if uids := c.uids(); len(uids) > 0 {
				last = uids[len(uids)-1]
			}
			ask := c.ask(rng, validity)
			told := s.ask(t, ask, "s ")
			c.hear(t, told)
			c.hear(t, s.ask(t, fmt.Sprintf("f UID FETCH %d:* (FLAGS)\r\n", last+1), "f "))
			s.ask(t, "u UNSELECT\r\n", "u OK")
			if want, _ := is(t, mail); !maps.Equal(c.flags, want) {
				t.Fatalf("seed %d: after %q and\n%s\nthe client knows\n%v; there is\n%v", seed, ask, strings.Join(told, "\n"), c.flags, want)
			}
		}
		s.Close()
		<-s.done
	}
}
