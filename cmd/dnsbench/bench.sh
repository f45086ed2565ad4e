#!/usr/bin/env bash
# make bench-dns: our tinydns beside NSD, Knot and djb's tinydns (Debian's), with
# 1,000 and 1,000,000 names, in turns, medians of ROUNDS
# (of ratios too: each is of one round). Each server has one
# core and one worker, the generator the other core; while one is asked, the
# others sleep. No server limits rates. NSD, Knot and ours log no questions
# (djb's always does: to /dev/null; so does ours in the line that says so). All
# traffic is loopback's; ports are free ones, but djb's needs 53 of an address
# of its own, and root. Prints tables in Markdown. Environment: ROUNDS (5), SECS
# (3, of a flood; the others last one less), NAMES ("1000 1000000"), BIN.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "${BIN:-$here/../../bin}" && pwd)
ROUNDS=${ROUNDS:-5} SECS=${SECS:-3} NAMES=${NAMES:-1000 1000000}
LESS=$((SECS > 1 ? SECS - 1 : 1))
[ "$(nproc)" -ge 2 ] || { echo "make bench-dns wants two cores: one for the server, one for the generator" >&2; exit 100; }
read -r core other < <(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{for(i=$1;i<=($2?$2:$1);i++)print i}' | head -2 | xargs)
work=$(mktemp -d "${TMPDIR:-/tmp}/quill-dnsbench.XXXXXX"); chmod 755 "$work"
declare -A pid at first memory
stop() { # NAME: ends a server of ours to start and waits for it
  local p=${pid[$1]:-} i
  [ -n "$p" ] || return 0
  unset "pid[$1]"
  kill "$p" 2>/dev/null || return 0
  for i in $(seq 200); do kill -0 "$p" 2>/dev/null || return 0; sleep 0.05; done
  kill -9 "$p" 2>/dev/null || true
}
finish() { local s; for s in "${!pid[@]}"; do stop "$s"; done; rm -rf "$work"; }
trap finish EXIT
trap 'exit 130' INT TERM
note() { echo "bench-dns: $*" >&2; }
median() { sort -g | awk '{a[NR]=$1} END{print (NR%2)?a[(NR+1)/2]:(a[NR/2]+a[NR/2+1])/2}'; }
field() { sed -n "s/.*\"$1\": *\([-0-9.eE+]*\).*/\1/p"; }
generator() { taskset -c "$other" "$bin/dnsbench" "$@"; }

port_free() { # a port of address $1 that nobody has, UDP or TCP
  local p
  while :; do p=$((20000 + RANDOM % 12000)); ss -Hlntu "sport = :$p" | grep -q . || { echo "$1:$p"; return; }; done
}

# launch NAME LOG COMMAND…: starts a server on its core, ROUNDS times (once where
# ONCE is set), and leaves the last; first[NAME] is the median of ms to the first answer.
launch() {
  local name=$1 log=$2 i out; shift 2
  : >"$work/ready.$name"
  for i in $(seq "${ONCE:-$ROUNDS}"); do
    stop "$name"
    out=$("$bin/dnsbench" ready -core "$core" "${at[$name]}" "$@" 2>"$log") || { note "$name did not start: $out $(tail -3 "$log" 2>/dev/null)"; return 1; }
    pid[$name]=${out% *}; echo "${out#* }" >>"$work/ready.$name"
  done
  first[$name]=$(median <"$work/ready.$name")
}

root() { [ "$(id -u)" = 0 ]; }

# ours NAME LOG VARIABLES…
ours() {
  local name=$1 log=$2; shift 2
  at[$name]=$(port_free 127.0.53.1)
  launch "$name" "$log" env "$@" RATELIMIT=off ROOT="$work/ours" IP=127.0.53.1 PORT="${at[$name]#*:}" UID=65534 GID=65534 "$bin/tinydns"
}

nsd_start() {
  local d=$work/nsd; at[nsd]=$(port_free 127.0.53.2); mkdir -p "$d"
  cat >"$d/conf" <<C
server:
  server-count: 1
  ip-address: ${at[nsd]/:/@}
  username: ""
  chroot: ""
  zonesdir: "$d"
  database: ""
  pidfile: "$d/pid"
  xfrdfile: "$d/xfrd"
  xfrdir: "$d"
  zonelistfile: "$d/list"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  minimal-responses: yes
remote-control:
  control-enable: no
zone:
  name: bench.test
  zonefile: "$work/zone"
C
  launch nsd "$d/log" nsd -d -c "$d/conf"
}

knot_start() {
  local d=$work/knot; at[knot]=$(port_free 127.0.53.3); mkdir -p "$d/db"
  cat >"$d/conf" <<C
server:
  rundir: "$d"
  listen: ${at[knot]/:/@}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "$d/db"
log:
  - target: stderr
    any: warning
zone:
  - domain: bench.test
    file: "$work/zone"
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
C
  launch knot "$d/log" knotd -c "$d/conf" -s "$d/ctl"
}

djb_start() {
  at[djb]=127.0.53.53:53
  root || { note "not root: djb's tinydns, which wants port 53, is left out"; return 1; }
  launch djb /dev/null env ROOT="$work/djb" IP=127.0.53.53 UID=65534 GID=65534 /usr/sbin/tinydns
}

# start N: all servers, with N names; sets servers and djb
start() {
  local d
  mkdir -p "$work/ours" "$work/djb"
  "$bin/dnsbench" data "$1" "$work"
  for d in ours djb; do cp "$work/data" "$work/$d/"; done
  (cd "$work/ours" && "$bin/tinydns-data")
  servers=()
  ours ours "$work/ours.log" LOG=off && servers+=(ours)
  local ONCE=$((${1} > 100000 ? 1 : ROUNDS))
  if command -v nsd >/dev/null; then nsd_start && servers+=(nsd); else note "there is no nsd here"; fi
  if command -v knotd >/dev/null; then knot_start && servers+=(knot); else note "there is no knotd here"; fi
  unset ONCE
  ours ours-djb "$work/ours-djb.log" LOG=off ANSWERS=djb && servers+=(ours-djb)
  ours ours-log /dev/null LOG=full && servers+=(ours-log)
  if [ -x /usr/sbin/tinydns-data ] && (cd "$work/djb" && /usr/sbin/tinydns-data); then djb_start && servers+=(djb); else note "there is no tinydns of djb's here"; fi
  at[sink]=$(port_free 127.0.53.4)
  taskset -c "$core" "$bin/dnsbench" sink "${at[sink]}" & pid[sink]=$!
}

# once MODE NAME N: one run; a line "rate cpu_us p50 p99 lost wrong part bytes"
once() {
  local mode=$1 name=$2 n=$3 o before after blind=
  [ "$name" != sink ] || blind=-blind
  case $mode in
  perf)
    before=$("$bin/dnsbench" use "${pid[$name]}")
    o=$(taskset -c "$other" dnsperf -W -s "${at[$name]%:*}" -p "${at[$name]#*:}" -d "$work/queries" -l "$LESS" -c 32 -T 1 -q 128 -e 2>&1) || true
    after=$("$bin/dnsbench" use "${pid[$name]}")
    awk -v c="$(awk -v a="${after#* }" -v b="${before#* }" 'BEGIN{print a-b}')" '/Queries completed/{n=$3} /Queries lost/{l=$3} /Queries per second/{r=$4} /Average Latency/{a=$4*1000} /Run time/{t=$4}
      /Average packet size/{b=$NF} END{print r+0, (n ? c*1e6/n : 0), a+0, 0, l+0, 0, (t ? c/t : 0), b+0}' <<<"$o" ;;
  flood) o=$(generator flood -json -open -edns $blind -names "$n" -seconds "$SECS" -pid "${pid[$name]}" "${at[$name]}") || true ;;&
  closed) o=$(generator flood -json -edns $blind -names "$n" -seconds "$LESS" -pid "${pid[$name]}" "${at[$name]}") || true ;;&
  *) echo "$(field rate <<<"$o") $(field cpu_us <<<"$o") $(field p50_ms <<<"$o") $(field p99_ms <<<"$o") $(field lost <<<"$o") $(field wrong <<<"$o") $(field cpu_part <<<"$o") $(field bytes <<<"$o")" ;;
  esac
}

