// SPDX-License-Identifier: ISC

// Package procuse says what processes of this machine use: CPU time and memory
// of a server and all that it started, for benchmarks. It reads /proc.
package procuse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of the times in /proc (USER_HZ, the same on all of Linux's
// machines that Go runs on).
const tick = time.Second / 100

const maxPid = 1 << 22 // proc_sys_kernel(5)

// stat is the part of /proc/PID/stat that is used here.
type stat struct {
	parent int
	waited time.Duration // CPU time of children that ended and were waited for
}

func stats() map[int]stat {
	all := make(map[int]stat)
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if pid, s, ok := parseStat(string(b)); ok {
			all[pid] = s
		}
	}
	return all
}

// parseStat reads a line of proc_pid_stat(5); a program's name may have any
// character, spaces and parentheses too.
func parseStat(text string) (pid int, s stat, ok bool) {
	id, rest, _ := strings.Cut(text, " ")
	f := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:])
	if len(f) < 15 {
		return 0, s, false
	}
	pid, err := strconv.Atoi(id)
	s.parent, _ = strconv.Atoi(f[1])
	user, _ := strconv.ParseInt(f[13], 10, 64)
	system, _ := strconv.ParseInt(f[14], 10, 64)
	s.waited = time.Duration(user+system) * tick
	return pid, s, err == nil
}

// Parse reads process numbers with commas between them.
func Parse(list string) ([]int, error) {
	var out []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPid {
			return nil, fmt.Errorf("%q is no list of process numbers", list)
		}
		out = append(out, n)
	}
	return out, nil
}

// Tree is these processes and what they started, however deep, that live now.
func Tree(roots ...int) []int {
	return tree(stats(), roots)
}

func tree(all map[int]stat, roots []int) []int {
	var out []int
	for own := range all {
		for p := own; p != 0; p = all[p].parent {
			if slices.Contains(roots, p) {
				out = append(out, own)
				break
			}
		}
	}
	return out
}

// CPU is the CPU time that these processes and what they started have used, user
// and system: in nanoseconds of those that live, in ticks of those that have
// ended and been waited for.
func CPU(roots ...int) time.Duration {
	all := stats()
	var sum time.Duration
	pids := tree(all, roots)
	for _, pid := range pids {
		sum += all[pid].waited
	}
	return sum + Clock(pids)
}

// Clock is the CPU time of these processes alone, all threads, user and system,
// in nanoseconds; it looks nothing up in /proc and takes no time itself. One that
// has ended counts nothing.
func Clock(pids []int) time.Duration {
	var sum time.Duration
	for _, pid := range pids {
		var t unix.Timespec
		if unix.ClockGettime(int32(^pid)<<3|2, &t) == nil { // clock_getcpuclockid(3)
			sum += time.Duration(t.Nano())
		}
	}
	return sum
}

// Memory is the proportional set size, in KiB, of these processes and what they
// started. One that ends meanwhile counts nothing.
func Memory(roots ...int) (int, error) {
	sum := 0
	for _, pid := range Tree(roots...) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return 0, err
		}
		n, err := pss(string(b))
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/smaps_rollup: %w", pid, err)
		}
		sum += n
	}
	return sum, nil
}

func pss(rollup string) (int, error) {
	_, after, ok := strings.Cut(rollup, "\nPss:")
	f := strings.Fields(after)
	if !ok || len(f) == 0 {
		return 0, errors.New("no Pss")
	}
	return strconv.Atoi(f[0])
}
