// SPDX-License-Identifier: ISC

package dnsconf

import (
	"os"
	"path/filepath"
	"strings"
)

// Quote makes s one word of a shell.
func Quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:,@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Programs are the paths of programs of ours, which lie beside this one.
func Programs(names ...string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join(filepath.Dir(self), name)
	}
	return paths, nil
}

// RunScript is a run script that becomes a program: UID and GID are account's,
// and each file of env/ is a variable, as envuidgid and envdir have it. command
// is shell text, the program's path quoted.
func RunScript(account, command string) string {
	return `#!/bin/sh
# For any supervisor: daemontools, runit, s6. The program gives root up itself, for
# UID and GID; each file of env/ is a variable, an empty one is none.
exec 2>&1
uid=$(id -u -- ` + Quote(account) + `) && gid=$(id -g -- ` + Quote(account) + `) || exit 111
set -- UID="$uid" GID="$gid"
for f in env/*; do
  [ -f "$f" ] || continue
  if [ -s "$f" ]; then
    v=
    read -r v < "$f"
    set -- "$@" "${f#env/}=$v"
  else
    unset "${f#env/}"
  fi
done
exec env "$@" ` + command + "\n"
}

// LogScript is the run script of a logger: multilog's, s6's or runit's, whichever
// is there.
func LogScript(account string) string {
	q := Quote(account)
	return `#!/bin/sh
# The log goes to main/ by the logger of daemontools, s6 or runit, as its account
# where root starts it.
has() { command -v "$1" > /dev/null; }
root=; if [ "$(id -u)" = 0 ]; then root=y; fi
if has multilog && has setuidgid; then exec ${root:+setuidgid ` + q + `} multilog t ./main; fi
if has s6-log && has s6-setuidgid; then exec ${root:+s6-setuidgid ` + q + `} s6-log t ./main; fi
if has svlogd && has chpst; then exec ${root:+chpst -u ` + q + `} svlogd -tt ./main; fi
echo "log/run: no multilog, s6-log or svlogd in PATH: install daemontools, s6 or runit" >&2
sleep 60
exit 111
`
}

// Makefile is the one of root/: data.cdb is made of data by a program.
func Makefile(program string) string {
	return "data.cdb: data\n\t" + strings.ReplaceAll(Quote(program), "$", "$$") + "\n"
}
