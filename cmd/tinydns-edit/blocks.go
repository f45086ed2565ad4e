// SPDX-License-Identifier: ISC

package main

import "io"

// block is what is written at a time.
const block = 1024

// blocks writes whole blocks, each when more comes: what djb's program has
// written when it gives up is there, and no more.
type blocks struct {
	f   io.Writer
	buf []byte
}

func (b *blocks) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	if len(b.buf) > 64*block {
		return len(p), b.write((len(b.buf) - 1) / block * block)
	}
	return len(p), nil
}

// abandon writes the blocks that are whole, and that more came after.
func (b *blocks) abandon() error { return b.write(max(0, len(b.buf)-1) / block * block) }

func (b *blocks) flush() error { return b.write(len(b.buf)) }

func (b *blocks) write(n int) error {
	if n == 0 {
		return nil
	}
	_, err := b.f.Write(b.buf[:n])
	b.buf = b.buf[:copy(b.buf, b.buf[n:])]
	return err
}
