#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# berth events, trace and ports: the journal tells what programs did and what became of their packets.
. "$(dirname "$0")/lib.sh"

events() { "$BERTH" events --net "$NET" "$@"; }

start web "$PYTHON" -m http.server 80
await_port web 80
is "$(on one curl -s -o /dev/null -w '%{http_code}' http://web/)" 200 "a page"
on two curl -4 -s -m 5 http://web:81/
is "$?" 7 "a refusal"

like "$(events web)" "  host    joined  python3 as 10\.77\.0\.[0-9]+, fd77::" "a program's coming"
like "$(events web)" "  call    setsockopt .*\(SO_REUSEADDR 1\)  \[python3" "a call, by the option's name"
like "$(events web)" "  call    listen \*:80 \(backlog 5\)  \[python3" "… listen()"
like "$(events --kinds call one)" "  call    connect .* -> (10\.77\.0\.[0-9]+|\[fd77::[0-9a-f]+\]):80  \[curl" "… connect()"
is "$(events --kinds call two | grep -c ':81 = ECONNREFUSED')" 1 "… and its failure"
like "$(events --kinds drop web)" "TCP_DROP_NO_SOCKET 10\.77\.0\.[0-9]+:81 -> 10\.77.*no listener" "what the other side saw of it"
like "$(events --kinds state --json web | "$PYTHON" -c '
import json, sys
lines = [json.loads(line) for line in sys.stdin]
port = [l["remote"] for l in lines if l["state"] == "ESTAB"][0]
print(" ".join(l["state"] for l in lines if l.get("remote") == port), {l["kind"] for l in lines}, lines == sorted(lines, key=lambda l: l["number"]))')" \
	"^ESTAB [A-Z0-9 -]*(TIME-WAIT|CLOSED) \{'state'\} True$" "a conversation's states in order, as JSON"

"$BERTH" link set --net "$NET" web in loss 100%
timeout 20 "$BERTH" trace --net "$NET" web >trace.log 2>&1 &
tracer=$!
until_true 10 grep -q 'loss 100%' trace.log
on three curl -4 -s -m 1 http://web/
"$BERTH" link reset --net "$NET" web
on three curl -4 -s -m 5 -o /dev/null http://web/
until_true 10 grep -q TIME-WAIT trace.log
until_true 10 grep -q 'packet  out .*\[F\.\]' trace.log
like "$(cat trace.log)" "  link    set  both|  link    set  in: loss 100%" "trace: what was done to the cable"
like "$(cat trace.log)" "  drop    loss  ARP who has" "… what it did to a packet"
like "$(cat trace.log)" "  packet  in  IP 10\.77.*TCP \[S\]" "… packets"
like "$(cat trace.log)" "  packet  out  IP 10\.77.*TCP \[S\.\]" "… and answers"
[ "$(grep -n 'TCP \[S\]' trace.log | tail -n 1 | cut -d: -f1)" -lt "$(grep -n 'CLOSED -> ESTAB' trace.log | tail -n 1 | cut -d: -f1)" ]
ok $? "… in order: the SYN comes before the state"
kill "$tracer"

number=$(events --json | tail -n 3 | head -n 1 | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["number"])')
is "$(events --since "$number" | wc -l)" 2 "--since: what is newer"
is "$(events --since 99999999 | wc -l)/$(events --since now | wc -l)" 0/0 "… nothing"
"$BERTH" events --net "$NET" --kinds bogus >/dev/null 2>err.log
is "$?/$(grep -c 'kinds: a list' err.log)" "1/1" "a kind that is none"
"$BERTH" trace --net "$NET" nobody >/dev/null 2>err.log
is "$?/$(grep -c "no host 'nobody'" err.log)" "1/1" "trace: a host that is none"

like "$("$BERTH" ports --net "$NET")" "^80/tcp +http +web +0\.0\.0\.0 +0 +- +python3 \([0-9]+\)" "ports"
is "$("$BERTH" ports --net "$NET" :http | wc -l)/$("$BERTH" ports --net "$NET" web :80/tcp | wc -l)" 2/2 "… of a service, of a host"
"$BERTH" ports --net "$NET" :443 >/dev/null 2>err.log
is "$?/$(cat err.log)" "1/berth ports: nobody holds port 443" "… that nobody holds"
is "$("$BERTH" ports --net "$NET" --json | "$PYTHON" -c 'import json, sys; print([(p["port"], p["service"], p["host"]) for p in json.load(sys.stdin)])')" \
	"[(80, 'http', 'web')]" "ports --json"

# A flood makes no flood of the journal.
"$BERTH" link set --net "$NET" web in loss 100%
on four "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(9000): s.sendto(b"x", ("web", 9))' 2>/dev/null
[ "$(events | wc -l)" -le 8193 ]
ok $? "the journal has an end"
finish
