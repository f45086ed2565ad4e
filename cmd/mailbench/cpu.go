// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticks a second of the times in /proc (USER_HZ, the same on all of Linux's
// machines that Go runs on).
const ticks = 100

// cpu is the seconds of CPU that these processes and what they started have
// used, those that have ended and been waited for included.
func cpu(pids string) float64 {
	if pids == "" {
		return 0
	}
	parent, used := make(map[string]string), make(map[string]int64)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil {
			continue
		}
		text := string(b)
		pid, _, _ := strings.Cut(text, " ")
		f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(f) < 15 {
			continue
		}
		parent[pid] = f[1]
		for _, t := range f[11:15] { // own and waited children's, user and system
			n, _ := strconv.ParseInt(t, 10, 64)
			used[pid] += n
		}
	}
	var sum int64
	roots := strings.Split(pids, ",")
	for pid, n := range used {
		for p := pid; p != "" && p != "0"; p = parent[p] {
			if contains(roots, p) {
				sum += n
				break
			}
		}
	}
	return float64(sum) / ticks
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
