// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// place is a message's folder and UID.
type place struct {
	folder string
	uid    uint32
}

// known is what the clients of a storm know together.
type known struct {
	mu       sync.Mutex
	token    map[place]string  // what a UID stands for, for ever
	gone     map[place]int     // when somebody was told that it is gone
	validity map[string]uint32 // by folder
	maxUID   map[string]uint32
	modSeq   map[string]uint64 // the highest that anybody saw
	sent     map[string]bool   // tokens that may be there
	arrived  map[string]bool   // tokens that must be
	copies   map[string]int
	doomed   map[string]bool // tokens that somebody may have deleted
	denied   map[string]bool // tokens whose APPEND failed
	clock    int
}

func newKnown() *known {
	return &known{token: make(map[place]string), gone: make(map[place]int), validity: make(map[string]uint32), maxUID: make(map[string]uint32),
		modSeq: make(map[string]uint64), sent: make(map[string]bool), arrived: make(map[string]bool), copies: make(map[string]int), doomed: make(map[string]bool),
		denied: make(map[string]bool)}
}

// bind says that a UID is a token's.
func (k *known) bind(p place, token string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.sent[token] {
		return fmt.Errorf("%v is %q, which nobody sent", p, token)
	}
	if had, ok := k.token[p]; ok && had != token {
		return fmt.Errorf("%v was %s and is %s", p, had, token)
	}
	k.token[p] = token
	k.maxUID[p.folder] = max(k.maxUID[p.folder], p.uid)
	return nil
}

// valid says what a folder's UIDVALIDITY is.
func (k *known) valid(folder string, v uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if had := k.validity[folder]; had != 0 && had != v {
		return fmt.Errorf("UIDVALIDITY of %s was %d and is %d", folder, had, v)
	}
	k.validity[folder] = v
	return nil
}

// made says that messages were made in a folder, after before was the greatest
// UID that anybody knew.
func (k *known) made(folder, validity string, uids []uint32, tokens []string, before uint32) error {
	v, _ := strconv.ParseUint(validity, 10, 32)
	err := k.valid(folder, uint32(v))
	if len(uids) != len(tokens) {
		return errors.Join(err, fmt.Errorf("%d UIDs for %d messages", len(uids), len(tokens)))
	}
	for i, u := range uids {
		if u <= before {
			err = errors.Join(err, fmt.Errorf("new UID %d in %s; %d was given out before", u, folder, before))
		}
		if tokens[i] != "" {
			err = errors.Join(err, k.bind(place{folder, u}, tokens[i]))
		}
	}
	return err
}

