#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run -p: a port of the real machine leads in, at 127.0.0.1 unless told otherwise, and ends with the program.
. "$(dirname "$0")/lib.sh"
need curl

mkdir files
echo "from inside" >files/index.html
head -c 3000000 /dev/urandom >files/big
port=$(free_port)
OPTIONS=(-p "$port:80")
start_python_http web 80 "$WORK/files"
OPTIONS=()

real() { curl -sS --noproxy '*' --max-time 20 "$@"; }
is "$(real "http://127.0.0.1:$port/")" "from inside" "plain curl on the real machine reaches the program"
is "$(real "http://127.0.0.1:$port/big" | sha256sum)" "$(sha256sum <files/big)" "3 MB come out as they are"
for i in 1 2 3 4 5; do real "http://127.0.0.1:$port/" >"got.$i" & pids[i]=$!; done
wait "${pids[@]}"
is "$(cat got.? | sort | uniq -c | sed 's/^ *//')" "5 from inside" "five at once"
like "$("$BERTH" ps --net "$NET")" "web .*127\.0\.0\.1:$port->80/tcp" "berth ps shows the published port"
is "$("$PYTHON" -c "
import json, subprocess
ps = json.loads(subprocess.check_output(['$BERTH', 'ps', '--net', '$NET', '--json']))
p = [h for h in ps if h['name'] == 'web'][0]['published'][0]
print(p['address'], p['real_port'], p['port'], p['protocol'])")" "127.0.0.1 $port 80 tcp" "and so does its JSON"

# Not on the machine's other addresses.
other=$(hostname -I 2>/dev/null | awk '{ print $1 }')
if [ -n "$other" ]; then
	! real --max-time 3 "http://$other:$port/" >out 2>&1
	ok $? "the port is closed at the machine's other addresses"
else
	skip "the port is closed at the machine's other addresses" "it has none"
fi

out=$(timeout 20 "$BERTH" run --net "$NET" -p "$port:80" -- true 2>&1)
is $? 125 "a real port that is taken: exit code 125"
like "$out" "^berth.*$port" "and one line that names the port"
is "$(grep -c . <<<"$out")" 1 "one line, not more"

OPTIONS=(-p 0:7/udp)
start echo "$PYTHON" -u -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7))
while True: s.sendto(*s.recvfrom(2000))'
OPTIONS=()
await_port echo 7 UNCONN
udp=$("$BERTH" ps --net "$NET" | sed -n 's/^echo .*127\.0\.0\.1:\([0-9]*\)->7\/udp.*/\1/p')
is "$("$PYTHON" -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); s.sendto(b'hello', ('127.0.0.1', int('0$udp'))); print(s.recv(9).decode())")" \
	hello "UDP, at a real port that the system chose ($udp)"

if "$PYTHON" -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null; then
	OPTIONS=(-p '[::]:0:80')
	start_python_http six 80 "$WORK/files"
	OPTIONS=()
	six=$("$BERTH" ps --net "$NET" | sed -n 's/^six .*\[::\]:\([0-9]*\)->80\/tcp.*/\1/p')
	is "$(real "http://[::1]:$six/")" "from inside" "[::] is every IPv6 address of the machine (port $six)"
	! real --max-time 3 "http://127.0.0.1:$six/" >out 2>&1
	ok $? "and no IPv4 one"
else
	skip "[::] is every IPv6 address of the machine" "it has no IPv6"
fi

stop "${started[0]}"
! real --max-time 3 "http://127.0.0.1:$port/" >out 2>&1
ok $? "when the program has ended, the port is closed"
finish
