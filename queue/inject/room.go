// SPDX-License-Identifier: ISC

package inject

import (
	"errors"
	"time"

	"quill/queue"
)

// roomFresh is how long the queue is taken to have the room that it had.
const roomFresh = time.Second

// room is what queued said last.
type room struct {
	want int64 // bytes that it had room for
	at   time.Time
}

// Room asks whether the queue has room for a message of so many bytes, so that
// its sender can be told before it sends it. Only a queue that says no gives a
// refusal: one that cannot be asked, or is reached by pipes, tells when the
// message is committed.
func (j *Injector) Room(want int64) Result {
	want = max(want, queue.InlineLimit) // so that most questions are the same
	j.mu.Lock()
	known := j.room.want >= want && time.Since(j.room.at) < roomFresh
	j.mu.Unlock()
	if known || j.program != "" {
		return Result{}
	}
	c, err := j.client(0)
	if err != nil {
		return Result{}
	}
	asked := time.Now()
	answer := make(chan error, 1)
	c.Space(want, func(err error) { answer <- err })
	err = <-answer
	var refusal *queue.Refusal
	switch {
	case errors.As(err, &refusal):
		return Result{Code: refusal.Code, Text: textOf(refusal.Code, "")}
	case err != nil:
		return Result{}
	}
	j.mu.Lock()
	j.room = room{want, asked}
	j.mu.Unlock()
	return Result{}
}
