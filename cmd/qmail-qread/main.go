// SPDX-License-Identifier: ISC

// Program qmail-qread lists the messages in the queue and the recipients that
// wait; see qmail-qread(8).
package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/mailid"
	"quill/internal/route"
	"quill/queue"
)

const prog = "qmail-qread"

func main() {
	if len(os.Args) != 1 {
		exit.Usage(prog)
	}
	home := control.Home()
	routes, err := control.Open(home).Routes()
	if err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	live, err := read(home)
	if err != nil {
		exit.Die(prog, exit.Temporary, fmt.Errorf("unable to read the queue: %w", err))
	}
	out := bufio.NewWriter(os.Stdout)
	for _, id := range slices.Sorted(maps.Keys(live)) {
		live[id].print(out, id, routes)
	}
	if err := out.Flush(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// entry is what the queue knows of a message.
type entry struct {
	env  *queue.Envelope
	done map[int]byte // K or D by recipient
}

// read collects what lives.
func read(home string) (map[mailid.ID]*entry, error) {
	alive, all := make(map[mailid.ID]bool), make(map[mailid.ID]*entry)
	err := queue.Scan(home, func(e queue.Event, _ time.Time) {
		queue.Track(alive, e)
		switch e.Kind {
		case queue.Enqueue:
			if env, err := queue.ParseEnvelope(e.Text); err == nil {
				all[e.ID] = &entry{env, make(map[int]byte)}
			}
		case queue.Result:
			if m := all[e.ID]; m != nil && len(e.Text) > 0 && e.Text[0] != 'Z' {
				m.done[e.Rcpt] = e.Text[0]
			}
		}
	})
	maps.DeleteFunc(all, func(id mailid.ID, _ *entry) bool { return !alive[id] })
	return all, err
}

// print writes a message as qmail-qread does.
func (m *entry) print(out *bufio.Writer, id mailid.ID, routes *route.Table) {
	bouncing := ""
	for _, r := range m.done {
		if r == 'D' {
			bouncing = " bouncing"
		}
	}
	fmt.Fprintf(out, "%s  #%v  %s  <%s>%s\n", id.Time().UTC().Format("2 Jan 2006 15:04:05 GMT"), id, m.env.Params.Value("bytes"), visible(m.env.Sender), bouncing)
	for i, r := range m.env.Recipients {
		done := ""
		if m.done[i] != 0 {
			done = "  done"
		}
		addr, local := routes.Rewrite(r.Addr)
		channel := "remote"
		if local {
			channel = "local"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", done, channel, visible(addr))
	}
}

// visible keeps control bytes off a terminal.
func visible(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < 32 || c == 127 {
			b[i] = '_'
		}
	}
	return string(b)
}
