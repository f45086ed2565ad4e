// SPDX-License-Identifier: ISC

package index

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"
)

// sample is a state with something in every table.
func sample(n int) *state {
	s := &state{gen: 3, valid: 1700000000, next: 1, modseq: 1, dirs: dirState{11, 12, 13}}
	copy(s.box[:], "0123456789abcdef")
	for i := range n {
		r := record{kind: kindAdd, modseq: s.modseq + 1, msg: Message{UID: s.next, Flags: Flags(i) & allFlags, New: i%3 == 0,
			Keywords: uint64(i), Size: int64(i) * 10, Wire: int64(i) * 11, Date: -5, Saved: 9, Cache: 1 << 40, EmailID: 77,
			Name: fmt.Sprintf("%d.M1.host,S=%d:2,S", i, i)}}
		r.msg.ModSeq = r.modseq
		s.apply(&r)
	}
	for _, r := range []record{{kind: kindKeyword, keyword: "$Junk"}, {kind: kindKeyword, number: 1, keyword: "Work"},
		{kind: kindExpunge, modseq: s.modseq + 1, uids: []Range{{2, 2}}}, {kind: kindIntent, uids: []Range{{1, 1}}}} {
		if err := s.apply(&r); err != nil {
			panic(err)
		}
	}
	return s
}

// TestPage: bytes lie where maildir-index(5) says.
func TestPage(t *testing.T) {
	le := binary.LittleEndian
	s := sample(3) // UIDs 1 and 3 are left
	b := s.encode()
	for _, c := range []struct {
		what      string
		got, want uint64
	}{
		{"version", uint64(le.Uint32(b[8:])), 1},
		{"generation", le.Uint64(b[16:]), 3},
		{"UIDVALIDITY", uint64(le.Uint32(b[24:])), 1700000000},
		{"UIDNEXT", uint64(le.Uint32(b[28:])), 4},
		{"HIGHESTMODSEQ", le.Uint64(b[32:]), 5},
		{"MAILBOXID", le.Uint64(b[40:]), le.Uint64([]byte("01234567"))},
		{"messages", uint64(le.Uint32(b[56:])), 2},
		{"keywords", uint64(le.Uint32(b[64:])), 2},
		{"expunged", uint64(le.Uint32(b[68:])), 1},
		{"mtime of cur", le.Uint64(b[88:]), 12},
		{"unseen", uint64(le.Uint32(b[104:])), 2},
		{"bytes", le.Uint64(b[112:]), 20},
		{"intents", uint64(le.Uint32(b[120:])), 1},
		{"second message: UID", uint64(le.Uint32(b[136+80:])), 3},
		{"flags", uint64(le.Uint16(b[136+80+4:])), 2},
		{"keywords of it", le.Uint64(b[136+80+8:]), 2},
		{"size", le.Uint64(b[136+80+16:]), 20},
		{"modseq", le.Uint64(b[136+80+64:]), 4},
		{"begin of name", uint64(le.Uint32(b[136+80+72:])), uint64(len(s.msgs[0].Name))},
		{"intent", uint64(le.Uint32(b[136+160:])), 1},
		{"expunged UID", uint64(le.Uint32(b[136+160+8:])), 2},
		{"its modseq", le.Uint64(b[136+160+16:]), 5},
		{"length of keyword", uint64(b[136+160+24]), 5},
		{"CRC", uint64(le.Uint32(b[len(b)-4:])), uint64(crc32.Checksum(b[:len(b)-4], crc32.MakeTable(crc32.Castagnoli)))},
	} {
		if c.got != c.want {
			t.Errorf("%s = %d; want %d", c.what, c.got, c.want)
		}
	}
	got := hex.EncodeToString(appendRecord(nil, &record{kind: kindExpunge, modseq: 4, uids: []Range{{1, 2}}}))
	if want := "08000000" + "07" + "000000" + "0400000000000000" + "d5614cf0" + "01000000" + "02000000"; got != want {
		t.Errorf("EXPUNGE = %s; want %s", got, want)
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	for _, n := range []int{2, 3, 100} {
		s := sample(n)
		got, err := decode(s.encode())
		if err != nil {
			t.Fatalf("decode of %d messages: %v", n, err)
		}
		if !reflect.DeepEqual(got, s) {
			t.Errorf("decode(encode) of %d messages = %+v; want %+v", n, got, s)
		}
	}
	empty := &state{gen: 1, valid: 1, next: 1, modseq: 1}
	if got, err := decode(empty.encode()); err != nil || len(got.msgs) != 0 || got.valid != 1 {
		t.Errorf("decode of an empty snapshot = %+v, %v", got, err)
	}
}

// TestSnapshotDamage: whatever byte is another or where it is cut, it is noticed.
func TestSnapshotDamage(t *testing.T) {
	b := sample(5).encode()
	for i := range b {
		if _, err := decode(b[:i]); !errors.Is(err, errDamaged) {
			t.Errorf("decode of the first %d bytes of %d: %v; want damaged", i, len(b), err)
		}
		for _, x := range []byte{1, 0x80, 0xff} {
			c := bytes.Clone(b)
			c[i] ^= x
			if _, err := decode(c); !errors.Is(err, errDamaged) {
				t.Errorf("decode with byte %d ^ %#x: %v; want damaged", i, x, err)
			}
		}
	}
	if _, err := decode(append(b, 0)); !errors.Is(err, errDamaged) {
		t.Errorf("decode with a byte more: %v; want damaged", err)
	}
}

// TestSnapshotLies: right checksums do not make impossible content possible.
func TestSnapshotLies(t *testing.T) {
	for name, lie := range map[string]func(*state){
		"UID not below UIDNEXT": func(s *state) { s.msgs[0].UID = s.next },
		"UIDs not in order":     func(s *state) { s.msgs[1].UID = s.msgs[0].UID },
		"UID 0":                 func(s *state) { s.msgs[0].UID = 0 },
		"modseq beyond highest": func(s *state) { s.msgs[0].ModSeq = s.modseq + 1 },
		"unknown flag":          func(s *state) { s.msgs[0].Flags = 1 << 9 },
		"negative size":         func(s *state) { s.msgs[0].Size = -1 },
		"name with a slash":     func(s *state) { s.msgs[0].Name = "../x" },
		"name with NUL":         func(s *state) { s.msgs[0].Name = "a\x00b" },
		"no name":               func(s *state) { s.msgs[0].Name = "" },
		"long name":             func(s *state) { s.msgs[0].Name = strings.Repeat("n", nameMax+1) },
		"keyword twice":         func(s *state) { s.keywords[1] = "$jUNK" },
		"keyword no atom":       func(s *state) { s.keywords[1] = "a b" },
		"expunged UID to come":  func(s *state) { s.expunged[0].Hi = s.next },
		"range upside down":     func(s *state) { s.intents[0] = Range{3, 1} },
		"UIDVALIDITY 0":         func(s *state) { s.valid = 0 },
	} {
		s := sample(5)
		lie(s)
		if _, err := decode(s.encode()); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v; want damaged", name, err)
		}
	}
}

