// SPDX-License-Identifier: ISC

package index

// keys finds messages by the part of their files' names that stays. It is made
// when it is first needed, and kept up by apply.
type keys struct {
	uid   map[string]UID
	fresh int // messages in new/
}

func (s *state) byKey() *keys {
	if s.keys == nil {
		s.keys = &keys{uid: make(map[string]UID, len(s.msgs))}
		for i := range s.msgs {
			s.keys.add(s.msgs[i])
		}
	}
	return s.keys
}

func (k *keys) add(m *Message) {
	if k != nil {
		k.uid[m.Key()] = m.UID
		k.fresh += int(bit(m.New))
	}
}

func (k *keys) remove(m *Message) {
	if k == nil {
		return
	}
	if key := m.Key(); k.uid[key] == m.UID {
		delete(k.uid, key)
	}
	k.fresh -= int(bit(m.New))
}

// keysFew is how many keys are looked for by reading all messages, which costs less
// than to make the keys.
const keysFew = 256

// keysAsked is how often that is done before the keys are made after all.
const keysAsked = 3

// known is the messages with these keys, and how many of all are in new/.
func (s *state) known(keys map[string]string) (found map[string]*Message, fresh int) {
	found = make(map[string]*Message, len(keys))
	if s.asked++; s.keys != nil || len(keys) > keysFew || s.asked > keysAsked {
		for key := range keys {
			if m := s.message(key); m != nil {
				found[key] = m
			}
		}
		return found, s.byKey().fresh
	}
	for _, m := range s.msgs {
		fresh += int(bit(m.New))
		if _, ok := keys[m.Key()]; ok {
			found[m.Key()] = m // of two with one key the later, as byKey has it
		}
	}
	return found, fresh
}

// message is the one with this key, or nil.
func (s *state) message(key string) *Message {
	uid, ok := s.byKey().uid[key]
	if i := s.at(uid); ok && i < len(s.msgs) && s.msgs[i].UID == uid {
		return s.msgs[i]
	}
	return nil
}
