// SPDX-License-Identifier: ISC

package users

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxLine is the bytes of a line of users/assign or users/passwd.
const MaxLine = 8192

// assignment is a line of users/assign.
type assignment struct {
	name string // the local part, or its prefix
	wild bool
	Entry
}

// ParseAssign reads users/assign (qmail-users(5)). A file that does not end
// with a line of a dot is half-written, and refused as a whole.
func ParseAssign(text string) ([]assignment, error) {
	var out []assignment
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\n")
		if line == "." {
			return out, nil
		}
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		a, err := parseAssignLine(line)
		if err != nil {
			return nil, fmt.Errorf("users/assign line %d: %w", n, err)
		}
		out = append(out, a)
	}
	return nil, errors.New("users/assign does not end with a line of a single dot: it is half-written; write it whole and try again")
}

func parseAssignLine(line string) (assignment, error) {
	if len(line) > MaxLine {
		return assignment{}, fmt.Errorf("more than %d bytes", MaxLine)
	}
	if line[0] != '=' && line[0] != '+' {
		return assignment{}, fmt.Errorf("%q begins neither with = nor with +", line[:1])
	}
	f := strings.Split(line[1:], ":")
	if len(f) != 8 || f[7] != "" {
		return assignment{}, fmt.Errorf("%d fields; after local:user:uid:gid:home:dash:ext: nothing may come", len(f)-1)
	}
	uid, err1 := strconv.ParseUint(f[2], 10, 31)
	gid, err2 := strconv.ParseUint(f[3], 10, 31)
	switch {
	case err1 != nil || err2 != nil:
		return assignment{}, fmt.Errorf("uid %q and gid %q must be numbers", f[2], f[3])
	case !strings.HasPrefix(f[4], "/"):
		return assignment{}, fmt.Errorf("home %q is not an absolute path", f[4])
	case strings.IndexByte(line, 0) >= 0:
		return assignment{}, errors.New("a NUL byte")
	}
	return assignment{f[0], line[0] == '+', Entry{f[1], int(uid), int(gid), f[4], f[5], f[6]}}, nil
}

// Account is a line of users/passwd.
type Account struct {
	Address  string // user@domain, lower case
	Secret   string // {SCHEME}…
	UID, GID int
	Home     string
	Extra    string // fields after the home, kept as they are
	Line     int
}

// Bad is a line that is no account.
type Bad struct {
	Line int
	Err  error
}

// ParsePasswd reads users/passwd. A bad line does not take the good ones with
// it. Of an address that stands twice the first counts, the second is bad.
func ParsePasswd(text string) (accounts []Account, bad []Bad) {
	seen := make(map[string]bool)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\n")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		a, err := parseAccount(line)
		if err == nil && seen[a.Address] {
			err = fmt.Errorf("%s stands twice", a.Address)
		}
		if err != nil {
			bad = append(bad, Bad{n, err})
			continue
		}
		a.Line = n
		seen[a.Address] = true
		accounts = append(accounts, a)
	}
	return accounts, bad
}

func parseAccount(line string) (Account, error) {
	if len(line) > MaxLine {
		return Account{}, fmt.Errorf("more than %d bytes", MaxLine)
	}
	f := strings.SplitN(line, ":", 8)
	if len(f) < 6 {
		return Account{}, fmt.Errorf("%d fields: address:{SCHEME}secret:uid:gid::home: has 7", len(f))
	}
	uid, err1 := strconv.ParseUint(f[2], 10, 31)
	gid, err2 := strconv.ParseUint(f[3], 10, 31)
	switch {
	case ValidAddress(f[0]) != nil:
		return Account{}, ValidAddress(f[0])
	case err1 != nil || err2 != nil:
		return Account{}, fmt.Errorf("uid %q and gid %q must be numbers", f[2], f[3])
	case !strings.HasPrefix(f[5], "/"):
		return Account{}, fmt.Errorf("home %q is not an absolute path", f[5])
	case !strings.HasPrefix(f[1], "{"):
		return Account{}, errors.New("the secret has no {SCHEME}")
	}
	a := Account{Address: strings.ToLower(f[0]), Secret: f[1], UID: int(uid), GID: int(gid), Home: f[5]}
	if len(f) > 6 {
		a.Extra = strings.Join(f[6:], ":")
	}
	return a, nil
}

// ValidAddress says what is wrong with an account's address: what stands before
// the @ becomes a folder's name and a cdb's key.
func ValidAddress(a string) error {
	local, domain, ok := strings.Cut(a, "@")
	if !ok || local == "" || domain == "" {
		return fmt.Errorf("%q is not user@domain", a)
	}
	for _, c := range []byte(a) {
		if c <= 32 || c >= 127 || strings.IndexByte(`:/\"<>()[];,`, c) >= 0 {
			return fmt.Errorf("%q: byte %q may not stand in an account's address", a, string(rune(c)))
		}
	}
	if local[0] == '.' || domain[0] == '.' || strings.Contains(domain, "..") || strings.Contains(domain, "@") || len(a) > 200 {
		return fmt.Errorf("%q is not user@domain", a)
	}
	return nil
}

// String is the account as a line.
func (a Account) String() string {
	return fmt.Sprintf("%s:%s:%d:%d::%s:%s", a.Address, a.Secret, a.UID, a.GID, a.Home, a.Extra)
}
