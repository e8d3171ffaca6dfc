#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: redis: a cluster of six
# Needs: redis-server redis-cli
# Packages: redis-server redis-tools
# Shows: three masters with replicas find each other; 300 keys over all; one master killed, its replica takes over
. "$(dirname "$0")/lib.sh"

nodes=
for i in 1 2 3 4 5 6; do
	mkdir "node$i"
	start "r$i" redis-server --dir "$WORK/node$i" --save '' --protected-mode no --bind 0.0.0.0 --cluster-enabled yes \
		--cluster-node-timeout 2000 --repl-diskless-sync-delay 0
done
for i in 1 2 3 4 5 6; do
	await_port "r$i" 6379
	nodes="$nodes $("$BERTH" ps --net "$NET" --json | "$PYTHON" -c "
import json, sys
d = json.load(sys.stdin); d = d.get('hosts', d) if isinstance(d, dict) else d
print(next(h.get('ip') or h.get('ip4') or h.get('address') for h in d if h['name'] == 'r$i'))"):6379"
done
cli() { on "cli$RANDOM" redis-cli "$@"; }
# shellcheck disable=SC2086 # a list of words
like "$(cli --cluster create $nodes --cluster-replicas 1 --cluster-yes 2>&1)" "All 16384 slots covered" "six nodes make a cluster"
steady() { cli -h r1 cluster info | grep -q cluster_state:ok; }
until_true 30 steady
(for i in $(seq 300); do echo "set key$i $i"; done) >sets
is "$(cli -c -h r2 <sets | grep -c OK)" 300 "300 keys are set, wherever they belong"
(for i in $(seq 300); do echo "get key$i"; done) >gets
is "$(cli -c -h r5 <gets | grep -E '^"?[0-9]+"?$' | tr -d '"' | sort -n | tail -n 1)" 300 "and are found"
is "$(for i in 1 2 3 4 5 6; do cli -h "r$i" role | head -n 1; done | sort | uniq -c | tr -s ' ' | tr '\n' ' ')" " 3 master  3 slave " \
	"three masters, three replicas"
stop "${started[0]}" # r1 is a master: create takes the first three
taken_over() { # the dead one is known to be, and the replica to be a master
	local nodes
	nodes=$(cli -h r2 cluster nodes)
	grep -q 'master,fail ' <<<"$nodes" && [ "$(grep -c 'master - ' <<<"$nodes")" = 3 ] && steady2
}
steady2() { cli -h r2 cluster info | grep -q cluster_state:ok; }
until_true 40 taken_over
is "$(cli -c -h r2 <gets 2>&1 | grep -E '^"?[0-9]+"?$' | tr -d '"' | sort -n | tail -n 1)" 300 "one master gone, its replica serves"
finish
