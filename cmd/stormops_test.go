// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sailor is a client in the storm, with an imapd of its own.
type sailor struct {
	view
	w       *storm
	c       *imapTalk
	name    string
	rng     *rand.Rand
	n       int // messages made
	points  []point
	refused map[string]int
}

// do says a command; code is of its OK, and ok is false after a NO that the
// deeds of others explain.
func (s *sailor) do(format string, a ...any) (answer string, ok bool, err error) {
	answer, err = s.c.say(fmt.Sprintf(format, a...), s.take)
	return s.judge(answer, err)
}

func (s *sailor) judge(answer string, err error) (string, bool, error) {
	switch {
	case err != nil:
		return answer, false, err
	case strings.HasPrefix(answer, "OK"):
		return answer, true, s.learnUIDs()
	case strings.HasPrefix(answer, "NO [EXPUNGEISSUED]"), strings.HasPrefix(answer, "NO [INUSE]"):
		s.refused[answer]++
		return answer, false, s.learnUIDs()
	}
	return answer, false, fmt.Errorf("answer %q", answer)
}

// learnUIDs asks for what is there and not known.
func (s *sailor) learnUIDs() error {
	first := -1
	s.k.with(func() {
		first = slices.IndexFunc(s.box, func(m shown) bool { return m.uid == 0 || s.k.token[place{s.folder, m.uid}] == "" })
	})
	if first < 0 {
		return nil
	}
	answer, err := s.c.say(fmt.Sprintf("FETCH %d:%d (UID FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (SUBJECT)])", first+1, len(s.box)), s.take)
	if err == nil && !strings.HasPrefix(answer, "OK") && !strings.HasPrefix(answer, "NO [EXPUNGEISSUED]") {
		err = fmt.Errorf("answer %q", answer)
	}
	return err
}

// other is the folder that is not selected.
func (s *sailor) other() string { return stormFolders[(slices.Index(stormFolders, s.folder)+1)%2] }

// pick is a random number of a message, 0 where there is none whose UID is known.
func (s *sailor) pick() int {
	for range 5 {
		if len(s.box) == 0 {
			break
		}
		if i := s.rng.IntN(len(s.box)); s.box[i].uid != 0 {
			return i + 1
		}
	}
	return 0
}

// tokens is what these UIDs stand for.
func (s *sailor) tokens(folder string, uids []uint32) (out []string) {
	s.k.with(func() {
		for _, u := range uids {
			out = append(out, s.k.token[place{folder, u}])
		}
	})
	return out
}

// class is a message's: K is kept, C may be copied, E may go.
func (s *sailor) class(n int) string {
	if token := s.tokens(s.folder, []uint32{s.box[n-1].uid})[0]; token != "" {
		return token[6:7]
	}
	return ""
}

// step does something.
func (s *sailor) step() error {
	deeds := []struct {
		weight int
		do     func() error
	}{
		{6, s.verify}, {8, s.body}, {3, s.read}, {10, s.store}, {4, s.storeUIDs}, {8, s.remove}, {8, s.append}, {3, s.copy}, {8, s.move},
		{3, s.search}, {4, s.noop}, {4, s.idle}, {3, s.again}, {3, s.since}, {1, s.status2},
	}
	all := 0
	for _, d := range deeds {
		all += d.weight
	}
	at := s.rng.IntN(all)
	for _, d := range deeds {
		if at -= d.weight; at < 0 {
			s.bodies = make(map[uint32]string)
			err := d.do()
			s.keep()
			return err
		}
	}
	return nil
}

// verify holds that FETCH of all says what was told.
func (s *sailor) verify() error {
	s.strict = make(map[uint32]bool)
	defer func() { s.strict = nil }()
	before := len(s.box)
	if before == 0 {
		return nil
	}
	if _, _, err := s.do("FETCH 1:* (UID FLAGS MODSEQ)"); err != nil {
		return err
	}
	if len(s.strict) < before {
		return fmt.Errorf("FETCH of all told of %d messages; want %d", len(s.strict), before)
	}
	return nil
}

// body holds that the body under a number is that of its UID; bind does where
// the UID is told, and here it is not.
func (s *sailor) body() error {
	n := s.pick()
	if n == 0 {
		return nil
	}
	uid := s.box[n-1].uid
	_, ok, err := s.do("FETCH %d BODY.PEEK[]", n)
	if err == nil && ok {
		if want := s.tokens(s.folder, []uint32{uid})[0]; want != "" && s.bodies[uint32(n)] != want {
			return fmt.Errorf("body of number %d (UID %d) is of %s; want %s", n, uid, s.bodies[uint32(n)], want)
		}
	}
	return err
}

