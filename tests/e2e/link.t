#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Conditions of cables: set, seen and felt by programs that know nothing of them.
. "$(dirname "$0")/lib.sh"
need curl

mkdir -p web
"$PYTHON" -c 'import sys; sys.stdout.buffer.write(bytes(range(251)) * 8355)' >web/big # 2 MB
start_python_http web 80 "$WORK/web"
ok $? "a web server runs"
on you sh -c 'while [ ! -e stop ]; do sleep 0.2; done' &
you=$!
until_true 10 sh -c '"$BERTH" ps --net "$NET" | grep -q "^you "'
link() { timeout 30 "$BERTH" link --net "$NET" "$@" 2>&1; }
sum=$(sha256sum <web/big)

like "$(link show web)" "web +\(network\) +perfect" "cables are perfect at first"
link set web delay 40ms loss 1% >out
is "$?$(cat out)" 0 "berth link set web delay 40ms loss 1%"
like "$(link show web)" "web +\(network\) +delay 40ms loss 1%" "and show says so"
is "$(link --json | "$PYTHON" -c '
import json, sys
print([l["conditions"] for l in json.load(sys.stdin) if l["to"] == "web" and not l["from"]])')" \
	"['delay 40ms loss 1%']" "so does --json"

is "$(on client curl -sS http://web/big | sha256sum)" "$sum" "2 MB come through right"
took=$(on client curl -sS -o /dev/null -w '%{time_connect}' http://web/)
"$PYTHON" -c "import sys; sys.exit(not $took >= 0.080)"
ok $? "a connection takes a round trip of two delays at least ($took s)"
like "$(link show web)" "web +\(network\) +delay 40ms loss 1% +[1-9][0-9]+" "packets are counted"

link set web rate 20mbit >out
like "$(link show web)" "delay 40ms loss 1% rate 20mbit" "a later set merges"
link reset web >out
like "$(link show web)" "web +\(network\) +perfect" "reset makes it perfect again"

# A recorded rate: one packet every two milliseconds, in slots, with a short queue.
seq 2 2 1000 >lte.down
link set web out trace lte.down slot 1ms 3ms packets 20 limit 100kb >out
is "$?$(cat out)" 0 "berth link set web out trace FILE slot … limit 100kb"
is "$(on client curl -sS --max-time 60 http://web/big | sha256sum)" "$sum" "2 MB come through a recorded rate right"
link set web loss 1% ecn >out
like "$(link show web)" "web +\(network\) +loss 1% ecn trace lte.down slot 1ms 3ms packets 20 limit 100kb +[1-9]" "show says which"
link set web out trace off slot 0ms >out
unlike "$(link show web)" "trace|slot" "trace off, and no slots"
link reset web >out
is "$(link set web trace nowhere; echo $?)" "berth link: nowhere: No such file or directory
125" "a trace that is not there"
printf '5\n4\n' >bad.down
is "$(link set web trace bad.down; echo $?)" "berth link: bad.down:2: it lies before the moment above it
125" "a trace that goes back"
printf '5\nx\n' >bad.down
is "$(link set web trace bad.down; echo $?)" "berth link: bad.down:2: no moment in milliseconds (as in 120)
125" "a trace that is none"
: >bad.down
like "$(link set web trace bad.down; echo $?)" "bad.down: no trace: a line for each moment" "an empty one"
seq 1 300000 >long.down
link set web trace long.down >out
is "$?$(cat out)" 0 "a trace of 300000 moments"
link reset web >out

# Cut while a download runs: it waits, and goes on where it was.
link set web rate 8mbit >out
on client curl -sS --max-time 120 http://web/big >got &
download=$!
until_true 10 test -s got
link set web cut >out
until_true 20 sh -c 'before=$(stat -c %s got); sleep 1; [ "$before" = "$(stat -c %s got)" ]'
ok $? "a download stands still while the cable is cut"
link reset >out
wait "$download"
is "$?$(sha256sum <got)" "0$sum" "mended, it goes on, and arrives right"

# Partition: one client is cut off, the other is not.
timeout 30 "$BERTH" partition --net "$NET" web ! you
ok $? "berth partition web ! you"
like "$(link show web you)" "web +you +cut" "the pair is cut"
is "$(on other curl -sS -o /dev/null -w '%{http_code}' http://web/big)" 200 "another host does not notice"
on asker true
timeout 30 "$BERTH" heal --net "$NET"
ok $? "berth heal"
is "$(link show | grep -c ' cut ')" 0 "nothing is cut any more"

like "$(link set web speed 3)" "no host 'speed'" "a word that is no condition"
is "$(link set web delay 40; echo $?)" "berth link: delay: '40' is not a time (as in 40ms; ns, us, ms or s)
1" "a time without a unit: one line, exit code 1"
is "$(link set nobody delay 1ms; echo $?)" "berth link: there is no host 'nobody' (berth ps lists them)
1" "a host that is not there"
like "$(link set; echo $?)" "whose cable.*
125$" "set without a host: exit code 125"
is "$(link show >/dev/null; echo $?)" 0 "and the network lives"

touch stop
wait "$you"
finish
