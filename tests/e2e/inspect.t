#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# berth ss, ps and net: what they show is so, as text and as JSON.
. "$(dirname "$0")/lib.sh"

start web "$PYTHON" -u -c '
import socket, time
s = socket.create_server(("", 80), backlog=7)
c, peer = s.accept(); c.recv(5); print("read", flush=True)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 53))
time.sleep(100)'
await_port web 80
start client "$PYTHON" -u -c '
import socket, time
s = socket.create_connection(("web", 80)); s.sendall(b"hello" + b"x" * 1000); print(s.getsockname()[1], flush=True); time.sleep(100)'
until_true 10 grep -q read web.log
await_port web 53 UNCONN
port=$(cat client.log)
ss() { "$BERTH" ss --net "$NET" "$@"; }
web=$("$BERTH" ps --net "$NET" | awk '$1 == "web" { print $2 }')
client=$("$BERTH" ps --net "$NET" | awk '$1 == "client" { print $2 }')

like "$(ss | head -n 1)" "^Netid +State +Recv-Q +Send-Q +Local Address:Port +Peer Address:Port +Host +Via +Process" "ss(8)'s columns, and Host and Via"
like "$(ss)" "^tcp +LISTEN +0 +7 +0\.0\.0\.0:http +0\.0\.0\.0:\* +web +[a-z-]+ +users:\(\(\"python3[.0-9]*\",pid=[0-9]+\)\)" \
	"a listener, with its backlog, its service's name and its process"
like "$(ss -n)" "^tcp +LISTEN +0 +7 +0\.0\.0\.0:80 " "-n: ports as numbers"
like "$(ss -n)" "^tcp +ESTAB +[0-9]+ +0 +$client:$port +$web:80 +client +wire " "a conversation, seen from the client"
like "$(ss -n)" "^tcp +ESTAB +[0-9]+ +0 +$web:80 +$client:$port +web +wire " "and from the server"
like "$(ss)" "^udp +UNCONN +0 +0 +0\.0\.0\.0:domain " "a UDP socket"
is "$(ss -t | grep -c '^udp')/$(ss -u | grep -c '^tcp')" "0/0" "-t and -u choose"
is "$(ss -l -t | grep -c LISTEN)/$(ss -l | grep -c ESTAB)" "1/0" "-l chooses"
is "$(ss client | awk 'NR > 1 { print $7 }' | sort -u)" client "a host can be chosen"
like "$(ss -ti)" "^	 ?[a-z]+ rto:[0-9.]+ rtt:[0-9.]+/[0-9.]+ mss:[0-9]+ cwnd:[0-9]+.* bytes_sent:1005 .*retrans:[0-9]+" "-i: TCP's inner state"
is "$(ss | cat -v | grep -c '\^\[')" 0 "no colours in a pipe"
pid=$(ss -n client | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -n 1)
like "$(tr '\0' ' ' <"/proc/$pid/cmdline")" "create_connection" "the process is the right one"

ss --json >sockets.json
"$BERTH" ps --net "$NET" --json >hosts.json
"$BERTH" net inspect "$NET" >network.json
is "$("$PYTHON" -c "
import json
sockets = json.load(open('sockets.json'))
s = [s for s in sockets if s['host'] == 'client' and s['state'] == 'ESTAB'][0]
print(s['protocol'], s['family'], s['local'] == {'address': '$client', 'port': $port, 'service': s['local'].get('service')}, s['remote']['port'],
      s['remote']['service'], s['carrier'], s['process']['pid'] == $pid, sorted(s['tcp']))")" \
	"tcp 4 True 80 http wire True ['bytes_acked', 'bytes_received', 'bytes_sent', 'congestion', 'cwnd', 'in_flight', 'mss', 'receive_window', 'retransmits', 'rto_us', 'rtt_us', 'rttvar_us', 'send_window', 'since_heard_ms', 'since_sent_ms', 'ssthresh', 'timeouts']" \
	"ss --json"
is "$("$PYTHON" -c "
import json
h = {h['name']: h for h in json.load(open('hosts.json'))}
print(sorted(h), h['web']['ip4'] == '$web', h['web']['ip6'].startswith('fd77::'), h['web']['express'], h['web']['published'])")" \
	"['client', 'web'] True True False []" "ps --json"
is "$("$PYTHON" -c "
import json
n = json.load(open('network.json')); print(n['name'], n['subnet4'], sorted(h['name'] for h in n['hosts']), n['pid'] > 1)")" \
	"$NET 10.77.0.0/16 ['client', 'web'] True" "net inspect"
like "$("$BERTH" ps --net "$NET")" "^web +10\.77\.[0-9.]+ +fd77::[0-9a-f:]+ +[0-9]+ +[0-9]+ s +wire +0 +- +python3" "ps"
like "$("$BERTH" net ls)" "^$NET +running +10\.77\.0\.0/16 +fd77::/64 +2 +[0-9]+ " "net ls"

stop "${started[1]}"
later() { ss -n | grep -Eq "$web:80 +$client:$port" && return 1 || return 0; }
closing() { ss -n | grep -E "$web:80 +$client:$port" | grep -q CLOSE-WAIT; }
closing || until_true 5 closing || later
ok $? "when the client is gone, the server's end is CLOSE-WAIT (unread data) or gone"
stop "${started[0]}"

# A directory that a dead daemon left.
mkdir -p "$XDG_RUNTIME_DIR/berth/$NET-old"
chmod 700 "$XDG_RUNTIME_DIR/berth" "$XDG_RUNTIME_DIR/berth/$NET-old"
: >"$XDG_RUNTIME_DIR/berth/$NET-old/lock"
like "$("$BERTH" net ls)" "^$NET-old +stale, cleaned" "net ls says what is stale"
[ ! -e "$XDG_RUNTIME_DIR/berth/$NET-old" ]
ok $? "and has cleaned it"
finish
