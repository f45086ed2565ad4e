// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"quill/internal/privilege/privilegetest"
)

// kept is a folder as a client finds it.
type kept struct {
	validity, next uint32
	flags          map[uint32]string
	token          map[uint32]string
}

// has is the UIDs of a token.
func (k *kept) has(token string) (uids []uint32) {
	if k == nil {
		return nil
	}
	for uid, t := range k.token {
		if t == token {
			uids = append(uids, uid)
		}
	}
	return uids
}

// mailIs is a message of TestKillIMAP.
func mailIs(token string) string {
	return "Subject: " + token + "\r\n\r\n" + strings.Repeat("line of "+token+"\r\n", 40) + "end\r\n"
}

// snapshot is all folders, read by a new imapd, every body whole.
func snapshot(t *testing.T, home string) map[string]*kept {
	t.Helper()
	c, err := talkIMAP(home)
	if err != nil {
		t.Fatal(err)
	}
	defer c.leave()
	all := make(map[string]*kept)
	mustOK(t, c, `LIST "" *`, func(line string) error {
		f := strings.Fields(line)
		if f[0] == "LIST" && !strings.Contains(line, `\NonExistent`) && !strings.Contains(line, `\Noselect`) {
			all[f[len(f)-1]] = &kept{flags: make(map[uint32]string), token: make(map[uint32]string)}
		}
		return nil
	})
	for name, k := range all {
		mustOK(t, c, "SELECT "+name, func(line string) error {
			for code1, to := range map[string]*uint32{"UIDVALIDITY ": &k.validity, "UIDNEXT ": &k.next} {
				if s, ok := code(line, code1); ok {
					n, _ := strconv.ParseUint(s, 10, 32)
					*to = uint32(n)
				}
			}
			return nil
		})
		mustOK(t, c, "UID FETCH 1:* (UID FLAGS BODY.PEEK[])", func(line string) error {
			_, rest, ok := strings.Cut(line, " FETCH ")
			if !ok {
				return nil
			}
			n, _ := parseNodes(rest)
			items := n[0].list
			uid, _ := strconv.ParseUint(items[1].s, 10, 32)
			token := tokenForm.FindString(items[5].s)
			if items[5].s != mailIs(token) {
				return fmt.Errorf("%s UID %d is not whole: %q", name, uid, items[5].s)
			}
			k.flags[uint32(uid)], k.token[uint32(uid)] = flagText(items[3].list), token
			return nil
		})
	}
	if log := c.log.String(); log != "" {
		t.Errorf("imapd says %s", log)
	}
	return all
}

// mustOK says a command that must be obeyed.
func mustOK(t *testing.T, c *imapTalk, command string, take func(string) error) string {
	t.Helper()
	answer, err := c.say(command, take)
	if err != nil || !strings.HasPrefix(answer, "OK") {
		t.Fatalf("%.80s: %s, %v; log: %s", command, answer, err, c.log)
	}
	return answer
}

func tokenOf(name string) string { return "token-X-" + name + "-1-" }

func appending(folder, flags string, names ...string) string {
	s := "APPEND " + folder
	for _, name := range names {
		text := mailIs(tokenOf(name))
		s += fmt.Sprintf(" (%s) {%d+}\r\n%s", flags, len(text), text)
	}
	return s
}

// killed is what came of a command that a kill cut off.
type killed struct {
	ok            bool // it was answered so
	before, after map[string]*kept
}

// once says where each of these is: in one of the folders, or with both in several.
func (k *killed) once(both bool, folders []string, names ...string) (err error) {
	for _, name := range names {
		n := 0
		for _, f := range folders {
			n += len(k.after[f].has(tokenOf(name)))
		}
		if n != 1 && (n == 0 || !both) {
			err = fmt.Errorf("%s is there %d times in %v", name, n, folders)
		}
	}
	return err
}

// killCases is the commands and what must be true after each.
var killCases = []struct {
	name, command string
	check         func(k *killed) error
}{
	{"APPEND", appending("INBOX", `\Seen Key`, "e", "f"), func(k *killed) error {
		n := len(k.after["INBOX"].has(tokenOf("e"))) + len(k.after["INBOX"].has(tokenOf("f")))
		if n > 2 || k.ok && n != 2 {
			return fmt.Errorf("%d of 2 are there", n)
		}
		return k.once(false, []string{"INBOX"}, "a", "b", "c")
	}},
	{"STORE", `STORE 1:2 +FLAGS (\Flagged Key)`, func(k *killed) error {
		for _, uid := range []uint32{1, 2} {
			got := k.after["INBOX"].flags[uid]
			part := []string{"", "Key", `\Flagged`, `Key \Flagged`} // unanswered: any of it
			if got != part[3] && (k.ok || !slices.Contains(part, got)) {
				return fmt.Errorf("UID %d has %s", uid, got)
			}
		}
		return k.once(false, []string{"INBOX"}, "a", "b", "c")
	}},
	{"EXPUNGE", "EXPUNGE", func(k *killed) error {
		if n := len(k.after["INBOX"].has(tokenOf("c"))); n > 1 || k.ok && n > 0 {
			return fmt.Errorf("what was expunged is there %d times", n)
		}
		return k.once(false, []string{"INBOX"}, "a", "b")
	}},
	{"MOVE", "MOVE 1:2 Work", func(k *killed) error {
		if k.ok && len(k.after["INBOX"].token) != 1 {
			return fmt.Errorf("INBOX has %v", k.after["INBOX"].token)
		}
		return k.once(!k.ok, []string{"INBOX", "Work"}, "a", "b")
	}},
	{"COPY", "COPY 1:2 Work", func(k *killed) error {
		for _, name := range []string{"a", "b"} {
			if n := len(k.after["Work"].has(tokenOf(name))); n > 1 || k.ok && n != 1 {
				return fmt.Errorf("%s was copied %d times", name, n)
			}
		}
		return k.once(false, []string{"INBOX"}, "a", "b", "c")
	}},
	{"RENAME", "RENAME Work Job.Deep", func(k *killed) error {
		if k.ok && (k.after["Work"] != nil || k.after["Job.Deep"] == nil) {
			return fmt.Errorf("folders %v", k.after)
		}
		return k.once(false, []string{"Work", "Job.Deep"}, "d", "g")
	}},
	{"CREATE", "CREATE New.Sub", func(k *killed) error {
		if k.ok && k.after["New.Sub"] == nil {
			return fmt.Errorf("folders %v", k.after)
		}
		return k.once(false, []string{"INBOX"}, "a", "b", "c")
	}},
	{"DELETE", "DELETE Work", func(k *killed) error {
		if w := k.after["Work"]; k.ok && w != nil || w != nil && len(w.token) != 2 {
			return fmt.Errorf("Work is %+v", w)
		}
		return k.once(false, []string{"INBOX"}, "a", "b", "c")
	}},
}