func (s *sailor) read() error {
	n := s.pick()
	if n == 0 {
		return nil
	}
	_, _, err := s.do("UID FETCH %d (UID BODY[TEXT])", s.box[n-1].uid)
	return err
}

var stormFlags = []string{`\Seen`, `\Flagged`, `\Answered`, `\Draft`, "$Forwarded", "Blue", "$Junk"}

func (s *sailor) flags() string {
	op := []string{"+", "-", ""}[s.rng.IntN(3)]
	a, b := stormFlags[s.rng.IntN(len(stormFlags))], stormFlags[s.rng.IntN(len(stormFlags))]
	return op + "FLAGS (" + a + " " + b + ")"
}

func (s *sailor) store() error {
	n := s.pick()
	if n == 0 {
		return nil
	}
	cond := ""
	if s.rng.IntN(3) == 0 {
		cond = fmt.Sprintf("(UNCHANGEDSINCE %d) ", s.box[n-1].modSeq)
	}
	_, _, err := s.do("STORE %d %s%s", n, cond, s.flags())
	return err
}

func (s *sailor) storeUIDs() error {
	n, m := s.pick(), s.pick()
	if n == 0 || m == 0 {
		return nil
	}
	uid := s.box[n-1].uid
	_, _, err := s.do("UID STORE %d:%d,%d %s", uid, uid+3, s.box[m-1].uid, s.flags())
	return err
}

// remove deletes some of the messages that may go.
func (s *sailor) remove() error {
	var uids []string
	most := 1 + len(s.box)/30
	for range most * 3 {
		if n := s.pick(); n > 0 && len(uids) < most && s.class(n) == "E" {
			uid := s.box[n-1].uid
			token := s.tokens(s.folder, []uint32{uid})[0]
			s.k.with(func() { s.k.doomed[token] = true })
			if _, _, err := s.do(`STORE %d +FLAGS (\Deleted)`, n); err != nil {
				return err
			}
			uids = append(uids, strconv.Itoa(int(uid)))
		}
	}
	if len(uids) == 0 {
		return nil
	}
	expunge := "EXPUNGE"
	if s.rng.IntN(2) == 0 {
		expunge = "UID EXPUNGE " + strings.Join(uids, ",")
	}
	_, ok, err := s.do("%s", expunge)
	if err == nil && ok && expunge != "EXPUNGE" {
		for _, m := range s.box {
			if slices.Contains(uids, strconv.Itoa(int(m.uid))) && strings.Contains(m.flags, `\Deleted`) {
				return fmt.Errorf("UID %d is there with %s after its EXPUNGE", m.uid, m.flags)
			}
		}
	}
	return err
}

// append makes one to three messages.
func (s *sailor) append() error {
	folder := stormFolders[s.rng.IntN(2)]
	if s.w.crowded(folder) {
		return nil
	}
	var words strings.Builder
	var tokens []string
	for range 1 + s.rng.IntN(3) {
		s.n++
		token := s.w.token(s.name, s.n)
		tokens = append(tokens, token)
		text := stormMail(token, s.rng.IntN(3000))
		fmt.Fprintf(&words, " (%s) {%d+}\r\n%s", []string{"", `\Seen`, `\Flagged $Junk`}[s.rng.IntN(3)], len(text), text)
	}
	var before uint32
	s.k.with(func() {
		before = s.k.maxUID[folder]
		for _, token := range tokens {
			s.k.sent[token] = true
		}
	})
	answer, ok, err := s.do("APPEND %s%s", folder, words.String())
	if !ok {
		s.k.with(func() {
			for _, token := range tokens {
				s.k.denied[token] = true
			}
		})
	}
	if err != nil || !ok {
		return err
	}
	s.k.with(func() {
		for _, token := range tokens {
			s.k.arrived[token] = true
		}
	})
	made, ok := code(answer, "APPENDUID ")
	if !ok { // others have moved one away already
		s.refused["OK without APPENDUID"]++
		return nil
	}
	validity, set, _ := strings.Cut(made, " ")
	return s.k.made(folder, validity, numbers(set), tokens, before)
}

// copied takes in a COPYUID.
func (s *sailor) copied(said string, to string, before uint32, copies bool) error {
	f := strings.Fields(said)
	if len(f) != 3 {
		return fmt.Errorf("COPYUID %q", said)
	}
	tokens := s.tokens(s.folder, numbers(f[1]))
	if copies {
		s.k.with(func() {
			for _, token := range tokens {
				s.k.copies[token]++
			}
		})
	}
	return s.k.made(to, f[0], numbers(f[2]), tokens, before)
}