func (k *known) with(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

// shown is a message as a client knows it; uid 0: only that it is there.
type shown struct {
	uid    uint32
	flags  string // sorted, without \Recent
	modSeq uint64 // 0: not known
}

// view is a client's knowledge of the mailbox that it has selected.
type view struct {
	k       *known
	folder  string
	box     []shown
	high    uint64 // what RFC 7162 §6 has a client come back to
	told    uint64 // by HIGHESTMODSEQ
	uidNext uint32 // as SELECT told
	qresync bool
	strict  map[uint32]bool   // not nil: the first answer for each UID must be what is known
	earlier map[uint32]bool   // not nil: UIDs that VANISHED told
	fetched map[uint32]shown  // not nil: what FETCH told
	bodies  map[uint32]string // by number: tokens that FETCH told
	found   []uint32          // by SEARCH
	took    int               // untagged responses
}

var tokenForm = regexp.MustCompile(`token-[A-Z]-\w+-\d+-`)

// take learns from an untagged response.
func (v *view) take(line string) error {
	v.took++
	word, rest, _ := strings.Cut(line, " ")
	if n, err := strconv.ParseUint(word, 10, 32); err == nil {
		kind, rest, _ := strings.Cut(rest, " ")
		return v.counted(int(n), kind, rest)
	}
	switch word {
	case "BYE":
		return fmt.Errorf("the server says %q", line)
	case "VANISHED":
		return v.vanished(rest)
	case "SEARCH":
		v.found = numbers(strings.ReplaceAll(rest, " ", ","))
	case "ESEARCH":
		_, set, _ := strings.Cut(rest, " ALL ")
		set, _, _ = strings.Cut(set, " ")
		v.found = numbers(set)
	case "OK":
		return v.status(rest)
	}
	return nil
}

func (v *view) status(rest string) error {
	if s, ok := code(rest, "UIDVALIDITY "); ok {
		n, _ := strconv.ParseUint(s, 10, 32)
		return v.k.valid(v.folder, uint32(n))
	}
	if s, ok := code(rest, "HIGHESTMODSEQ "); ok {
		n, _ := strconv.ParseUint(s, 10, 64)
		if n < v.told {
			return fmt.Errorf("HIGHESTMODSEQ %d after %d", n, v.told)
		}
		v.told, v.high = n, n
	}
	if s, ok := code(rest, "UIDNEXT "); ok {
		n, _ := strconv.ParseUint(s, 10, 32)
		v.uidNext = uint32(n)
		for _, m := range v.box {
			if m.uid >= uint32(n) {
				return fmt.Errorf("UIDNEXT %d with UID %d there", n, m.uid)
			}
		}
	}
	return nil
}

func (v *view) counted(n int, kind, rest string) error {
	switch kind {
	case "EXISTS":
		if n < len(v.box) {
			return fmt.Errorf("EXISTS %d after %d", n, len(v.box))
		}
		v.box = append(v.box, make([]shown, n-len(v.box))...)
	case "EXPUNGE":
		if v.qresync || n > len(v.box) || n == 0 {
			return fmt.Errorf("EXPUNGE %d of %d", n, len(v.box))
		}
		v.left(v.box[n-1].uid)
		v.box = slices.Delete(v.box, n-1, n)
	case "FETCH":
		return v.fetch(n, rest)
	}
	return nil
}

// left keeps that a message is gone.
func (v *view) left(uid uint32) {
	if uid == 0 {
		return
	}
	v.k.with(func() {
		v.k.clock++
		if p := (place{v.folder, uid}); v.k.gone[p] == 0 {
			v.k.gone[p] = v.k.clock
		}
	})
}

func (v *view) vanished(rest string) error {
	set, isEarlier := strings.CutPrefix(rest, "(EARLIER) ")
	for _, uid := range numbers(set) {
		if v.earlier != nil {
			v.earlier[uid] = true
		}
		if isEarlier {
			continue
		}
		i := slices.IndexFunc(v.box, func(m shown) bool { return m.uid == uid })
		if i < 0 {
			i = v.unknown(uid)
		}
		if i < 0 {
			return fmt.Errorf("VANISHED %d, which is not in the view", uid)
		}
		v.left(uid)
		v.box = slices.Delete(v.box, i, i+1)
	}
	return nil
}

// unknown is the index of a message whose UID may be uid.
func (v *view) unknown(uid uint32) int {
	at := -1
	for i, m := range v.box {
		switch {
		case m.uid > uid:
			return at
		case m.uid == 0 && at < 0:
			at = i
		case m.uid != 0:
			at = -1
		}
	}
	return at
}

// fetch learns from a FETCH.
func (v *view) fetch(n int, rest string) error {
	if n == 0 || n > len(v.box) {
		return fmt.Errorf("FETCH of number %d of %d", n, len(v.box))
	}
	all, _ := parseNodes(rest)
	now := shown{uid: v.box[n-1].uid}
	flags, token := false, ""
	for items := all[0].list; len(items) >= 2; items = items[2:] {
		switch name := items[0].s; {
		case name == "UID":
			uid, _ := strconv.ParseUint(items[1].s, 10, 32)
			now.uid = uint32(uid)
		case name == "FLAGS":
			now.flags, flags = flagText(items[1].list), true
		case name == "MODSEQ":
			now.modSeq, _ = strconv.ParseUint(items[1].list[0].s, 10, 64)
		case strings.HasPrefix(name, "BODY["):
			if token = tokenForm.FindString(items[1].s); token == "" {
				return fmt.Errorf("FETCH %d without a token: %q", n, rest)
			}
			v.bodies[uint32(n)] = token
		}
	}
	if err := v.bound(n, now.uid); err != nil {
		return err
	}
	if !flags {
		now.flags = v.box[n-1].flags
	}
	err := v.learn(n, now, flags)
	if token != "" && now.uid != 0 {
		err = errors.Join(err, v.k.bind(place{v.folder, now.uid}, token))
	}
	return err
}

// bound holds that a number has the UID that it had, and that UIDs ascend.
func (v *view) bound(n int, uid uint32) error {
	if had := v.box[n-1].uid; had != 0 && had != uid {
		return fmt.Errorf("number %d is UID %d and was %d", n, uid, had)
	}
	for i, m := range v.box {
		if m.uid != 0 && uid != 0 && (i < n-1 && m.uid >= uid || i > n-1 && m.uid <= uid) {
			return fmt.Errorf("number %d is UID %d, number %d is UID %d", n, uid, i+1, m.uid)
		}
	}
	v.box[n-1].uid = uid
	return nil
}

// learn takes in flags and modseq.
func (v *view) learn(n int, now shown, flags bool) error {
	had := &v.box[n-1]
	if now.modSeq != 0 && now.modSeq < had.modSeq {
		return fmt.Errorf("UID %d: MODSEQ %d after %d", now.uid, now.modSeq, had.modSeq)
	}
	if v.strict != nil && flags && !v.strict[now.uid] {
		v.strict[now.uid] = true
		if had.modSeq != 0 && (had.flags != now.flags || had.modSeq != now.modSeq) {
			return fmt.Errorf("UID %d has %s at %d; what was told of it is %s at %d", now.uid, now.flags, now.modSeq, had.flags, had.modSeq)
		}
	}
	if v.fetched != nil && flags {
		v.fetched[now.uid] = now
	}
	if now.modSeq != 0 {
		had.modSeq = now.modSeq
		v.high = max(v.high, now.modSeq)
		v.k.with(func() { v.k.modSeq[v.folder] = max(v.k.modSeq[v.folder], now.modSeq) })
	}
	had.flags = now.flags
	if strings.Contains(now.flags, `\Deleted`) {
		var token string
		var doomed bool
		v.k.with(func() { token = v.k.token[place{v.folder, now.uid}]; doomed = v.k.doomed[token] })
		if token != "" && !doomed {
			return fmt.Errorf("UID %d (%s) has \\Deleted, which nobody set", now.uid, token)
		}
	}
	return nil
}

// flagText is flags as one text.
func flagText(list []node) string {
	set := make(map[string]bool)
	for _, f := range list {
		if f.s != `\Recent` {
			set[f.s] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), " ")
}
