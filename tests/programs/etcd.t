#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: etcd: three
# Needs: etcd etcdctl
# Packages: etcd-server etcd-client
# Shows: a cluster forms, a key is read at another member, the leader is killed and the rest go on
. "$(dirname "$0")/lib.sh"

cluster=e1=http://e1:2380,e2=http://e2:2380,e3=http://e3:2380
ulimit -n 4096
for i in 1 2 3; do
	start "e$i" etcd --name "e$i" --data-dir "$WORK/e$i" --initial-cluster "$cluster" --initial-cluster-state new \
		--initial-advertise-peer-urls "http://e$i:2380" --listen-peer-urls http://0.0.0.0:2380 \
		--listen-client-urls http://0.0.0.0:2379 --advertise-client-urls "http://e$i:2379" --log-level error
done
export ETCDCTL_API=3
ctl() { on "c$RANDOM" etcdctl --endpoints "$1" "${@:2}" 2>&1; }
all=e1:2379,e2:2379,e3:2379
healthy() { [ "$(ctl "$all" endpoint health | grep -c 'is healthy')" = "$1" ]; }
until_true 40 healthy 3
ok $? "three members are healthy"
ctl e1:2379 put key value >/dev/null
is "$(ctl e3:2379 get key --print-value-only)" value "what is put at one is read at another"
leader=$(ctl "$all" endpoint status -w json | "$PYTHON" -c '
import json, sys
for e in json.load(sys.stdin):
    if e["Status"]["leader"] == e["Status"]["header"]["member_id"]: print(e["Endpoint"][1])')
kill -KILL "${started[leader - 1]}"
others=$(echo "$all" | tr ',' '\n' | grep -v "^e$leader" | paste -sd,)
another() { ctl "$others" put key "after $leader" | grep -q OK; }
until_true 30 another
is "$(ctl "${others%%,*}" get key --print-value-only)" "after $leader" "the leader killed, the others go on"
finish
