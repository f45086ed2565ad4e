// SPDX-License-Identifier: ISC

// Package random is the kernel's random numbers (getrandom(2)) for programs that
// are started for each message or connection: package crypto/rand gives the
// same bytes, but its self-tests cost each start a quarter of a millisecond.
package random

import "golang.org/x/sys/unix"

// Fill fills b. The kernel's source fails only on kernels older than 3.17,
// where no program of ours runs; it is waited for while a machine boots.
func Fill(b []byte) {
	for len(b) > 0 {
		n, err := unix.Getrandom(b, 0)
		if err != nil && err != unix.EINTR {
			panic("getrandom: " + err.Error()) // going on with guessable numbers would be worse
		}
		b = b[max(n, 0):]
	}
}