// samples is a record of every kind.
func samples() []record {
	return []record{
		{kind: kindHead, gen: 4, valid: 99},
		{kind: kindAdd, modseq: 2, msg: Message{UID: 1, Flags: Seen, New: true, Keywords: 5, ModSeq: 2, Size: 1, Wire: 2, Date: 3, Saved: 4, Cache: 6, EmailID: 7, Name: "a:2,S"}},
		{kind: kindFlags, modseq: 3, change: change{Seen, Deleted, 1, 2}, uids: []Range{{1, 1}, {3, 9}}},
		{kind: kindName, msg: Message{UID: 1, New: true, Name: "b"}},
		{kind: kindDate, msg: Message{UID: 1, Date: -1}},
		{kind: kindIntent, uids: []Range{{1, 1}}},
		{kind: kindExpunge, modseq: 4, uids: []Range{{1, 1}}},
		{kind: kindDirState, dirs: dirState{1, 2, 3}},
		{kind: kindKeyword, number: 0, keyword: "$Label1"},
		{kind: kindRotate, gen: 5},
		{kind: kindEmail, msg: Message{UID: 1, EmailID: 8}},
		{kind: kindCache, places: []placed{{1, 1<<placeBits | 16}, {9, 0}}},
		{kind: kindSizes, places: []placed{{1, 0}, {9, 1<<63 - 1}}},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	all := samples()
	if len(all) != int(kinds)-1 {
		t.Fatalf("samples has %d kinds; want %d", len(all), kinds-1)
	}
	for _, want := range all {
		b := appendRecord(nil, &want)
		got, n := nextRecord(append(bytes.Clone(b), "more"...))
		if n != len(b) || !reflect.DeepEqual(got, want) {
			t.Errorf("record of kind %d: %+v, %d; want %+v, %d", want.kind, got, n, want, len(b))
		}
	}
}

// TestRecordDamage: a record that is cut or has another byte is none.
func TestRecordDamage(t *testing.T) {
	for _, r := range samples() {
		b := appendRecord(nil, &r)
		for i := range b {
			if _, n := nextRecord(b[:i]); n != 0 {
				t.Errorf("kind %d: the first %d bytes count as a record", r.kind, i)
			}
			for _, x := range []byte{1, 0x80, 0xff} {
				c := bytes.Clone(b)
				c[i] ^= x
				if _, n := nextRecord(c); n != 0 {
					t.Errorf("kind %d: byte %d ^ %#x counts as a record", r.kind, i, x)
				}
			}
		}
	}
}

// TestRecordLimits: at the edge, and one beyond.
func TestRecordLimits(t *testing.T) {
	ranges := make([]Range, rangesMax+1)
	for i := range ranges {
		ranges[i] = Range{UID(2*i + 1), UID(2*i + 1)}
	}
	places := make([]placed, placesMax+1)
	for i := range places {
		places[i].uid = UID(i + 1)
	}
	long := strings.Repeat("n", nameMax+1)
	for _, c := range []struct {
		r  record
		ok bool
	}{
		{record{kind: kindExpunge, modseq: 2, uids: ranges[:rangesMax]}, true},
		{record{kind: kindExpunge, modseq: 2, uids: ranges}, false},
		{record{kind: kindCache, places: places[:placesMax]}, true},
		{record{kind: kindCache, places: places}, false},
		{record{kind: kindSizes, places: places[:placesMax]}, true},
		{record{kind: kindSizes, places: places}, false},
		{record{kind: kindSizes, places: []placed{{1, 1 << 63}}}, false},
		{record{kind: kindName, msg: Message{UID: 1, Name: long[:nameMax]}}, true},
		{record{kind: kindName, msg: Message{UID: 1, Name: long}}, false},
		{record{kind: kindKeyword, keyword: long[:KeywordMax]}, true},
		{record{kind: kindKeyword, keyword: long[:KeywordMax+1]}, false},
	} {
		if _, n := nextRecord(appendRecord(nil, &c.r)); (n != 0) != c.ok {
			t.Errorf("record of kind %d, %d ranges: taken %v; want %v", c.r.kind, len(c.r.uids), n != 0, c.ok)
		}
	}
	s := &state{next: 1, modseq: 1}
	for i := range KeywordsMax + 1 {
		err := s.apply(&record{kind: kindKeyword, number: uint8(i), keyword: fmt.Sprint("k", i)})
		if (err == nil) != (i < KeywordsMax) {
			t.Errorf("keyword %d: %v", i, err)
		}
	}
}

// TestExpungedCapped: what is forgotten is behind the horizon.
func TestExpungedCapped(t *testing.T) {
	s := &state{next: 1 << 20, modseq: 1}
	for i := range vanishedMax + 10 {
		if err := s.apply(&record{kind: kindExpunge, modseq: s.modseq + 1, uids: []Range{{UID(i + 1), UID(i + 1)}}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.expunged) != vanishedMax || s.horizon != 11 || s.expunged[0].modseq != 12 {
		t.Errorf("%d ranges, horizon %d, first modseq %d; want %d, 11, 12", len(s.expunged), s.horizon, s.expunged[0].modseq, vanishedMax)
	}
}

func TestFlagNames(t *testing.T) {
	for _, c := range []struct {
		name string
		f    Flags
		want string
	}{
		{"a", 0, "a:2,"},
		{"a:2,S", Seen | Answered, "a:2,RS"},
		{"a,S=1:2,abS", 0, "a,S=1:2,ab"},
		{"a:1,x", allFlags, "a:2,DFPRST"},
	} {
		got := flagName(c.name, c.f)
		if got != c.want || nameFlags(got) != c.f {
			t.Errorf("flagName(%q, %b) = %q; want %q", c.name, c.f, got, c.want)
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	f.Add(sample(3).encode())
	f.Add((&state{gen: 1, valid: 1, next: 1, modseq: 1}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := len(b); n >= snapHead+4 { // or else nothing would get past the checksums
			b = bytes.Clone(b)
			binary.LittleEndian.PutUint32(b[snapHead-4:], sum(b[:snapHead-4]))
			binary.LittleEndian.PutUint32(b[n-4:], sum(b[:n-4]))
		}
		s, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(s.encode())
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("decode(encode(x)) = %+v, %v; want %+v", again, err, s)
		}
	})
}

func FuzzLog(f *testing.F) {
	var all []byte
	for _, r := range samples() {
		all = appendRecord(all, &r)
		f.Add(appendRecord(nil, &r))
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &state{gen: 4, valid: 99, next: 1, modseq: 1}
		b = bytes.Clone(b)
		for len(b) > 0 {
			r, n := nextRecord(b)
			if n == 0 && len(b) >= recordHead { // once more, with the right checksum
				size := min(uint32(len(b)-recordHead), binary.LittleEndian.Uint32(b))
				binary.LittleEndian.PutUint32(b[16:], sum(b[:16], b[recordHead:][:size]))
				r, n = nextRecord(b)
			}
			if n == 0 {
				return
			}
			if !bytes.Equal(appendRecord(nil, &r), b[:n]) {
				t.Fatalf("record %+v is written in another way than it was read", r)
			}
			if s.apply(&r) != nil {
				return
			}
			for i := 1; i < len(s.msgs); i++ {
				if s.msgs[i-1].UID >= s.msgs[i].UID || s.msgs[i].UID >= s.next {
					t.Fatalf("UIDs not in order after %+v", r)
				}
			}
			b = b[n:]
		}
	})
}
