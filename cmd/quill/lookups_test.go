// SPDX-License-Identifier: ISC

package main

import "testing"

// TestQuestions: the server's questions are found among others, whatever the
// order they were logged in; a line that is not whole does not count.
func TestQuestions(t *testing.T) {
	const log = "@4000 7f0000ce:1:1 + 0001 mail.testingsmtp.org\n@4000 7f0000ce:2:1 + 0001 laptop.testingsmtp.org\n@4000 7f0000ce:3:1 + 000c 1.0.0.127.in-addr.arpa\n@4000 7f0000ce:4:1 + 001c laptop.testingsmtp.org\n@4000 7f0000ce:5:1 + 001c laptop.testingsmtp.org"
	got := questions(log, "1.0.0.127.in-addr.arpa", "laptop.testingsmtp.org")
	if len(got) != 3 || kindNames[got[0][3]] != "PTR" || kindNames[got[1][3]] != "A" || kindNames[got[2][3]] != "AAAA" {
		t.Errorf("questions = %v; want PTR, A, AAAA", got)
	}
}
