#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: redis: replication
# Needs: redis-server redis-cli redis-benchmark
# Packages: redis-server redis-tools
# Shows: a replica follows, pipelining, publish and subscribe, a replica becomes master
# CI: yes
. "$(dirname "$0")/lib.sh"

start_redis db
start copy redis-server --dir "$WORK" --save '' --protected-mode no --bind 0.0.0.0 --port 6379 --replicaof db 6379 \
	--repl-diskless-sync-delay 0
await_port copy 6379
cli() { on "cli$RANDOM" redis-cli -h "$@"; }
cli db set greeting hello >/dev/null
synced() { [ "$(cli copy get greeting)" = hello ]; }
until_true 20 synced
is "$(cli copy get greeting)" hello "a replica follows"
like "$(cli copy set greeting no 2>&1)" READONLY "and is read-only"
like "$(on bench redis-benchmark -h db -q -n 20000 -c 20 -P 16 -t set,get 2>/dev/null | tr '\r' '\n')" "GET: [0-9.]+ requests" \
	"20000 pipelined requests by 20 clients"
on sub timeout 20 redis-cli -h db --csv subscribe news >heard 2>/dev/null &
listening() { [ "$(cli db pubsub numsub news | tail -n 1)" = 1 ]; }
until_true 10 listening
cli db publish news today >/dev/null
until_true 5 grep -q today heard
like "$(cat heard)" '"message","news","today"' "what is published is heard"
stop "${started[0]}"
kill %% 2>/dev/null
cli copy replicaof no one >/dev/null
is "$(cli copy set greeting again)" OK "a replica becomes master"
finish
