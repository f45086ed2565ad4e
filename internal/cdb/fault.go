// SPDX-License-Identifier: ISC

package cdb

// Faulted, deferred, calls fn where the file under a map was cut short and
// reading it faulted: the goroutine has called debug.SetPanicOnFault(true).
// Other panics go on.
func Faulted(fn func()) {
	switch r := recover(); r.(type) {
	case nil:
	case interface{ Addr() uintptr }: // runtime/debug.SetPanicOnFault
		fn()
	default:
		panic(r)
	}
}
