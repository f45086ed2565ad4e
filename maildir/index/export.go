// SPDX-License-Identifier: ISC

package index

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// Exported is what Export has done.
type Exported struct {
	Messages int
	ModSeq   uint64   // clients may know changes up to this one
	Lost     []string // what the other server will not know, a line each
}

// ErrChanging says that other programs are at work where nobody should be.
var ErrChanging = errors.New("others are changing the folder; stop them and try again")

// Export gives the folder m back to Dovecot: dovecot-uidlist (version 3) and
// dovecot-keywords say what the index does, names of files carry the letters of
// at most 26 keywords, Dovecot's own index, which is old, is deleted, and ours
// becomes qx.exported; whoever opens an index here again takes the folder over
// anew. No session, and no Dovecot, may be at work. After an error the folder is
// still ours, and Export may be tried again.
func Export(m *maildir.Maildir, opt Options) (done Exported, err error) {
	x, err := Open(m, opt)
	if err != nil {
		return done, err
	}
	defer x.Close()
	err = x.update(func() error {
		done, err = x.export()
		return err
	})
	return done, err
}

func (x *Index) export() (done Exported, err error) {
	dir := x.m.Fd()
	var st unix.Stat_t
	if unix.Fstatat(dir, dovecotList+".lock", &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		return done, fmt.Errorf("%s.lock is there: stop Dovecot, or delete what it left behind", dovecotList)
	}
	done.Messages, done.ModSeq = len(x.s.msgs), x.s.modseq
	names, of, lost := x.s.letters()
	done.Lost = lost
	if err := x.spell(of); err != nil {
		return done, err
	}
	if err := x.commit(); err != nil {
		return done, err
	}
	if err := x.syncDirs(); err != nil {
		return done, err
	}
	var kw bytes.Buffer
	for n, name := range names {
		fmt.Fprintf(&kw, "%d %s\n", n, name)
	}
	if err := replace(dir, dovecotKeywords+".tmp", dovecotKeywords, kw.Bytes()); err != nil {
		return done, err
	}
	text, err := x.uidlist()
	if err != nil {
		return done, err
	}
	if err := replace(dir, dovecotList+".tmp", dovecotList, text); err != nil {
		return done, err
	}
	return done, x.giveUp()
}

// letters is the keywords that get letters, what their bits among a message's
// letters are, and what is lost for want of more. Passed is one where it is used.
func (s *state) letters() (names []string, of func(*Message) uint32, lost []string) {
	var used [KeywordsMax]int
	passed := 0
	for i := range s.msgs {
		m := s.msgs[i]
		passed += bits.OnesCount16(uint16(m.Flags & Passed))
		for set := m.Keywords; set != 0; set &= set - 1 {
			used[bits.TrailingZeros64(set)]++
		}
	}
	if passed > 0 {
		names = []string{forwarded}
	}
	var letter [KeywordsMax]uint32
	for n, count := range used {
		switch {
		case count == 0 || n >= len(s.keywords):
		case len(names) == letterMax:
			lost = append(lost, fmt.Sprintf("keyword %s of %d messages: Dovecot's names have letters for %d", s.keywords[n], count, letterMax))
		default:
			letter[n] = 1 << len(names)
			names = append(names, s.keywords[n])
		}
	}
	return names, func(m *Message) (set uint32) {
		if m.Flags&Passed != 0 {
			set = 1
		}
		for kw := m.Keywords; kw != 0; kw &= kw - 1 {
			set |= letter[bits.TrailingZeros64(kw)]
		}
		return set
	}, lost
}

// letterName is the name of a message's file with flags and letters; the flag P
// has a letter.
func letterName(m *Message, set uint32) string {
	to := m.Name
	if key := m.Key(); nameLetters(m.Name) != 0 { // those of before
		_, info, _ := strings.Cut(m.Name, ":")
		to = key + ":" + strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return -1
			}
			return r
		}, info)
	}
	flags := maildir.Flags(flagName(to, m.Flags&^Passed))
	for n := 0; set != 0; set, n = set>>1, n+1 {
		if set&1 != 0 {
			flags = append(flags, maildir.Flag('a'+n))
		}
	}
	return maildir.WithFlags(to, flags)
}

