#!/usr/bin/env bash
# Sourced by bench.sh: private instances of Debian's Postfix (accepts, delivers
# nothing) and Dovecot (POP3 over one Maildir) on loopback ports below $work.
# Root only. peer_smtp and peer_smtp_pid, peer_pop3 and peer_pop3_pid say where.

port_free() { # a loopback port that nothing listens on
  local p
  while :; do p=$((20000 + RANDOM % 20000)); (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo "$p"; return; }; done
}

port_wait() { # until something listens on port $1, at most 10 s
  local i
  for i in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0; sleep 0.1; done
  echo "port $1 never opened" >&2; return 1
}

postfix_start() {
  local d=$work/postfix port; port=$(port_free)
  mkdir -p "$d/etc" "$d/spool" "$d/data"; chown postfix "$d/data"
  cat >"$d/etc/main.cf" <<C
compatibility_level = 3.6
queue_directory = $d/spool
data_directory = $d/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
maillog_file = $d/log
maillog_file_prefixes = $d
myhostname = mail.testingsmtp.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = testingsmtp.org
virtual_mailbox_maps =
local_recipient_maps =
alias_maps =
defer_transports = smtp, virtual, local, relay
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_tls_security_level = none
default_process_limit = 250
in_flow_delay = 0
smtpd_peername_lookup = no
disable_dns_lookups = yes
C
  # Its services outside a chroot, smtpd on our port.
  sed -E -e "s/^smtp[[:space:]]+inet/127.0.0.1:$port inet/" -e 's/^([^#[:space:]]\S*\s+\S+\s+\S+\s+\S+\s+)y(\s)/\1n\2/' /etc/postfix/master.cf.proto >"$d/etc/master.cf"
  grep -q '^postlog' "$d/etc/master.cf" || echo 'postlog unix-dgram n - n - 1 postlogd' >>"$d/etc/master.cf"
  cp /usr/share/postfix/dynamicmaps.cf "$d/etc/" 2>/dev/null || cp /etc/postfix/dynamicmaps.cf "$d/etc/"
  postfix -c "$d/etc" start >"$d/start" 2>&1 || { cat "$d/start" >&2; return 1; }
  port_wait "$port"
  peer_smtp=127.0.0.1:$port peer_smtp_pid=$(tr -d ' ' <"$d/spool/pid/master.pid")
}

dovecot_start() { # one Maildir with one message, owned by uid 65534
  local d=$work/dovecot port; port=$(port_free)
  mkdir -p "$d/run" "$d/home/Maildir/new" "$d/home/Maildir/cur" "$d/home/Maildir/tmp"
  { printf 'Subject: one\n\n'; head -c 4000 /dev/zero | tr '\0' x | fold -w 70; echo; } >"$d/home/Maildir/cur/1.M1.h:2,S"
  chown -R 65534:65534 "$d/home"
  cat >"$d/conf" <<C
base_dir = $d/run
state_dir = $d/run
log_path = $d/log
protocols = pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 100
mail_location = maildir:$d/home/Maildir
default_internal_user = dovecot
default_login_user = dovenull
mail_max_userip_connections = 5000
default_process_limit = 1000
default_client_limit = 4000
passdb {
  driver = static
  args = password=lab
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=$d/home allow_all_users=yes
}
service pop3-login {
  inet_listener pop3 {
    port = $port
  }
  inet_listener pop3s {
    port = 0
  }
}
C
  dovecot -c "$d/conf" -F >"$d/out" 2>&1 &
  pids+=($!); peer_pop3_pid=$!
  port_wait "$port" || { cat "$d/out" "$d/log" >&2; return 1; }
  peer_pop3=127.0.0.1:$port
}

peers_stop() { [ ! -d "$work/postfix" ] || postfix -c "$work/postfix/etc" stop >/dev/null 2>&1; }
