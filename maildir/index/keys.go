// SPDX-License-Identifier: ISC

package index

import "hash/maphash"

// keys finds messages by the part of their files' names that stays. The names lie
// all over the memory, and to look at those of a large folder takes longer than to
// read it; so their hashes stand here, close together.
type keys struct {
	hash  []uint32 // of the state's messages, in their order
	fresh int      // messages in new/
}

var keySeed = maphash.MakeSeed()

func keyHash(key string) uint32 { return uint32(maphash.String(keySeed, key)) }

// byKey is the keys of the state's messages.
func (s *state) byKey() *keys {
	if len(s.keys.hash) != len(s.msgs) {
		s.keys = keys{hash: make([]uint32, 0, len(s.msgs))}
		for _, m := range s.msgs {
			s.keys.add(m)
		}
	}
	return &s.keys
}

// add is for a message that comes to the end.
func (k *keys) add(m *Message) {
	k.hash = append(k.hash, keyHash(m.Key()))
	k.fresh += int(bit(m.New))
}

// change is for the message at i.
func (k *keys) change(i int, was, now *Message) {
	k.hash[i] = keyHash(now.Key())
	k.fresh += int(bit(now.New)) - int(bit(was.New))
}

// remove takes out the messages for which gone says so.
func (k *keys) remove(msgs []*Message, gone func(*Message) bool) {
	kept := k.hash[:0]
	for i, m := range msgs {
		if gone(m) {
			k.fresh -= int(bit(m.New))
		} else {
			kept = append(kept, k.hash[i])
		}
	}
	k.hash = kept
}

// known is the messages with these keys, of two with one key the later, and how
// many of all are in new/.
func known[V any](s *state, names map[string]V) (found map[string]*Message, fresh int) {
	k := s.byKey()
	found = make(map[string]*Message, len(names))
	want := newSieve(len(names))
	for key := range names {
		want.add(keyHash(key))
	}
	for i, h := range k.hash {
		if !want.has(h) {
			continue
		}
		key := s.msgs[i].Key()
		if _, ok := names[key]; ok {
			found[key] = s.msgs[i]
		}
	}
	return found, k.fresh
}

// sieve is a set of hashes which has most others not.
type sieve struct {
	bits []uint64
	mask uint32
}

// newSieve is for n hashes.
func newSieve(n int) sieve {
	size := uint32(1024)
	for size < 1<<28 && size < uint32(n)*16 {
		size *= 2
	}
	return sieve{make([]uint64, size/64), size - 1}
}

func (s sieve) add(h uint32)      { s.bits[h&s.mask/64] |= 1 << (h & 63) }
func (s sieve) has(h uint32) bool { return s.bits[h&s.mask/64]&(1<<(h&63)) != 0 }
