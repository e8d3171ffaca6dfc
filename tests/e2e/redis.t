#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# redis-server, redis-cli and redis-benchmark: many small requests, pipelines, pub/sub.
. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark

start_redis db
ok $? "redis-server listens on port 6379 of host db"
is "$(on c redis-cli -h db ping)" PONG "redis-cli -h db ping"
is "$(on c redis-cli -h db set key value)" OK "a value is set"
is "$(on c redis-cli -h db get key)" value "another program reads it back"
is "$(seq 1000 | sed 's/^/incr n /; s/n .*/n/' | on c redis-cli -h db | tail -n 1)" 1000 "a thousand commands over one connection"

out=$(on bench redis-benchmark -h db -q -t set,get -n $((20000 / slow)) -c 50 2>&1 | tr '\r' '\n')
like "$out" "SET: [0-9.]+ requests per second" "redis-benchmark SET with 50 connections"
like "$out" "GET: [0-9.]+ requests per second" "redis-benchmark GET with 50 connections"
unlike "$out" "[Ee]rror|refused|reset" "without errors"
out=$(on bench redis-benchmark -h db -q -t get -n $((100000 / slow)) -c 20 -P 16 2>&1 | tr '\r' '\n')
like "$out" "GET: [0-9.]+ requests per second" "redis-benchmark with pipelines of 16"
note "$(grep 'per second' <<<"$out" | tail -n 1)"

start subscriber redis-cli -h db subscribe news
until_true 10 grep -q subscribe subscriber.log
is "$(on c redis-cli -h db publish news hello)" 1 "a published message finds its subscriber"
until_true 10 grep -q hello subscriber.log
ok $? "and the subscriber, blocked in a read, gets it"
finish
