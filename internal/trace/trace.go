// SPDX-License-Identifier: ISC

// Package trace finds the way of one message: the lines of all services' logs
// that name it, what the queue holds of it, the files it became, and the
// messages that came from it (bounces, forwards). It only reads.
package trace

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"quill/internal/mailid"
	"quill/internal/tai64n"
	"quill/queue"
)

const (
	maxChildren = 100     // messages that one trace follows
	maxLine     = 1 << 20 // bytes of a log's line; supervise cuts them before
)

// Event is one step of the way.
type Event struct {
	At      time.Time
	Service string
	Text    string
	ID      mailid.ID // of the message that the step is about
}

// child is how lines tell of a message that came from this one.
var child = regexp.MustCompile(`(?:bounce msg \d+ qp |success: .*qp_|forwarded as qp )(\d+)`)

// delivery is how lines tell which delivery is a message's.
var delivery = regexp.MustCompile(`^starting delivery (\d+): msg (\d+) `)

// Find gives the steps of a message and of what came from it, in order of time.
func Find(home string, id mailid.ID) ([]Event, error) {
	lines, err := logs(home)
	if err != nil {
		return nil, err
	}
	var all []Event
	seen, told := map[mailid.ID]bool{id: true}, make(map[Event]bool)
	for todo := []mailid.ID{id}; len(todo) > 0; todo = todo[1:] {
		for _, e := range about(lines, todo[0]) {
			if line := (Event{At: e.At, Service: e.Service, Text: e.Text}); !told[line] { // it may name two messages
				told[line] = true
				all = append(all, e)
			}
			if m := child.FindStringSubmatch(e.Text); m != nil {
				if next, ok := mailid.Parse(m[1]); ok && !seen[next] && len(seen) < maxChildren {
					seen[next] = true
					todo = append(todo, next)
				}
			}
		}
	}
	stored, err := inQueue(home, seen)
	if err != nil {
		return nil, err
	}
	all = append(all, stored...)
	slices.SortStableFunc(all, func(a, b Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Service, b.Service)) })
	return append(all, files(home, seen)...), nil
}

// logs is the lines of all logs, in order within a service.
func logs(home string) ([]Event, error) {
	paths, err := filepath.Glob(filepath.Join(home, "log", "*", "*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths) // "@…" before "current"
	var all []Event
	for _, p := range paths {
		f, err := os.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		service := filepath.Base(filepath.Dir(p))
		in := bufio.NewScanner(f)
		in.Buffer(nil, maxLine)
		for in.Scan() {
			if at, ok := tai64n.Parse(in.Text()); ok && len(in.Text()) > tai64n.Len+1 {
				all = append(all, Event{At: at, Service: service, Text: in.Text()[tai64n.Len+1:]})
			}
		}
		err = in.Err()
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	return all, nil
}

// about is the lines of one message: those that name its id, and the results of
// its deliveries.
func about(lines []Event, id mailid.ID) []Event {
	var out []Event
	word := regexp.MustCompile(`\b` + id.String() + `\b`)
	deliveries := make(map[string]bool)
	for _, e := range lines {
		e.ID = id
		if m := delivery.FindStringSubmatch(e.Text); m != nil && e.Service == "send" {
			if m[2] == id.String() {
				deliveries["delivery "+m[1]+":"] = true
				out = append(out, e)
			} else {
				delete(deliveries, "delivery "+m[1]+":") // numbers begin anew with qmail-send
			}
			continue
		}
		text := e.Text
		if f := strings.SplitN(text, " ", 3); len(f) == 3 && deliveries[f[0]+" "+f[1]] && e.Service == "send" {
			out = append(out, e)
		} else if word.MatchString(strings.ReplaceAll(text, "_", " ")) {
			out = append(out, e)
		}
	}
	return out
}

// kinds are the queue's records in words.
var kinds = map[queue.Kind]string{queue.Enqueue: "queued", queue.Result: "result", queue.Next: "next try", queue.Bounce: "bounce text", queue.Done: "end", queue.Hold: "held", queue.Release: "released"}

// inQueue is what the queue's log still holds.
func inQueue(home string, ids map[mailid.ID]bool) ([]Event, error) {
	var out []Event
	err := queue.Scan(home, func(e queue.Event, at time.Time) {
		if !ids[e.ID] {
			return
		}
		text := fmt.Sprintf("record %d: %s", e.Seq, kinds[e.Kind])
		switch e.Kind {
		case queue.Enqueue:
			if env, err := queue.ParseEnvelope(e.Text); err == nil {
				text += fmt.Sprintf(" msg %v, %s bytes from <%s> to %d recipients, at %v", e.ID, env.Params.Value("bytes"), env.Sender, len(env.Recipients), e.At)
			}
		case queue.Result:
			text += fmt.Sprintf(" of recipient %d: %s", e.Rcpt, strings.ReplaceAll(strings.TrimSpace(string(e.Text)), "\n", "/"))
		}
		out = append(out, Event{At: at, Service: "queue", Text: text, ID: e.ID})
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return out, err
}

// files is the Maildir files that the messages became.
func files(home string, ids map[mailid.ID]bool) []Event {
	var out []Event
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		for _, sub := range []string{"new", "cur"} {
			paths, _ := filepath.Glob(filepath.Join(home, "mail/*/*/Maildir", sub, fmt.Sprintf("*Q%vR*", id)))
			for _, p := range paths {
				if st, err := os.Stat(p); err == nil {
					out = append(out, Event{At: st.ModTime(), Service: "maildir", Text: p, ID: id})
				}
			}
		}
	}
	return out
}
