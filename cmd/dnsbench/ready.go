// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readyWait is the longest that a server may take to its first answer.
const readyWait = 2 * time.Minute

// ready starts a server and asks until it answers: it prints the server's
// process number and the milliseconds from its start to the first answer, and
// leaves it running.
func ready(args []string) error {
	f := flag.NewFlagSet("ready", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	core := f.Int("core", -1, "")
	if err := f.Parse(args); err != nil {
		return usageError(err.Error())
	}
	if f.NArg() < 2 {
		return usage
	}
	at, err := loopback(f.Arg(0))
	if err != nil {
		return err
	}
	fd, err := connected(at)
	if err != nil {
		return err
	}
	cmd := exec.Command(f.Arg(1), f.Args()[2:]...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := startOn(*core, cmd); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	took, err := firstAnswer(fd, start, ended)
	if err != nil {
		cmd.Process.Kill()
		return err
	}
	fmt.Printf("%d %.2f\n", cmd.Process.Pid, float64(took)/float64(time.Millisecond))
	return nil
}

// startOn starts a program that may use one core only, or any where it is -1.
func startOn(core int, cmd *exec.Cmd) error {
	if core < 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	one.Set(core)
	if err := errors.Join(unix.SchedGetaffinity(0, &all), unix.SchedSetaffinity(0, &one)); err != nil {
		return err
	}
	err := cmd.Start()
	return errors.Join(err, unix.SchedSetaffinity(0, &all))
}

// firstAnswer asks every tenth of a millisecond.
func firstAnswer(fd int, start time.Time, ended <-chan error) (time.Duration, error) {
	packet := question{name: "ns1." + origin, typ: typeA}.append(nil, false)
	in := make([]byte, room)
	for {
		took := time.Since(start)
		n, _, err := syscall.Recvfrom(fd, in, syscall.MSG_DONTWAIT)
		if err == nil && n >= header && in[2]&0x80 != 0 && in[3]&15 == rcodeOK && in[7] > 0 {
			return took, nil
		}
		select {
		case err := <-ended:
			return 0, fmt.Errorf("the server ended before its first answer: %v", err)
		default:
		}
		if took > readyWait {
			return 0, fmt.Errorf("no answer in %v: %w", readyWait, errServer)
		}
		syscall.Write(fd, packet) // refused until it is bound
		time.Sleep(100 * time.Microsecond)
	}
}