column() { cut -d' ' -f"$2" "$work/result.$1" | median; }
# ratio A B COLUMN: the median of what A had in each round as a part of what B had in it
ratio() {
  paste -d' ' <(cut -d' ' -f"$3" "$work/result.$1") <(cut -d' ' -f"$3" "$work/result.$2") | awk '{print ($2 > 0) ? $1 / $2 : 0}' | median | awk '{printf "%.2f", $1}'
}

# first_of COLUMN sort-options: which of NSD and Knot comes first by its median
first_of() {
  local column=$1 s; shift
  for s in nsd knot; do [ ! -e "$work/result.$s" ] || echo "$(column "$s" "$column") $s"; done | sort "$@" | head -1 | cut -d' ' -f2
}

# turns TITLE MODE N SERVERS…: in turns, and a table; "×" is by the faster, or the
# more frugal, of NSD and Knot, round by round
turns() {
  local title=$1 mode=$2 n=$3 i s best least; shift 3
  rm -f "$work"/result.*
  for i in $(seq "$ROUNDS"); do for s in "$@"; do once "$mode" "$s" "$n" >>"$work/result.$s"; done; done
  best=$(first_of 1 -gr) least=$(first_of 2 -g)
  best=${best:-ours} least=${least:-ours}
  printf '\n### %s, %s names\n\n| server | answers/s | × | CPU µs an answer | × | part of a core | bytes | p50 ms | p99 ms | lost | wrong |\n|---|---|---|---|---|---|---|---|---|---|---|\n' "$title" "$n"
  for s in "$@"; do
    printf '| %s | %.0f | %s | %.2f | %s | %.2f | %.0f | %.2f | %.2f | %s | %s |\n' "$s" "$(column "$s" 1)" "$(ratio "$s" "$best" 1)" "$(column "$s" 2)" "$(ratio "$s" "$least" 2)" \
      "$(column "$s" 7)" "$(column "$s" 8)" "$(column "$s" 3)" "$(column "$s" 4)" "$(column "$s" 5)" "$(awk '{s+=$6} END{print s+0}' "$work/result.$s")"
  done
  [ "$mode" = flood ] || return 0
  awk -v p="$(column ours 7)" 'BEGIN{exit !(p < 0.8)}' && note "others used this machine meanwhile: a flooded server had less than 0.8 of its core. CPU times say something, rates little."
  aims+="| $n names: answered flood, ours × the faster of NSD and Knot | $(ratio ours "$best" 1) | ≥ 1.0 |"$'\n'
  aims+="| $n names: CPU of an answer, ours × the more frugal of NSD and Knot | $(ratio ours "$least" 2) | ≤ 1.0 |"$'\n'
  [ ! -e "$work/result.djb" ] || aims+="| $n names: answered flood, ours × djb's | $(ratio ours djb 1) | ≥ 8 |"$'\n'
}

