#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --express: the same programs, program to program, past our TCP.
. "$(dirname "$0")/lib.sh"
need curl nginx redis-server redis-benchmark

mkdir web
echo "from web" >web/index.html
head -c 50000000 /dev/urandom >web/big
OPTIONS=(--express)
start_nginx web 80 "$WORK/web"
start_redis db
OPTIONS=()
express() { timeout -k 5 $((30 * slow)) "$BERTH" run --net "$NET" --express --name client -- "$@"; }

is "$(express curl -sS http://web/)" "from web" "curl gets a page from nginx"
is "$(express curl -sS http://web/big | sha256sum)" "$(sha256sum <web/big)" "50 MB arrive as they are"
express curl -sS http://web:81/ >out 2>&1
is $? 7 "a port where nobody listens refuses"
is "$(express redis-cli -h db ping)" PONG "redis answers"
out=$(express redis-benchmark -h db -q -t get -n 20000 -c 50 2>&1 | tr '\r' '\n')
like "$out" "GET: [0-9.]+ requests per second" "redis-benchmark GET with 50 connections"
note "$(grep 'per second' <<<"$out" | tail -n 1)"

OPTIONS=(--express)
start holder "$PYTHON" -c 'import socket, time; s = socket.create_connection(("db", 6379)); time.sleep(60)'
OPTIONS=()
conversation() { "$BERTH" ss --net "$NET" -n holder | grep -q ':6379 '; }
until_true 10 conversation
like "$("$BERTH" ss --net "$NET" -n holder)" "ESTAB.*:6379 .*express" "berth ss says that it goes by express"
like "$("$BERTH" link set --net "$NET" db delay 10ms 2>&1; echo $?)" "db and holder have express conversations, .*without --express
1$" "a condition is refused, and names the pair"
like "$("$BERTH" link set --net "$NET" holder db loss 1% 2>&1)" "holder and db have express conversations" "… that of a pair, too"
"$BERTH" link set --net "$NET" web holder delay 1us
is $? 0 "… and another pair's is not"
"$BERTH" link reset --net "$NET"
"$BERTH" capture --net "$NET" -i db -w db.pcapng 2>capture.err &
capture=$!
until_true 10 grep -qs "\(db and holder\|holder and db\) have express conversations, which are not recorded" capture.err
ok $? "a capture says what it can't see"
by_wire() { # … and what begins after it has begun, it can
	express redis-cli -h db set recorded yes >set.out && grep -q recorded db.pcapng
}
until_true 20 by_wire
ok $? "… new conversations go by wire, and are recorded"
kill "$capture"
wait "$capture"
is "$(grep -c express capture.err)" 1 "… said once"
is "$(on wired curl -sS http://web/)" "from web" "a client without --express reaches the same server"
finish
