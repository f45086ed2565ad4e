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
func Export(m *maildir.Maildir, opt Options) (Exported, error) {
	return exportBy(m, opt, (*Index).export)
}

// exportBy gives a folder back by write, which has it alone.
func exportBy(m *maildir.Maildir, opt Options, write func(*Index) (lost []string, err error)) (done Exported, err error) {
	x, err := Open(m, opt)
	if err != nil {
		return done, err
	}
	defer x.Close()
	err = x.update(func() error {
		done.Messages, done.ModSeq = len(x.s.msgs), x.s.modseq
		done.Lost, err = write(x)
		return err
	})
	return done, err
}

// unlocked makes sure that the server named is not at work, as far as its lock
// file says.
func (x *Index) unlocked(lock, server string) error {
	var st unix.Stat_t
	if unix.Fstatat(x.m.Fd(), lock, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		return fmt.Errorf("%s is there: stop %s, or delete what it left behind", lock, server)
	}
	return nil
}

// export writes what Dovecot reads. What Courier kept, which is old too, is
// deleted.
func (x *Index) export() (lost []string, err error) {
	dir := x.m.Fd()
	if err := x.unlocked(dovecotList+".lock", "Dovecot"); err != nil {
		return nil, err
	}
	names, of, lost := x.s.letters()
	if err := x.spell(func(m *Message) string { return letterName(m, of(m)) }); err != nil {
		return nil, err
	}
	var kw bytes.Buffer
	for n, name := range names {
		fmt.Fprintf(&kw, "%d %s\n", n, name)
	}
	if err := replace(dir, dovecotKeywords+".tmp", dovecotKeywords, kw.Bytes()); err != nil {
		return nil, err
	}
	text, err := x.uidlist()
	if err != nil {
		return nil, err
	}
	if err := replace(dir, dovecotList+".tmp", dovecotList, text); err != nil {
		return nil, err
	}
	if err := x.clearCourier(""); err != nil {
		return nil, err
	}
	return lost, x.giveUp(courierList)
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
// has a letter. One in new/ stays there while there is nothing to say.
func letterName(m *Message, set uint32) string {
	if m.New && m.Flags == 0 && set == 0 && nameFlags(m.Name) == 0 && nameLetters(m.Name) == 0 {
		return ""
	}
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

// respelling is a file's name in new/ (fresh) or cur/, and the one in cur/ that it
// is to have.
type respelling struct {
	uid      UID
	from, to string
	fresh    bool
	unsay    bool // from has the P of a flag that is set
}

func (x *Index) respellings(name func(*Message) string) (moves []respelling) {
	for i := range x.s.msgs {
		m := x.s.msgs[i]
		if to := name(m); to != "" && (m.New || to != m.Name) {
			moves = append(moves, respelling{m.UID, m.Name, to, m.New, m.Flags&nameFlags(m.Name)&Passed != 0})
		}
	}
	return moves
}

// unsayPassed records that the names had no P already: else a P that is gone after
// a crash would be a flag that was cleared.
func (x *Index) unsayPassed(moves []respelling) error {
	said := false
	for _, r := range moves {
		if !r.unsay {
			continue
		}
		said = true
		if err := x.put(record{kind: kindName, msg: Message{UID: r.uid, New: r.fresh, Name: flagName(r.from, nameFlags(r.from)&^Passed)}}); err != nil {
			return err
		}
	}
	if !said {
		return nil
	}
	if err := x.put(record{kind: kindDirState}); err != nil { // who comes next reads the names again
		return err
	}
	return x.commit()
}

// spell gives the files their names in cur/ of the other server's, but for those
// whose name is "". All is on disk then.
func (x *Index) spell(name func(*Message) string) error {
	base, err := x.steady()
	if err != nil {
		return err
	}
	moves := x.respellings(name)
	if err := x.unsayPassed(moves); err != nil {
		return err
	}
	for _, r := range moves {
		switch err := x.m.Rename(r.from, r.fresh, r.to); {
		case errors.Is(err, unix.ENOENT):
			return fmt.Errorf("%s is gone: %w", r.from, ErrChanging)
		case err != nil:
			return fmt.Errorf("rename %s to %s: %w", r.from, r.to, err)
		}
		if err := x.put(record{kind: kindName, msg: Message{UID: r.uid, Name: r.to}}); err != nil {
			return err
		}
	}
	if moves != nil {
		if err := x.touched(base); err != nil {
			return err
		}
	}
	if err := x.commit(); err != nil {
		return err
	}
	return x.syncDirs()
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

// giveUp deletes Dovecot's index, which is old, and what else begins with these
// prefixes, and puts ours aside.
func (x *Index) giveUp(old ...string) error {
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
	if err := remove(append(old, "dovecot.index", "dovecot.list.index")...); err != nil {
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
