#!/usr/bin/env bash
# make bench-imap: our imapd beside Debian's Dovecot on the same Maildir of N
# messages of 1 to 4 KiB (made once, hard links for each server), in turns,
# medians of ROUNDS; a ratio is the median of each round's. Wants root and
# Debian's dovecot-imapd.
#
# Dovecot is as Debian ships it but for its places, its port, plain text logins
# and these: a static password and its authentication cache; imap-login in the
# high-performance mode of its documents (service_count 0, processes kept);
# room for 1,000 sessions; 100 of one user's. mail_fsync is its default
# (optimized), and so are its dirty rules: after a rename in cur/ the script
# waits for longer than its 2 s before it selects. Ours is imapd below a
# resident tcpserver (-k), the chain of the lab, names not looked up.
#
# Both servers run the whole time. All traffic is loopback's; server and client
# have the same cores. CPU is that of all of a server's processes. Prints tables
# in Markdown. Environment: ROUNDS (5), N (100000), SESSIONS (300, of a run),
# IDLE (500), SERVERS ("ours dovecot"), BIN, TMPDIR.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "${BIN:-$here/../../bin}" && pwd)
ROUNDS=${ROUNDS:-5} N=${N:-100000} SESSIONS=${SESSIONS:-300} IDLE=${IDLE:-500} SERVERS=${SERVERS:-ours dovecot}
USERS=50 DOMAIN=testingsmtp.org
note() { echo "bench-imap: $*" >&2; }
has() { case " $SERVERS " in *" $1 "*) ;; *) return 1 ;; esac; }
[ "$(id -u)" = 0 ] || { note "wants root: each server serves the users of its own home"; exit 100; }
if has ours && [ ! -x "$bin/imapd" ]; then note "there is no $bin/imapd: run make build, or set SERVERS=dovecot"; exit 1; fi
if has dovecot && ! command -v dovecot >/dev/null; then note "there is no dovecot here (Debian: dovecot-imapd)"; exit 1; fi
work=$(mktemp -d "${TMPDIR:-/tmp}/quill-imapbench.XXXXXX"); chmod 755 "$work"
pids=()
declare -A pid at mail
finish() {
  local p
  for p in ${pids[@]+"${pids[@]}"}; do kill "$p" 2>/dev/null || true; done
  for p in ${pids[@]+"${pids[@]}"}; do wait "$p" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
median() { sort -g | awk '{a[NR]=$1} END{print (NR%2)?a[(NR+1)/2]:(a[NR/2]+a[NR/2+1])/2}'; }
port_free() { local p; while :; do p=$((20000 + RANDOM % 12000)); ss -Hlnt "sport = :$p" | grep -q . || { echo "$p"; return; }; done; }
port_wait() { local i; for i in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0; sleep 0.1; done; note "port $1 never opened"; return 1; }

# boxes NAME: user 0's Maildir is the great one, the others' are small
boxes() {
  local u
  for u in $(seq 0 $USERS); do
    mkdir -p "${mail[$1]}/u$u"; rm -rf "${mail[$1]}/u$u/Maildir"
    if [ "$u" = 0 ]; then cp -al "$work/great" "${mail[$1]}/u0/Maildir"; else cp -a "$work/small" "${mail[$1]}/u$u/Maildir"; fi
  done
  chown -R 65534:65534 "${mail[$1]}"
}

ours_start() {
  local home=$work/ours port i
  "$bin/quill" lab --users $((USERS + 1)) "$home" >"$work/lab.out" 2>&1 & pids+=($!)
  for i in $(seq 300); do [ ! -e "$home/lab.env" ] || break; sleep 0.1; done
  [ -e "$home/lab.env" ] || { cat "$work/lab.out" >&2; return 1; }
  mkdir -p "$home/bin"; for i in tcpserver imapup checkpassword imapd local-delivery; do cp -L --remove-destination "$bin/$i" "$home/bin/"; done
  mail[ours]=$home/mail/$DOMAIN; boxes ours
  port=$(port_free)
  (cd "$home" && ulimit -n 8192 && exec env PATH="$home/bin:$PATH" QMAILHOME="$home" setpriv --reuid=65534 --regid=65534 --clear-groups \
    tcpserver -k -v -H -R -b 250 -c 1000 -l "mail.$DOMAIN" 127.0.0.1 "$port" imapup "imap.$DOMAIN" checkpassword imapd Maildir) >"$work/ours.log" 2>&1 &
  pids+=($!); pid[ours]=$!; at[ours]=127.0.0.1:$port
  port_wait "$port" || { cat "$work/ours.log" >&2; return 1; }
}

dovecot_start() {
  local d=$work/dovecot port; port=$(port_free)
  mkdir -p "$d/run"; mail[dovecot]=$d/mail; boxes dovecot
  sed "s|DIR|$d|; s|PORT|$port|" "$here/../../internal/dovecottest/dovecot.conf" >"$d/conf"
  cat >>"$d/conf" <<C
auth_cache_size = 10M
default_client_limit = 4000
service imap-login {
  service_count = 0
  client_limit = 1000
  process_min_avail = $(nproc)
}
service imap {
  process_limit = 2000
}
C
  (ulimit -n 8192; exec dovecot -c "$d/conf" -F) >"$d/out" 2>&1 & pids+=($!); pid[dovecot]=$!
  at[dovecot]=127.0.0.1:$port
  port_wait "$port" || { cat "$d/out" "$d/log" >&2; return 1; }
}

# measure SERVER VERB OPTIONS…: one line of figures
measure() { local s=$1 verb=$2; shift 2; "$bin/imapbench" "$verb" -pid "${pid[$s]}" "$@" "${at[$s]}"; }
run() { measure "$1" command -count "${3:-1}" -run "$2"; }
letter() { printf 'From: netwatcher@%s\nTo: u0@%s\nSubject: new %s\nMessage-ID: <new.%s@%s>\n\nA few words.\n' $DOMAIN $DOMAIN "$1" "$1" $DOMAIN; }

# What is done to a server's great Maildir before it is asked. ROUND says which.
rename() { # as a mail reader of this machine does: a flag less or more
  local f to
  f=$(find "${mail[$1]}/u0/Maildir/cur" -type f -print -quit)
  case $f in *:2,*F*) to=${f%F*}${f##*F} ;; *) to=${f/:2,/:2,F} ;; esac
  mv "$f" "$to"
}
arrive() { # as a delivery by another program
  local d=${mail[$1]}/u0/Maildir name; name=$(date +%s).M$RANDOM$RANDOM.mail.$DOMAIN
  letter "$name" >"$d/tmp/$name"; chown 65534:65534 "$d/tmp/$name"; mv "$d/tmp/$name" "$d/new/$name"
}
deliver() { # by the server's own program; its time is the table's last
  letter "$1.$RANDOM$RANDOM" >"$work/letter"
  local home=${mail[$1]}/u0 start end; start=$(date +%s%N)
  case $1 in
  ours) (cd "$home" && setpriv --reuid=65534 --regid=65534 --clear-groups "$work/ours/bin/local-delivery" u0 "$home" u0 "" "" $DOMAIN netwatcher@$DOMAIN ./Maildir/) <"$work/letter" >"$work/delivery" 2>&1 ;;
  dovecot) /usr/lib/dovecot/dovecot-lda -c "$work/dovecot/conf" -d u0@$DOMAIN -f netwatcher@$DOMAIN <"$work/letter" >"$work/delivery" 2>&1 ;;
  esac || { note "delivery by $1's own program: $(cat "$work/delivery")"; return 1; }
  end=$(date +%s%N); awk -v t="$((end - start))" 'BEGIN{print t / 1e6, "?"}' >>"$work/delivery.$1"
}
pause() { sleep 2.3; }
nothing() { :; }

