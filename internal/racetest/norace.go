// SPDX-License-Identifier: ISC

//go:build !race

package racetest

const (
	Enabled = false // whether the detector watches
	Slack   = 1     // how many times its memory a test allows a program
)
