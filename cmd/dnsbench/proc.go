// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tree is a process and what it started, however deep.
func tree(pid int) []int {
	parent := make(map[int]int)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil {
			continue // it has ended
		}
		id, rest, _ := strings.Cut(string(b), " ")
		f := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:])
		if len(f) < 2 {
			continue
		}
		own, _ := strconv.Atoi(id)
		parent[own], _ = strconv.Atoi(f[1])
	}
	var all []int
	for own := range parent {
		for p := own; p != 0; p = parent[p] {
			if p == pid {
				all = append(all, own)
				break
			}
		}
	}
	return all
}

// cpu is the CPU time of these processes, all threads, user and system; as
// utime and stime of /proc/PID/stat, but in nanoseconds.
func cpu(pids []int) time.Duration {
	var sum time.Duration
	for _, pid := range pids {
		var t unix.Timespec
		if unix.ClockGettime(int32(^pid)<<3|2, &t) == nil { // clock_getcpuclockid(3)
			sum += time.Duration(t.Nano())
		}
	}
	return sum
}

// memory is the proportional set size of these processes, in KiB.
func memory(pids []int) (int, error) {
	sum := 0
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		_, after, ok := strings.Cut(string(b), "\nPss:")
		f := strings.Fields(after)
		if !ok || len(f) == 0 {
			return 0, fmt.Errorf("/proc/%d/smaps_rollup has no Pss", pid)
		}
		n, err := strconv.Atoi(f[0])
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// use prints what a process and what it started have in use: the proportional
// set size in KiB, and the CPU time in seconds.
func use(args []string) error {
	if len(args) != 1 {
		return usage
	}
	pid, err := number("pid", args[0], 1, 1<<22)
	if err != nil {
		return err
	}
	all := tree(pid)
	if len(all) == 0 {
		return errors.New("there is no process " + args[0])
	}
	kib, err := memory(all)
	if err == nil {
		fmt.Printf("%d %.6f\n", kib, cpu(all).Seconds())
	}
	return err
}