# turns NAME BEFORE WAIT COMMAND [COUNT]: a command in turns, into result.NAME.SERVER; BEFORE runs for each, then WAIT once
turns() {
  local name=$1 before=$2 wait=$3 command=$4 count=${5:-1} i s
  for i in $(seq "$ROUNDS"); do
    if [ "$wait" = pause ]; then
      for s in $SERVERS; do "$before" "$s"; done
      pause
      for s in $SERVERS; do run "$s" "$command" "$count" >>"$work/result.$name.$s"; done
    else
      for s in $SERVERS; do "$before" "$s"; run "$s" "$command" "$count" >>"$work/result.$name.$s"; done
    fi
  done
}

column() { cut -d' ' -f"$2" "$1" | median; }
# ratio NAME COLUMN: the median of what ours had in each round as a part of what Dovecot had in it
ratio() {
  if has ours && has dovecot && ! grep -q '?' <(cut -d' ' -f"$2" "$work/result.$1.ours"); then
    paste -d' ' <(cut -d' ' -f"$2" "$work/result.$1.ours") <(cut -d' ' -f"$2" "$work/result.$1.dovecot") | awk '{print ($2 > 0) ? $1 / $2 : 0}' | median | awk '{printf "%.3f", $1}'
  else
    printf -- '–'
  fi
}
cell() { # NAME SERVER COLUMN: the median, or a dash where there is no figure
  if [ -e "$work/result.$1.$2" ] && ! grep -q '?' <(cut -d' ' -f"$3" "$work/result.$1.$2"); then
    column "$work/result.$1.$2" "$3" | awk '{printf "%.2f", $1}'
  else
    printf -- '–'
  fi
}
# line NAME TITLE AIM
line() { printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$2" "$(cell "$1" ours 1)" "$(cell "$1" dovecot 1)" "$(ratio "$1" 1)" "$3" "$(cell "$1" ours 2)" "$(cell "$1" dovecot 2)" "$(ratio "$1" 2)"; }

"$bin/imapbench" box "$N" "$work/great"
"$bin/imapbench" box 20 "$work/small"
for s in $SERVERS; do "${s}_start"; done
rm -rf "$work/great" "$work/small"; sync
echo "## $(date -u +%F), $(nproc) cores, client and servers on the same cores, $N messages, medians of $ROUNDS in turns"
printf '\n### Commands, milliseconds\n\n| what | ours | Dovecot | ours × | aim | CPU ours | CPU Dovecot | ours × |\n|---|---|---|---|---|---|---|---|\n'
for s in $SERVERS; do run "$s" "SELECT INBOX" >"$work/result.first.$s"; done
line first "first SELECT ever (once)" –
sleep 2; for s in $SERVERS; do run "$s" "SELECT INBOX" >/dev/null; done
turns warm nothing nothing "SELECT INBOX" 20; line warm "SELECT, nothing changed" –
turns rename rename pause "SELECT INBOX"; line rename "SELECT after a rename in cur/ by another" "≤ 0.100"
for i in $(seq "$ROUNDS"); do
  for s in $SERVERS; do arrive "$s"; run "$s" "SELECT INBOX" >>"$work/result.arrive.$s"; done
  pause
  for s in $SERVERS; do run "$s" "SELECT INBOX" >>"$work/result.again.$s"; done
done
line arrive "SELECT after a file moved into new/" "≤ 0.050"
line again "the next SELECT, more than 2 s later" –
for i in $(seq "$ROUNDS"); do
  for s in $SERVERS; do deliver "$s"; run "$s" "SELECT INBOX" >>"$work/result.deliver.$s"; done
  pause
  for s in $SERVERS; do run "$s" "SELECT INBOX" >>"$work/result.delagain.$s"; done
done
for s in $SERVERS; do mv "$work/delivery.$s" "$work/result.lda.$s"; done
line deliver "SELECT after a delivery by its own program" "≤ 0.050"
line delagain "the next SELECT, more than 2 s later" –
line lda "that delivery itself (exec to exit)" –
turns flags nothing nothing "FETCH 1:* (UID FLAGS)" 3; line flags "FETCH 1:* (UID FLAGS)" "≤ 0.500"
for s in $SERVERS; do run "$s" "FETCH 1:* (RFC822.SIZE ENVELOPE)" >"$work/result.cold.$s"; done
line cold "FETCH 1:* (RFC822.SIZE ENVELOPE), the first time (once)" –
# Dovecot keeps what was asked for a second time: two more runs fill its cache.
for i in 1 2; do for s in $SERVERS; do run "$s" "FETCH 1:* (RFC822.SIZE ENVELOPE)" >/dev/null; done; done
turns sizes nothing nothing "FETCH 1:* (RFC822.SIZE ENVELOPE)"; line sizes "the same, from the cache" –
for s in $SERVERS; do run "$s" "UID SEARCH SUBJECT budget" >/dev/null; done
turns search nothing nothing "UID SEARCH SUBJECT budget"; line search "UID SEARCH SUBJECT, from the cache" –

printf '\n### Sessions: login, SELECT, FETCH a header, STORE a flag, APPEND, NOOP, LOGOUT\n\n| clients | ours /s | Dovecot /s | ours × | aim | CPU ms ours | CPU ms Dovecot | ours × |\n|---|---|---|---|---|---|---|---|\n'
for clients in 10 50; do
  for i in $(seq "$ROUNDS"); do for s in $SERVERS; do measure "$s" sessions -first 1 -users $USERS -clients "$clients" -count "$SESSIONS" >>"$work/result.sessions$clients.$s"; done; done
  line "sessions$clients" "$clients" "≥ 3"
done

printf '\n### Memory (PSS of all processes, KiB) with %s sessions in IDLE\n\n| what | ours | Dovecot | ours × | aim |\n|---|---|---|---|---|\n' "$IDLE"
for i in $(seq "$ROUNDS"); do for s in $SERVERS; do
  measure "$s" idle -first 1 -users $USERS -clients "$IDLE" >"$work/idle"
  awk '{print $2, $1, $2 - $1, ($2 - $1) / $3}' "$work/idle" >>"$work/result.idle.$s"
  sleep 1
done; done
for c in "1:all:≤ 0.200" "2:without sessions:–" "3:the difference:–" "4:of it for one session:–"; do
  IFS=: read -r col title aim <<<"$c"
  printf '| %s | %s | %s | %s | %s |\n' "$title" "$(cell idle ours "$col")" "$(cell idle dovecot "$col")" "$(ratio idle "$col")" "$aim"
done