// copy copies a message that is not to be the only one.
func (s *sailor) copy() error {
	to := stormFolders[s.rng.IntN(2)]
	for range 5 {
		n := s.pick()
		if n == 0 || s.class(n) == "K" || s.class(n) == "" || s.w.crowded(to) {
			continue
		}
		if s.class(n) == "C" && s.w.stay.Add(1) > 40 {
			continue // or in the end there is room for nothing else
		}
		var before uint32
		s.k.with(func() { before = s.k.maxUID[to] })
		answer, ok, err := s.do("COPY %d %s", n, to)
		if err != nil || !ok {
			return err
		}
		said, _ := code(answer, "COPYUID ")
		return s.copied(said, to, before, true)
	}
	return nil
}

// move moves a few messages to the other folder.
func (s *sailor) move() error {
	n := s.pick()
	if n == 0 || s.w.crowded(s.other()) {
		return nil
	}
	to, said := s.other(), ""
	last := min(n+s.rng.IntN(3), len(s.box))
	var before uint32
	s.k.with(func() { before = s.k.maxUID[to] })
	command := fmt.Sprintf("MOVE %d:%d %s", n, last, to)
	if m := s.pick(); m > 0 && s.rng.IntN(2) == 0 {
		command = fmt.Sprintf("UID MOVE %d,%d %s", s.box[n-1].uid, s.box[m-1].uid, to)
	}
	answer, err := s.c.say(command, func(line string) error {
		if c, ok := code(line, "COPYUID "); ok {
			said = c
			return s.copied(said, to, before, false)
		}
		return s.take(line)
	})
	_, ok, err := s.judge(answer, err)
	if err != nil || !ok || said == "" {
		return err
	}
	for _, u := range numbers(strings.Fields(said)[1]) {
		if slices.ContainsFunc(s.box, func(m shown) bool { return m.uid == u }) {
			return fmt.Errorf("UID %d is there after its MOVE", u)
		}
	}
	return nil
}

// search holds that SEARCH finds what was told.
func (s *sailor) search() error {
	key := []string{"ALL", "UNSEEN", "FLAGGED", "DELETED"}[s.rng.IntN(4)]
	var want []uint32
	for _, m := range s.box {
		seen, flagged, deleted := strings.Contains(m.flags, `\Seen`), strings.Contains(m.flags, `\Flagged`), strings.Contains(m.flags, `\Deleted`)
		if key == "ALL" || key == "UNSEEN" && !seen || key == "FLAGGED" && flagged || key == "DELETED" && deleted {
			want = append(want, m.uid)
		}
	}
	if slices.ContainsFunc(s.box, func(m shown) bool { return m.modSeq == 0 }) {
		return nil // one that was gone before it could be asked for
	}
	s.found = nil
	_, ok, err := s.do("UID SEARCH %s", key)
	if err == nil && ok && !slices.Equal(s.found, want) {
		return fmt.Errorf("UID SEARCH %s: %v; want %v", key, s.found, want)
	}
	return err
}

func (s *sailor) noop() error {
	_, _, err := s.do("NOOP")
	return err
}

// idle waits for news for a while.
func (s *sailor) idle() error {
	if _, err := io.WriteString(s.c, "idle IDLE\r\n"); err != nil {
		return err
	}
	s.c.note("C: idle IDLE")
	for {
		line, err := s.c.next()
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, "+") {
			break
		}
		if err := s.take(strings.TrimPrefix(line, "* ")); err != nil {
			return err
		}
	}
	time.Sleep(time.Duration(s.rng.IntN(50)) * time.Millisecond)
	if _, err := io.WriteString(s.c, "DONE\r\n"); err != nil {
		return err
	}
	answer, err := s.c.answer("idle ", s.take)
	_, _, err = s.judge(answer, err)
	return err
}

// status2 asks about the other folder.
func (s *sailor) status2() error {
	answer, err := s.c.say("STATUS "+s.other()+" (UIDVALIDITY MESSAGES UIDNEXT HIGHESTMODSEQ)", func(line string) error {
		rest, ok := strings.CutPrefix(line, "STATUS "+s.other()+" ")
		if !ok {
			return s.take(line)
		}
		n, _ := parseNodes(rest)
		v, _ := strconv.ParseUint(n[0].list[1].s, 10, 32)
		return s.k.valid(s.other(), uint32(v))
	})
	_, _, err = s.judge(answer, err)
	return err
}
