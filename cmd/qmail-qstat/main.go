// SPDX-License-Identifier: ISC

// Program qmail-qstat counts the messages in the queue; see qmail-qstat(8).
package main

import (
	"fmt"
	"os"
	"time"

	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/mailid"
	"quill/queue"
)

func main() {
	if len(os.Args) != 1 {
		exit.Usage("qmail-qstat")
	}
	live := make(map[mailid.ID]bool)
	err := queue.Scan(control.Home(), func(e queue.Event, _ time.Time) { queue.Track(live, e) })
	if err != nil {
		exit.Die("qmail-qstat", exit.Temporary, fmt.Errorf("unable to read the queue: %w", err))
	}
	fmt.Printf("messages in queue: %d\nmessages in queue but not yet preprocessed: 0\n", len(live))
}
