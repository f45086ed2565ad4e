// SPDX-License-Identifier: ISC

//go:build !race

package racetest

// Enabled says whether the detector watches.
const Enabled = false
