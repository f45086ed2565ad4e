// SPDX-License-Identifier: ISC

package main

import "time"

// limits bounds what a delivery may take (LIMITS in local-delivery(8); those of
// .qmail files are dotqmail's).
type limits struct {
	program  time.Duration // a program's run; then it is stopped
	delivery time.Duration // a delivery in a worker; then it is given up
	lock     time.Duration // waiting for an mbox that another program has
	output   int64         // bytes a program may write before it is stopped
	report   int           // bytes of a worker's report; the rest is dropped
	atOnce   int           // deliveries at once in a worker
}

var defaultLimits = limits{
	program:  time.Hour,
	delivery: 24 * time.Hour,
	lock:     30 * time.Second,
	output:   16 << 20,
	report:   3000,
	atOnce:   120,
}
