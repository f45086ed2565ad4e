// SPDX-License-Identifier: ISC

//go:build race

package main

// slack is how much more memory a test allows: the race detector takes its own.
const slack = 10
