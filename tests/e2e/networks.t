#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Whole networks from examples/networks: each is brought up from its file, bent, and asked what became of its data.
. "$(dirname "$0")/lib.sh"
ulimit -n 4096

examples=$lib_top/examples/networks
export STATE=$WORK/state # where the services keep their data
export NODE_TIMEOUT=$((1000 * slow)) # milliseconds of silence after which redis takes a node for failed

up() { "$BERTH" up -d --net "$NET" -f "$examples/$1.yaml" >up.log 2>&1 || { show "berth up said" "$(cat up.log)"; false; }; }
down() { "$BERTH" down --net "$NET" -f "$examples/$1.yaml" 2>/dev/null && until_true 10 net_gone; }
net_gone() { ! "$BERTH" ps --net "$NET" >/dev/null 2>&1; }
at() { # HOST PROGRAM…: on a service's own host
	timeout -k 5 $((20 * slow)) "$BERTH" exec --net "$NET" "$1" -- "${@:2}"
}
berth() { "$BERTH" "$1" --net "$NET" "${@:2}"; } # COMMAND…, on this network
missing() { # PROGRAM…: the first that is not installed
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || { echo "$program is not installed"; return 0; }
	done
	return 1
}

# ---- a redis cluster of six: one master is cut off, and comes back ----

cluster() { at "$1" redis-cli cluster info 2>/dev/null | tr -d '\r' | grep -qx "cluster_state:$2"; } # NODE ok|fail
all_ok() { # NODE…
	local node
	for node in "$@"; do cluster "$node" ok || return 1; done
}
# Six nodes that know each other, nothing failed, every slot has its master; and every node has heard so: redis-cli
# stays with the node that it was sent to last, also when that one refuses everything.
whole() {
	local nodes
	nodes=$(at r2 redis-cli cluster nodes) && [ "$(grep -c connected <<<"$nodes")" = 6 ] &&
		! grep -qE 'fail|noaddr|disconnected' <<<"$nodes" && [ "$(grep -c 'slave' <<<"$nodes")" = 3 ] &&
		all_ok r1 r2 r3 r4 r5 r6
}
replicated() { [ "$(for i in 1 2 3 4 5 6; do at "r$i" redis-cli role | head -n 1; done | grep -c slave)" = 3 ] && whole; }
set_all() { # PREFIX: says how many were
	seq 60 | sed "s/.*/set $1& &/" | at r2 redis-cli -c >"set.$1" 2>&1
	grep -c OK "set.$1"
	grep -qvE 'OK|Redirected' "set.$1" && show "redis-cli said also" "$(grep -vE 'OK|Redirected' "set.$1" | sort | uniq -c)" >&2
}
found() { seq 60 | sed "s/^/get $1/" | at r2 redis-cli -c 2>&1 | tr -d '"' | grep -E '^[0-9]+$' | sort -nu | wc -l; } # PREFIX
# Failed (not only suspected: "fail?"), and without slots, which end a line: they are somebody else's.
replaced() { all_ok r2 r3 r4 r5 r6 && at r2 redis-cli cluster nodes | tr -d '\r' | grep -Eq '10\.77\.0\.11:.*,fail .* (dis)?connected$'; }

redis_cluster() {
	up redis-cluster
	ok $? "redis: six nodes come up, and are joined when they are healthy"
	until_true 30 replicated
	ok $? "redis: three masters, three replicas"
	is "$(set_all before)" 60 "redis: 60 keys are set, wherever they belong"
	berth partition r1 ! r2,r3,r4,r5,r6
	until_true 30 cluster r1 fail
	like "$(at r1 redis-cli set x y 2>&1)" CLUSTERDOWN \
		"redis: a master cut off from the others refuses writes"
	until_true 30 replaced
	ok $? "redis: its replica takes its slots over"
	is "$(set_all during)/$(found before)" 60/60 "redis: meanwhile keys are set and found"
	like "$(berth why r1)" "is cut" "redis: berth why says what is wrong with r1"
	berth heal
	until_true 40 replicated
	ok $? "redis: healed, six nodes are one cluster again"
	is "$(at r1 redis-cli role | head -n 1)" slave "redis: who was cut off is a replica now"
	is "$(found before)/$(found during)" 60/60 "redis: nothing is lost"
	down redis-cluster
}

# ---- a web page from a database, by 3G ----

