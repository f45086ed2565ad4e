// SPDX-License-Identifier: ISC

// Package racetest tells tests of the race detector, under which they are ten
// times as slow and take more memory.
package racetest

// Fewer is n, and a tenth of it under the race detector: for what one goroutine
// does many times, which the same test does in full without.
func Fewer(n int) int {
	if Enabled {
		return n / 10
	}
	return n
}
