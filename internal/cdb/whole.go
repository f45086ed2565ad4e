// SPDX-License-Identifier: ISC

package cdb

// Whole is ErrCorrupt for a database with tables outside it: one that was cut
// short, as tables come last.
func (m *Map) Whole() error {
	for i := uint64(0); i < headerSize; i += 8 {
		if at, slots := uint64(m.u32(i)), uint64(m.u32(i+4)); slots > 0 && (at < headerSize || at+slots*8 > uint64(len(m.b))) {
			return ErrCorrupt
		}
	}
	return nil
}