busy_cable() { berth why phone >why.log 2>&1 && grep -qE 'rate 1\.6mbit' why.log; }

web_3g() {
	up web-3g
	ok $? "3G: database, application and telephone come up"
	like "$(at phone curl -s http://web/)$(at phone curl -s http://web/)" "visitor 1<.*visitor 2<" \
		"3G: the page arrives, with what the database counts"
	like "$(berth link show phone)" "\(network\) +phone +delay 75ms 10ms loss 0\.5% rate 1\.6mbit limit 100 +[1-9]" \
		"3G: down the link's conditions, and packets that had them"
	like "$(berth link show phone)" "phone +\(network\) +delay 75ms 10ms rate 768kbit +[1-9]" "3G: and up"
	(at phone curl -s http://web/picture >picture) &
	until_true 20 busy_cable
	ok $? "3G: while a picture loads, berth why names the cable and its rate"
	wait $!
	is "$(wc -c <picture)" 600000 "3G: the picture is whole"
	is "$(at web redis-cli -h db get visitors)" 2 "3G: application and database talk past the slow link"
	down web-3g
}

# ---- two generations of a service, at one port and under one name ----

served() { berth logs customer | grep -q "^$1\$"; }
only_new() { berth logs customer | tail -n 10 | grep -c '^new$' | grep -qx 10; }

generations() {
	up generations
	ok $? "generations: old, new and a customer come up"
	is "$(berth ports | grep -c '^80/tcp .*python3')" 2 "generations: both have port 80"
	until_true 20 served old && until_true 20 served new
	ok $? "generations: one name, and either may answer"
	berth stop old >/dev/null
	until_true 30 only_new
	ok $? "generations: the old one ends, all go to the new one"
	is "$(berth logs customer | grep -vc '^\(old\|new\)$')" 0 "generations: not one customer was turned away"
	down generations
}

# ---- etcd of three; what the leader says is not heard for a while ----

leader_is_one() { leader=$(at writer "$PYTHON" "$examples/etcd.py" leader 2>/dev/null) && [[ $leader =~ ^e[123]$ ]]; }
# Both others say that one of them leads.
others_agree() {
	[ "$(at writer "$PYTHON" "$examples/etcd.py" leaders 2>/dev/null | awk -v old="$1" '$1 != old && $2 != old && $2 != "none" { print $2 }' |
		uniq -c | awk '{ print $1 }')" = 2 ]
}
acknowledged() { berth logs writer | grep -c '^k'; }
wrote_more() { [ "$(acknowledged)" -gt $(($1 + 20)) ]; }
# Keys that were acknowledged, and that this member has not.
lost() { comm -23 <(berth logs writer | awk '/^k/ { print $1 }' | sort -u) <(at writer "$PYTHON" "$examples/etcd.py" keys "$1" | sort) | wc -l; }
caught_up() { [ "$(lost e1)$(lost e2)$(lost e3)" = 000 ]; }

etcd_of_three() {
	local old
	up etcd
	ok $? "etcd: three members and a writer come up"
	until_true 30 leader_is_one
	until_true 30 wrote_more 0
	ok $? "etcd: there is a leader ($leader), and keys are written"
	old=$leader
	berth partition --oneway "$old" ! "$(echo e1,e2,e3 | sed "s/$old,\|,$old//")"
	is "$(berth link show | awk '$3 == "cut" { print $1 }' | sort -u)" "$old" "etcd: the leader is not heard any more, and hears"
	until_true 30 others_agree "$old"
	ok $? "etcd: the others follow another"
	until_true 30 wrote_more "$(acknowledged)"
	ok $? "etcd: and go on writing"
	berth heal
	until_true 30 leader_is_one
	ok $? "etcd: healed, all three follow one leader"
	until_true 30 wrote_more "$(acknowledged)"
	berth pause writer
	until_true 30 caught_up
	ok $? "etcd: all three have every key that was acknowledged ($(acknowledged))"
	berth resume writer
	down etcd
}
if why=$(missing redis-server redis-cli); then
	skip "a redis cluster of six" "$why"
	skip "a web page by 3G" "$why"
else
	redis_cluster
	if why=$(missing curl); then skip "a web page by 3G" "$why"; else web_3g; fi
fi
if why=$(missing curl); then skip "two generations" "$why"; else generations; fi
if why=$(missing etcd); then skip "etcd of three" "$why"; else etcd_of_three; fi
finish