// spell renames the files whose names do not say all.
func (x *Index) spell(of func(*Message) uint32) error {
	base, err := x.steady()
	if err != nil {
		return err
	}
	touched := false
	for i := range x.s.msgs {
		m := x.s.msgs[i]
		set := of(m)
		to := letterName(m, set)
		if to == m.Name || m.New && m.Flags == 0 && set == 0 && nameFlags(m.Name) == 0 && nameLetters(m.Name) == 0 {
			continue
		}
		touched = true
		switch err := x.m.Rename(m.Name, m.New, to); {
		case errors.Is(err, unix.ENOENT):
			return fmt.Errorf("%s is gone: %w", m.Name, ErrChanging)
		case err != nil:
			return fmt.Errorf("rename %s to %s: %w", m.Name, to, err)
		}
		if err := x.put(record{kind: kindName, msg: Message{UID: m.UID, Name: to}}); err != nil {
			return err
		}
	}
	if !touched {
		return nil
	}
	return x.touched(base)
}

// uidlist is dovecot-uidlist. What Dovecot's last one says beside UIDs, such as
// POP3 UIDLs, stays.
func (x *Index) uidlist() ([]byte, error) {
	old := &list{}
	f, err := openForeign(x.m.Fd(), dovecotList)
	if err != nil {
		return nil, err
	}
	if f != nil {
		keys := make(map[string]bool, len(x.s.msgs))
		for i := range x.s.msgs {
			keys[x.s.msgs[i].Key()] = true
		}
		old, err = parseList(f, func(key string) bool { return keys[key] })
		f.Close()
		if err != nil && !errors.Is(err, errRefused) {
			return nil, err
		}
	}
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	fmt.Fprintf(w, "3 V%d N%d G%s\n", x.s.valid, x.s.next, hex.EncodeToString(x.s.box[:]))
	for i := range x.s.msgs {
		m := x.s.msgs[i]
		key := m.Key()
		fmt.Fprintf(w, "%d", m.UID)
		if !strings.Contains(key, ",S=") {
			fmt.Fprintf(w, " S%d", m.Size)
		}
		if m.Measured() && !strings.Contains(key, ",W=") {
			fmt.Fprintf(w, " W%d", m.Wire)
		}
		if e, ok := old.files[key]; ok && !e.twice && e.uid == m.UID && old.valid == x.s.valid {
			w.WriteString(e.rest)
		}
		fmt.Fprintf(w, " :%s\n", m.Name)
	}
	w.Flush()
	return b.Bytes(), nil
}

// giveUp deletes Dovecot's index, which is old, and puts ours aside.
func (x *Index) giveUp() error {
	dir := x.m.Fd()
	names, err := namesIn(dir, ".", -1)
	if err != nil {
		return err
	}
	remove := func(prefixes ...string) error {
		for _, name := range names {
			for _, p := range prefixes {
				if !strings.HasPrefix(name, p) {
					continue
				}
				if err := unix.Unlinkat(dir, name, 0); err != nil && err != unix.ENOENT && err != unix.EISDIR {
					return &os.PathError{Op: "delete", Path: name, Err: err}
				}
			}
		}
		return maildir.SyncFolder(dir)
	}
	if err := remove("dovecot.index", "dovecot.list.index"); err != nil {
		return err
	}
	if err := unix.Renameat(dir, snapFile, dir, exportedFile); err != nil {
		return &os.PathError{Op: "rename", Path: snapFile, Err: err}
	}
	x.drop()
	if err := maildir.SyncFolder(dir); err != nil {
		return err
	}
	return remove(logPrefix, "qx.cache")
}
