// SPDX-License-Identifier: ISC

package tcpserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"quill/internal/cdb"
)

// Limits of rules; tcprules(1) lists them.
const (
	MaxRule = 65536 // bytes of a line
)

// Compile reads rules as tcprules(1) describes them and puts them into w. An
// error names the line.
func Compile(r io.Reader, w *cdb.Writer) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 4096), MaxRule)
	n := 0
	nets := lengths{}
	for in.Scan() {
		n++
		line := strings.TrimRight(in.Text(), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		addr, what, ok := splitRule(line)
		if !ok {
			continue
		}
		data, err := ruleData(what)
		if err == nil {
			err = put(w, nets, addr, data)
		}
		if err != nil {
			return fmt.Errorf("unable to parse this line %d: %s: %w", n, line, err)
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(nets)) {
		slices.SortFunc(nets[key], func(a, b byte) int { return int(b) - int(a) })
		if err := w.Put([]byte(key), nets[key]); err != nil {
			return err
		}
	}
	return nil
}

// put puts data under an address, a net, or a range.
func put(w *cdb.Writer, nets lengths, addr string, data []byte) error {
	key, a, n, ok, err := address(addr)
	switch {
	case err != nil:
		return err
	case !ok:
		return putRange(w, addr, data)
	case n >= 0:
		nets.add(a, n)
	}
	return w.Put([]byte(key), data)
}

// ruleData turns `deny` or `allow,VAR="value"…` into a rule's data.
func ruleData(what string) ([]byte, error) {
	var data bytes.Buffer
	rest, deny := strings.CutPrefix(what, "deny")
	if deny {
		data.WriteString("D\x00")
	} else if rest, deny = strings.CutPrefix(what, "allow"); !deny {
		return nil, errors.New("neither allow nor deny")
	}
	for rest != "" {
		if rest[0] != ',' {
			return nil, errors.New("a comma is missing")
		}
		name, after, ok := strings.Cut(rest[1:], "=")
		if !ok || after == "" {
			return nil, errors.New("a variable without a value")
		}
		value, tail, ok := strings.Cut(after[1:], after[:1])
		if !ok {
			return nil, errors.New("a quote is not closed")
		}
		data.WriteString("+" + name + "=" + value + "\x00")
		rest = tail
	}
	return data.Bytes(), nil
}

// putRange puts data under an address, or under each of a range such as
// 1.2.3.37-53 or 10.2-3. does name. As in the family, a number of the range has
// a whole place between dots, and what is above 255 is cut off.
func putRange(w *cdb.Writer, addr string, data []byte) error {
	i := strings.IndexByte(addr, '-')
	if i < 0 || strings.ContainsAny(addr, "=@") {
		return w.Put([]byte(addr), data)
	}
	start, end := strings.LastIndexByte(addr[:i], '.')+1, len(addr)
	if dot := strings.IndexByte(addr[i:], '.'); dot >= 0 {
		end = i + dot
	}
	low, err1 := strconv.ParseUint(addr[start:i], 10, 31)
	high, err2 := strconv.ParseUint(addr[i+1:end], 10, 31)
	if err1 != nil || err2 != nil || low > 255 {
		return errors.New("a range is two numbers of at most 255")
	}
	for n := low; n <= min(high, 255); n++ {
		if err := w.Put([]byte(addr[:start]+strconv.FormatUint(n, 10)+addr[end:]), data); err != nil {
			return err
		}
	}
	return nil
}
