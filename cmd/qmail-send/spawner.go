// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"quill/internal/chain"
	"quill/internal/spawn"
)

// spawner is a program that runs deliveries for us, and is started again when
// it dies.
type spawner struct {
	s    *sender
	argv []string
	most int         // deliveries at once; 0 while none runs
	out  chan []byte // to the one that runs
	last time.Time   // of its last start
	once bool        // root has started it, and could alone do it again
}

func newSpawner(s *sender, command string) *spawner {
	return &spawner{s: s, argv: strings.Fields(command)}
}

// start starts the program, and says when it dies.
func (p *spawner) start() {
	p.last = time.Now()
	in, out, proc, err := p.exec()
	if err != nil {
		logf("alert: unable to start %s: %v", p.argv[0], err)
		p.again()
		return
	}
	lines := make(chan []byte, 1024)
	p.out = lines
	go func() {
		for b := range lines {
			if _, err := in.Write(b); err != nil {
				break
			}
		}
		for range lines {
		}
		in.Close()
	}()
	go func() {
		p.hear(bufio.NewReader(out))
		out.Close()
		if !p.once { // else it may not be ours to kill
			proc.Kill()
			proc.Wait()
		}
		p.s.events <- func() {
			logf("alert: %s died", p.argv[0])
			p.most = 0
			close(lines)
			p.out = nil
			p.s.spawnerDied()
			p.again()
		}
	}()
}

// exec starts the process with pipes on its descriptors 0 and 1.
func (p *spawner) exec() (in, out *os.File, proc *os.Process, err error) {
	path, err := chain.Find(p.argv)
	if err != nil {
		return nil, nil, nil, err
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, nil, nil, err
	}
	defer theirOut.Close()
	proc, err = os.StartProcess(path, p.argv, &os.ProcAttr{Files: []*os.File{theirIn, theirOut, os.Stderr}})
	if err != nil {
		in.Close()
		out.Close()
	}
	return in, out, proc, err
}

// again starts the program once more: at once, then at most once a second. Where
// only root could, there is no going on.
func (p *spawner) again() {
	if p.once {
		go func() {
			p.s.events <- func() {
				p.s.failed = errors.New("only root could start the spawner again: whoever started this has to")
			}
		}()
		return
	}
	time.AfterFunc(max(0, time.Second-time.Since(p.last)), func() { p.s.events <- p.start })
}

// hear reads the greatest number of deliveries at once, then reports.
func (p *spawner) hear(r *bufio.Reader) {
	s, err := spawn.ReadNetstring(r)
	most, err2 := strconv.Atoi(s)
	if err != nil || err2 != nil || most < 1 {
		return
	}
	p.s.events <- func() { p.most = most }
	for {
		s, err := spawn.ReadNetstring(r)
		if err != nil {
			return
		}
		num, report, err := spawn.ParseReport(s)
		if err != nil {
			logf("alert: %s: report mangled", p.argv[0])
			return
		}
		p.s.events <- func() { p.s.reported(num, report) }
	}
}

// send hands a delivery over.
func (p *spawner) send(d *spawn.Delivery) {
	if p.out != nil {
		p.out <- d.Append(nil)
	}
}
