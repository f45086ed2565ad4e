// SPDX-License-Identifier: ISC

package dnsanswer

// hashes is a set of hashes in a table with open addresses, which is between
// half and all but a quarter full. 0 is taken for 1.
type hashes struct {
	slots []uint64
	n     int
}

func (h *hashes) has(x uint64) bool {
	if h.n == 0 {
		return false
	}
	x = max(x, 1)
	for i := x & uint64(len(h.slots)-1); h.slots[i] != 0; i = (i + 1) & uint64(len(h.slots)-1) {
		if h.slots[i] == x {
			return true
		}
	}
	return false
}

// add adds a hash that is not in yet.
func (h *hashes) add(x uint64) {
	if h.n+1 > len(h.slots)/4*3 {
		old := h.slots
		h.slots = make([]uint64, max(64, 2*len(old)))
		for _, o := range old {
			if o != 0 {
				h.put(o)
			}
		}
	}
	h.put(max(x, 1))
	h.n++
}

func (h *hashes) put(x uint64) {
	i := x & uint64(len(h.slots)-1)
	for h.slots[i] != 0 {
		i = (i + 1) & uint64(len(h.slots)-1)
	}
	h.slots[i] = x
}
