// SPDX-License-Identifier: ISC

package cdb

// Bytes is the whole database as it lies in its file. They are gone after
// Close.
func (m *Map) Bytes() []byte { return m.b }
