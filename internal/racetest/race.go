// SPDX-License-Identifier: ISC

//go:build race

package racetest

const (
	Enabled = true // whether the detector watches
	Slack   = 10   // how many times its memory a test allows a program
)