# room N: ready times and memory, and what a flood of false sources adds. Those
# of ours with other settings are ended first: they share the pages of data.cdb,
# and PSS would count a part of them only.
room() {
  local s o
  stop ours-djb; stop ours-log
  printf '\n### Start and memory, %s names\n\n| server | exec to first answer, ms | PSS after the floods, KiB | after a flood of false sources | its answers/s |\n|---|---|---|---|---|\n' "$1"
  for s in "${plain[@]}"; do
    memory[$s]=$("$bin/dnsbench" use "${pid[$s]}"); memory[$s]=${memory[$s]% *}
    o=$(generator spoof -json -names "$1" -sockets 8 -seconds "$LESS" -pid "${pid[$s]}" "${at[$s]}") || true
    printf '| %s | %s | %s | %s | %.0f |\n' "$s" "${first[$s]}" "${memory[$s]}" "$(field pss_after <<<"$o")" "$(field rate <<<"$o")"
  done
  aims+="| $1 names: memory of ours, MB | $(awk -v k="${memory[ours]}" 'BEGIN{printf "%.1f", k*1024/1e6}') | ≤ 80 |"$'\n'
  aims+="| $1 names: ours ready, s | $(awk -v t="${first[ours]}" 'BEGIN{printf "%.4f", t/1000}') | ≤ 0.1 |"$'\n'
}

echo "## $(date -u +%F), $(nproc) cores, server on core $core, generator on core $other, medians of $ROUNDS in turns, $SECS s a flood and $LESS s else, EDNS in each question"
aims=
for n in $NAMES; do
  start "$n"
  plain=(); for s in "${servers[@]}"; do case $s in ours-*) ;; *) plain+=("$s") ;; esac; done
  turns "Flood (as many questions as the generator can send)" flood "$n" "${servers[@]}" sink
  turns "128 questions on their way from 32 ports" closed "$n" "${plain[@]}" sink
  if command -v dnsperf >/dev/null; then turns "dnsperf (p50 is the mean, p99 is not told)" perf "$n" "${plain[@]}"; else note "there is no dnsperf here"; fi
  room "$n"
  for s in "${!pid[@]}"; do stop "$s"; done
done
printf '\n### Aims\n\n| what | measured | aim |\n|---|---|---|\n%s' "$aims"
