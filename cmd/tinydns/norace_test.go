// SPDX-License-Identifier: ISC

//go:build !race

package main

// slack is how much more memory a test allows.
const slack = 1
