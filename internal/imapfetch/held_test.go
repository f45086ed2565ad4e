// SPDX-License-Identifier: ISC

package imapfetch

import (
	"fmt"
	"strings"
	"testing"
)

// TestHeldFull: a line whose fields of the digest go beyond what is held has the
// rest of its content read again, as any other.
func TestHeldFull(t *testing.T) {
	subject := strings.Repeat("s", 500)
	text := strings.Repeat("x", maxHeld+10)
	msg := "Subject: " + subject + "\r\n\r\n" + text
	b := newBox(msg)
	var cache Cache
	for _, left := range []int{1, 100, 600} {
		n := maxHeld - left
		got, err := b.fetch(t, 1, fmt.Sprintf("(BODY.PEEK[]<0.%d> BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]<0.10> BODY.PEEK[HEADER.FIELDS (X)])", n), &cache)
		want := fmt.Sprintf("* 1 FETCH (BODY[]<0> {%d}\r\n%s BODY[HEADER.FIELDS (SUBJECT)] {513}\r\nSubject: %s\r\n\r\n BODY[TEXT]<0> {10}\r\nxxxxxxxxxx BODY[HEADER.FIELDS (X)] {2}\r\n\r\n)\r\n", n, msg[:n], subject)
		if err != nil || got != want {
			t.Errorf("%d bytes left: %d bytes, %v; want %d", left, len(got), err, len(want))
		}
	}
}
