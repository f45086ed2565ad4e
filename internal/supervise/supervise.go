// SPDX-License-Identifier: ISC

// Package supervise runs services by their run scripts as daemontools does: it
// starts them, restarts what dies, keeps one log a service, and leaves nothing
// behind when it stops. When the supervisor itself is killed, the services are
// told to end by the kernel.
package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"quill/internal/tai64n"
)

// Times and sizes.
const (
	restartPause = time.Second // between starts, after the first restart
	stopTime     = 15 * time.Second
	groupTime    = 3 * time.Second
	logSize      = 1 << 20
	logKeep      = 5
	logBuffer    = 64 << 10 // a longer line is cut
)

// Service is one that is to run.
type Service struct {
	Name   string
	Script string // its run script
	Dir    string // working directory
	Env    []string
	Log    string // the folder of its log
}

// running is a service at work.
type running struct {
	Service
	mu      sync.Mutex
	pid     int
	stopped bool
	done    chan struct{}
	w       *os.File // its descriptors 1 and 2
	logged  chan struct{}
}

// Group is services that run together.
type Group struct{ all []*running }

// Start starts a service after those that were started before.
func (g *Group) Start(s Service) error {
	if err := os.MkdirAll(s.Log, 0o700); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	l, err := openLog(s.Log)
	if err != nil {
		return errors.Join(err, r.Close(), w.Close())
	}
	run := &running{Service: s, done: make(chan struct{}), w: w, logged: make(chan struct{})}
	g.all = append(g.all, run)
	go func() {
		defer close(run.logged)
		l.copy(r)
		r.Close()
	}()
	go run.keep()
	return nil
}

// keep runs the service again and again until it is stopped. Its thread stays
// its own: the kernel ends the service when the thread that started it ends.
func (r *running) keep() {
	runtime.LockOSThread()
	defer close(r.done)
	var last time.Time
	for {
		cmd := exec.Command("/bin/sh", r.Script)
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.Dir, r.Env, r.w, r.w
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		if !r.begin(cmd) {
			return
		}
		cmd.Wait()
		if r.ended() {
			return
		}
		fmt.Fprintf(r.w, "supervise: warning: %s ended (%v), starting it again\n", r.Name, cmd.ProcessState)
		if pause := restartPause - time.Since(last); pause > 0 {
			time.Sleep(pause)
		}
		last = time.Now()
	}
}

// begin starts the process, unless the service is stopped.
func (r *running) begin(cmd *exec.Cmd) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(r.w, "supervise: alert: %v\n", err)
		r.pid = 0
		return true
	}
	r.pid = cmd.Process.Pid
	return true
}

// ended takes note that the process is gone; true where that was wanted.
func (r *running) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		r.pid = 0
	}
	return r.stopped
}

// Stop ends all services, the last one first, each with time to finish, and
// whatever they left in their process groups.
func (g *Group) Stop() {
	for _, r := range slices.Backward(g.all) {
		r.stop()
	}
	g.all = nil
}

func (r *running) stop() {
	r.mu.Lock()
	r.stopped = true
	pid := r.pid
	r.mu.Unlock()
	if pid > 0 {
		syscall.Kill(pid, syscall.SIGTERM)
		select {
		case <-r.done:
		case <-time.After(stopTime):
			syscall.Kill(-pid, syscall.SIGKILL)
			<-r.done
		}
		endGroup(pid)
	} else {
		<-r.done
	}
	r.w.Close()
	<-r.logged
}

// endGroup waits for the children of a service that has ended, which finish by
// themselves, and kills what does not.
func endGroup(pgid int) {
	for end := time.Now().Add(groupTime); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if syscall.Kill(-pgid, 0) != nil {
			return
		}
	}
	syscall.Kill(-pgid, syscall.SIGKILL)
}

// log is a service's log: lines with TAI64N labels, turned by size.
type log struct {
	dir  string
	f    *os.File
	size int64
}

func openLog(dir string) (*log, error) {
	f, err := os.OpenFile(filepath.Join(dir, "current"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &log{dir, f, st.Size()}, nil
}

// copy writes lines until the end. What cannot be written is lost, but never
// stops the service.
func (l *log) copy(r io.Reader) {
	in := bufio.NewReaderSize(r, logBuffer)
	var b []byte
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			b = append(append(tai64n.Append(b, time.Now()), ' '), line...)
			if line[len(line)-1] != '\n' {
				b = append(b, '\n')
			}
		}
		if in.Buffered() == 0 || len(b) >= logBuffer || err != nil {
			n, _ := l.f.Write(b)
			b = b[:0]
			l.size += int64(n)
			if l.size > logSize {
				l.turn()
			}
		}
		if err != nil && err != bufio.ErrBufferFull {
			l.f.Close()
			return
		}
	}
}

// turn begins a new file and forgets the oldest.
func (l *log) turn() {
	current := filepath.Join(l.dir, "current")
	if err := os.Rename(current, filepath.Join(l.dir, tai64n.Stamp(time.Now())+".s")); err != nil {
		return
	}
	if old, _ := filepath.Glob(filepath.Join(l.dir, "@*.s")); len(old) > logKeep {
		slices.Sort(old)
		for _, f := range old[:len(old)-logKeep] {
			os.Remove(f)
		}
	}
	if f, err := os.OpenFile(current, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640); err == nil {
		l.f.Close()
		l.f, l.size = f, 0
	}
}