// same holds that what the kill had nothing to do with is as it was.
func (k *killed) same() error {
	for name, was := range k.before {
		now := k.after[name]
		if now == nil {
			continue
		}
		if now.validity != was.validity || now.next < was.next {
			return fmt.Errorf("%s has UIDVALIDITY %d, UIDNEXT %d; had %d, %d", name, now.validity, now.next, was.validity, was.next)
		}
		for uid, token := range now.token {
			if had, ok := was.token[uid]; ok && had != token || !ok && uid < was.next {
				return fmt.Errorf("%s: UID %d is %s; was %q", name, uid, token, had)
			}
		}
	}
	for _, name := range []string{"INBOX", "Other"} {
		if k.after[name] == nil || name == "Other" && fmt.Sprint(*k.after[name]) != fmt.Sprint(*k.before[name]) {
			return fmt.Errorf("%s is %+v; was %+v", name, k.after[name], k.before[name])
		}
	}
	return nil
}

// TestKillIMAP: imapd is killed at the entry of each system call of a command
// that changes something. A new imapd then finds what was answered, nothing lost,
// nothing in part, and all UIDs as they were.
func TestKillIMAP(t *testing.T) {
	base := imapHome(t)
	c, err := talkIMAP(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"CREATE Work", "CREATE Other", appending("INBOX", "", "a", "b"), appending("INBOX", `\Deleted`, "c"),
		appending("Work", `\Seen`, "d", "g"), appending("Other", "Key", "h")} {
		mustOK(t, c, command, nil)
	}
	c.leave()
	before := snapshot(t, base)
	if len(before) != 3 || len(before["INBOX"].token) != 3 {
		t.Fatalf("the mail to begin with: %+v", before)
	}
	total := 0
	for _, kc := range killCases {
		points, answered := 0, 0
		for at := 1; ; at++ {
			home := filepath.Join(t.TempDir(), "home")
			run(t, "", "cp", "-a", base, home)
			open(t, filepath.Dir(home))
			privilegetest.Reachable(t, home)
			k := &killed{before: before}
			calls := k.strike(t, home, kc.command, at)
			k.after = snapshot(t, home)
			err := kc.check(k)
			if err == nil {
				err = k.same()
			}
			if again := snapshot(t, home); err == nil && !alike(again, k.after) {
				err = fmt.Errorf("the next imapd finds something else: %v and %v", k.after, again)
			}
			if err != nil {
				t.Errorf("%s killed at call %d (answered: %v): %v", kc.name, at, k.ok, err)
			}
			os.RemoveAll(home)
			if k.ok {
				answered++
			}
			if calls < at {
				break
			}
			points++
		}
		t.Logf("%s: killed at %d points, %d of them after its answer", kc.name, points, answered-1)
		if answered == 0 || points < 4 {
			t.Errorf("%s: %d points; the last was answered: %v", kc.name, points, answered > 0)
		}
		total += points
	}
	t.Logf("%d points", total)
}

// alike tells whether two snapshots show the same.
func alike(a, b map[string]*kept) bool {
	text := func(all map[string]*kept) (out []string) {
		for name, k := range all {
			out = append(out, fmt.Sprint(name, k.validity, k.token, k.flags))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(text(a), text(b))
}

// strike runs a command that dies at a call, and says how many it made.
func (k *killed) strike(t *testing.T, home, command string, at int) int {
	t.Helper()
	v, err := startVictim(home, at)
	if err != nil {
		t.Fatal(err)
	}
	c := hearIMAP(v.conn)
	if hello, err := c.next(); !strings.HasPrefix(hello, "* PREAUTH") {
		t.Fatalf("imapd says %q, %v", hello, err)
	}
	if answer, err := c.say("SELECT INBOX", nil); !strings.HasPrefix(answer, "OK") {
		t.Fatalf("SELECT: %s, %v", answer, err)
	}
	v.armed.Store(true)
	answer, err := c.say(command, nil)
	k.ok = err == nil && strings.HasPrefix(answer, "OK")
	if err == nil && !k.ok {
		t.Errorf("%.40s: %s", command, answer)
	}
	if err == nil {
		c.say("LOGOUT", nil)
	}
	c.Close()
	for range c.in {
	}
	<-v.ended
	if v.err != nil {
		t.Fatal(v.err)
	}
	return v.calls
}
