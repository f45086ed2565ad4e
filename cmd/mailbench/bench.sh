#!/usr/bin/env bash
# make bench: ours beside Postfix (SMTP accept) and Dovecot (POP3), in turns
# A B A B in one run, medians of RUNS, with the servers' CPU time, and the
# generator's own ceiling against a sink that stores nothing. Prints tables in
# Markdown. Needs root and Debian's postfix and dovecot-pop3d for the peers;
# all traffic is loopback's. Environment: RUNS (5), SECONDS_A_RUN (5), SESSIONS
# (50), SIZE (4096).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${BIN:-$here/../../bin}
RUNS=${RUNS:-5} SECS=${SECONDS_A_RUN:-5} SESSIONS=${SESSIONS:-50} SIZE=${SIZE:-4096}
work=$(mktemp -d "${TMPDIR:-/tmp}/quill-bench.XXXXXX"); chmod 755 "$work"
pids=()
finish() {
  peers_stop 2>/dev/null || true
  for p in ${pids[@]+"${pids[@]}"}; do kill "$p" 2>/dev/null || true; done
  for p in ${pids[@]+"${pids[@]}"}; do wait "$p" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
# shellcheck source=cmd/mailbench/peers.sh
. "$here/peers.sh"

# lab NAME ARGS…: starts a lab, sets pid_NAME
lab() {
  local name=$1; shift
  "$bin/quill" lab --users 200 "$@" "$work/$name" >"$work/$name.out" 2>&1 &
  pids+=($!); declare -g "pid_$name=$!"
  for _ in $(seq 300); do [ -e "$work/$name/lab.env" ] && break; sleep 0.1; done
}

# field NAME: a number out of mailbench -json
field() { sed -n "s/.*\"$1\": *\([0-9.eE+-]*\).*/\1/p" | head -1; }

# once WHAT PID ADDR ARGS…: one run; prints "rate cpu p50 p99 errors"
once() {
  local kind=$1 pid=$2 addr=$3; shift 3
  local out
  out=$("$bin/mailbench" "$kind" -json -seconds "$SECS" -sessions "$SESSIONS" ${pid:+-pid "$pid"} "$@" "$addr")
  echo "$(field rate <<<"$out") $(field cpu_per_1000 <<<"$out") $(field p50_ms <<<"$out") $(field p99_ms <<<"$out") $(field errors <<<"$out")"
}

# settle waits until what the last run left behind is done: a peer's queue
# manager moves files long after the last answer, and disks write. At most 30 s.
settle() {
  local i a b
  sync
  for i in $(seq 60); do
    a=$(awk '/^cpu /{print $2+$3+$4+$6+$7+$8, $2+$3+$4+$5+$6+$7+$8}' /proc/stat); sleep 0.5
    b=$(awk '/^cpu /{print $2+$3+$4+$6+$7+$8, $2+$3+$4+$5+$6+$7+$8}' /proc/stat)
    awk -v a="$a" -v b="$b" 'BEGIN{split(a,x," ");split(b,y," ");exit !((y[1]-x[1])<0.08*(y[2]-x[2]))}' && return
  done
  echo "warning: the machine did not come to rest in 30 s" >&2
}

median() { sort -g | awk '{a[NR]=$1} END{print (NR%2)?a[(NR+1)/2]:(a[NR/2]+a[NR/2+1])/2}'; }

# turns TITLE KIND ARGS -- NAME:PID:ADDR[:EXTRA]…: runs them in turns, prints a table; the first is the yardstick
turns() {
  local title=$1 kind=$2; shift 2
  local args=() ; while [ "$1" != -- ]; do args+=("$1"); shift; done; shift
  local i who name pid addr extra
  rm -f "$work"/result.*
  for i in $(seq "$RUNS"); do
    for who in "$@"; do
      IFS=@ read -r name pid addr extra <<<"$who"
      settle
      # shellcheck disable=SC2086
      once "$kind" "$pid" "$addr" "${args[@]}" $extra >>"$work/result.$name"
    done
  done
  printf '\n### %s\n\n| server | rate/s (median of %s) | ratio | CPU s per 1000 | p50 ms | p99 ms | errors |\n|---|---|---|---|---|---|---|\n' "$title" "$RUNS"
  local first=""
  for who in "$@"; do
    name=${who%%@*}
    local rate cpu p50 p99 errs
    rate=$(cut -d' ' -f1 "$work/result.$name" | median); cpu=$(cut -d' ' -f2 "$work/result.$name" | median)
    p50=$(cut -d' ' -f3 "$work/result.$name" | median); p99=$(cut -d' ' -f4 "$work/result.$name" | median)
    errs=$(cut -d' ' -f5 "$work/result.$name" | awk '{s+=$1} END{print s}')
    first=${first:-$rate}
    printf '| %s | %.0f | %.2f | %.3f | %.2f | %.2f | %s |\n' "$name" "$rate" "$(awk "BEGIN{print $rate/$first}")" "$cpu" "$p50" "$p99" "$errs"
  done
}

[ "$(id -u)" = 0 ] || { echo "make bench wants root for its peers; mailbench(1) by hand does not" >&2; exit 100; }
postfix_start
dovecot_start
lab resident; lab spawned --spawned
port=$(port_free); "$bin/mailbench" sink "127.0.0.1:$port" & pids+=($!); sink_at=127.0.0.1:$port; port_wait "$port"

# Deliveries would run beside what is measured, as they do at no peer: each
# lab's qmail-send holds them.
for l in resident spawned; do echo 0 >"$work/$l/control/concurrencylocal"; for p in $(pgrep -P "$(eval echo \$pid_$l)" -x qmail-send); do kill -HUP "$p"; done; done

# The doors that are measured look no names up, as the peers do not; everything
# else is the lab's: its user, its home, its queue, its logs.
door() { # NAME LAB OPTIONS -- CHAIN…: starts tcpserver in a lab's home, sets at_NAME and door_NAME
  local name=$1 home=$work/$2; shift 2
  local port; port=$(port_free)
  local o=(); while [ "$1" != -- ]; do o+=("$1"); shift; done; shift
  (cd "$home" && exec env PATH="$home/bin:$PATH" QMAILHOME="$home" setpriv --reuid="$(stat -c %u "$home")" --regid="$(stat -c %g "$home")" --clear-groups \
    tcpserver ${o[@]+"${o[@]}"} -v -H -R -b 250 -c 250 -l mail.testingsmtp.org 127.0.0.1 "$port" "$@") >"$work/$name.log" 2>&1 &
  pids+=($!); declare -g "door_$name=$!" "at_$name=127.0.0.1:$port"; port_wait "$port"
}
pop=(popup pop3.testingsmtp.org checkpassword pop3d Maildir)
door sk resident -k -- smtpd; door ss spawned -- smtpd
door pk resident -k -- "${pop[@]}"; door ps spawned -- "${pop[@]}"

machine=$(nproc)
echo "## $(date -u +%F), $machine cores, generator and server on the same cores, $SESSIONS sessions, $SECS s a run, medians of $RUNS, in turns"
to=(-size "$SIZE" -to sendmemail@testingsmtp.org)
for way in "100 messages a connection:-reuse 100" "100 messages a connection, pipelined:-reuse 100 -pipeline" "one message a connection:-reuse 1"; do
  # shellcheck disable=SC2086
  turns "SMTP accept, $SIZE bytes, ${way%%:*}" smtp "${to[@]}" ${way#*:} -- \
    "Postfix@$peer_smtp_pid@$peer_smtp" "resident@$door_sk,$pid_resident@$at_sk" "spawned@$door_ss,$pid_spawned@$at_ss" "sink@@$sink_at"
done

# One message in each mailbox, as at the peer.
for l in resident spawned; do
  for box in "$work/$l"/mail/testingsmtp.org/u*/Maildir/cur; do
    cp "$work/dovecot/home/Maildir/cur/1.M1.h:2,S" "$box/"; chown --reference="$box" "$box/1.M1.h:2,S"
  done
done
SESSIONS=10 turns "POP3: login, STAT, RETR of 4 KiB, QUIT; 10 sessions" pop3 -user "u%d@testingsmtp.org" -users 200 -- "Dovecot@$peer_pop3_pid@$peer_pop3@-password lab" \
  "resident@$door_pk@$at_pk@-password pass" "spawned@$door_ps@$at_ps@-password pass"
