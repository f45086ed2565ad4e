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
			s.keys.add(&s.msgs[i])
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

// message is the one with this key, or nil.
func (s *state) message(key string) *Message {
	uid, ok := s.byKey().uid[key]
	if i := s.at(uid); ok && i < len(s.msgs) && s.msgs[i].UID == uid {
		return &s.msgs[i]
	}
	return nil
}
