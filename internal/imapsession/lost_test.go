// SPDX-License-Identifier: ISC

package imapsession

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"quill/internal/mailbox/mailboxtest"
)

// resume selects the mailbox, from the point that the client has, and fetches what
// came since.
func (c *cached) resume(t *testing.T, s *client, validity uint32) (told []string) {
	t.Helper()
	s.ask(t, "", "login OK")
	s.ask(t, "e ENABLE QRESYNC\r\n", "e OK")
	ask := "s SELECT INBOX\r\n"
	if c.modseq > 0 {
		ask = fmt.Sprintf("s SELECT INBOX (QRESYNC (%d %d))\r\n", validity, c.modseq)
	}
	told = s.ask(t, ask, "s ")
	c.hear(t, told)
	c.hear(t, s.ask(t, fmt.Sprintf("f UID FETCH %d:* (FLAGS)\r\n", c.whole+1), "f "))
	if uids := c.uids(); len(uids) > 0 {
		c.whole = max(c.whole, uids[len(uids)-1])
	}
	return append([]string{ask}, told...)
}

// visit gives some commands that hold expunges back, or do not, while others are
// busy; held is how often HIGHESTMODSEQ was told.
func (c *cached) visit(t *testing.T, s *client, other *modelled, rng *rand.Rand) (held int) {
	t.Helper()
	for range 1 + rng.IntN(5) {
		for range rng.IntN(4) {
			other.step()
		}
		c.mine = ""
		var ask string
		switch rng.IntN(9) {
		case 0:
			c.mine, ask = `\Flagged`, `STORE 1:* +FLAGS.SILENT (\Flagged)`
		case 1:
			c.mine, ask = `\Draft`, `UID STORE 1:* +FLAGS.SILENT (\Draft)`
		case 2:
			c.mine, ask = `\Seen`, fmt.Sprintf(`STORE 1:* (UNCHANGEDSINCE %d) +FLAGS.SILENT (\Seen)`, c.modseq)
		case 3:
			ask = `STORE 1 -FLAGS (\Flagged \Draft)`
		case 4:
			ask = "FETCH 1:* (UID FLAGS MODSEQ)"
		case 5:
			ask = "SEARCH MODSEQ 1"
		case 6:
			ask = fmt.Sprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)", c.modseq)
		case 7:
			ask = "UID SEARCH 1:*"
		default:
			ask = "NOOP"
		}
		lines := s.ask(t, "v "+ask+"\r\n", "v ")
		c.hear(t, lines)
		held += strings.Count(strings.Join(lines, "\n"), "[HIGHESTMODSEQ ")
	}
	return held
}

// TestLost: a client whose connection breaks while expunges are held back comes
// back to the point that RFC 7162 §6 has it keep, and misses none (§3.2: "the
// client doesn't lose any changes in case of connectivity loss").
func TestLost(t *testing.T) {
	held := 0
	for seed := range uint64(8) {
		mail := mailboxtest.New()
		mail.Deliver("INBOX", make([]mailboxtest.Message, 8)...)
		if err := mail.Account().Create("Trash", nil); err != nil {
			t.Fatal(err)
		}
		other := newModelled(t, "other", mail, seed, false)
		rng := rand.New(rand.NewPCG(seed, 4))
		c := &cached{flags: map[uint32]string{}}
		for range 60 {
			_, validity := is(t, mail)
			s := dial(t, mail)
			told := c.resume(t, s, validity)
			if want, _ := is(t, mail); !maps.Equal(c.flags, want) {
				t.Fatalf("seed %d: after %s\nthe client knows\n%v; there is\n%v", seed, strings.Join(told, "\n"), c.flags, want)
			}
			held += c.visit(t, s, other, rng)
			s.Close()
			<-s.done
		}
	}
	if held < 50 {
		t.Errorf("HIGHESTMODSEQ was told %d times; this tests nothing", held)
	}
}
