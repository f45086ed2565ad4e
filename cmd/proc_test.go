// SPDX-License-Identifier: ISC

package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// process is a line of the process table.
type process struct {
	pid, parent int
	name        string
}

// descendants is the processes below pid, in the order of their pids.
func descendants(pid int) []process {
	children := make(map[int][]process)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil {
			continue
		}
		if p, ok := parseStat(string(b)); ok {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	var all []process
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		for _, p := range children[todo[0]] {
			all = append(all, p)
			todo = append(todo, p.pid)
		}
	}
	slices.SortFunc(all, func(a, b process) int { return a.pid - b.pid })
	return all
}

// parseStat reads /proc/PID/stat; zombies do not count.
func parseStat(s string) (process, bool) {
	open, end := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	rest := strings.Fields(s[end+1:])
	if len(rest) < 2 || rest[0] == "Z" {
		return process{}, false
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(s[:open]))
	parent, err := strconv.Atoi(rest[1])
	return process{pid, parent, s[open+1 : end]}, err == nil
}

// argv is a process's words.
func argv(pid int) []string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}
