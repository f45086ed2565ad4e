// SPDX-License-Identifier: ISC

package djbwords

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

func TestOf(t *testing.T) {
	_, missing := os.Open("/no/such")
	for err, want := range map[error]string{missing: "file does not exist", syscall.ENOSPC: "out of disk space", fmt.Errorf("write: %w", syscall.EISDIR): "is a directory",
		syscall.EUCLEAN: "unknown error", errors.New("cdb too big"): "cdb too big"} {
		if got := Of(err); got != want {
			t.Errorf("Of(%v) = %q; want %q", err, got, want)
		}
	}
}
