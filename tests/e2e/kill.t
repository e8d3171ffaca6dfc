#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of any part: the others find out, and nothing is left: no process, no directory, no abstract name.
. "$(dirname "$0")/lib.sh"
need curl

# Abstract names belong to the whole machine, where others may run Berth as well: ours have our networks' keys in them,
# which a program finds in its own socket's name.
: >keys
note_key() {
	on key "$PYTHON" -c '
import os, socket
s = socket.socket()
inode = str(os.fstat(s.fileno()).st_ino)
print(*[line.split()[7].split(".")[1] for line in open("/proc/net/unix") if line.split()[6] == inode])' >>keys
}
our_names() { abstract_names | grep -F -f keys; }
all_gone() { nothing_left && [ -z "$(our_names)" ]; }
check_gone() { # SENTENCE
	until_true 10 all_gone
	local status=$?
	ok $status "$1"
	[ $status -eq 0 ] || show "left" "$(leftovers; our_names)"
}

mkdir files
echo hello >files/index.html
program_of() { "$BERTH" ps --net "$NET" --json | "$PYTHON" -c "
import json, sys
print(*(h['pid'] for h in json.load(sys.stdin) if h['name'] == '$1'))"; }
daemon_of() { "$BERTH" net inspect "$NET" | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["pid"])'; }
# A server, and a client in the middle of a conversation with it.
begin() {
	start_python_http web 80 "$WORK/files" || return 1
	server=$!
	start talker "$PYTHON" -u -c '
import socket
s = socket.create_connection(("web", 80)); print("connected"); print("end", s.recv(1))'
	talker=$!
	until_true 10 grep -qs connected talker.log
	note_key
}

begin
[ -n "$(our_names)" ]
ok $? "sockets that live are seen by their names"
kill -KILL "$(program_of web)"
wait "$server"
is $? 137 "kill -9 of a program: berth run says 137"
wait "$talker"
like "$(cat talker.log)" "end|ECONNRESET|ConnectionReset" "its peer's conversation ends"
check_gone "nothing is left after that"

begin
child=$(program_of web)
kill -KILL "$server"
wait "$server" 2>/dev/null
until_true 10 gone "$child"
ok $? "kill -9 of berth run takes the program with it"
wait "$talker"
like "$(cat talker.log)" "end|ECONNRESET|ConnectionReset" "its peer's conversation ends"
check_gone "nothing is left after that"

begin
child=$(program_of web)
supervisor=$(ps -o pid= --ppid "$server" | tr -d ' ' | head -n 1)
kill -KILL "$supervisor"
wait "$server"
is $? 125 "kill -9 of the supervisor, which is berth run's child: berth run says 125"
until_true 10 gone "$child"
ok $? "and the program is gone"
wait "$talker"
check_gone "nothing is left after that"

# One that forks: the grandchildren go, too.
start forker sh -c 'sleep 1000 & sleep 1000 & echo ready; wait'
forker=$!
until_true 10 grep -qs ready forker.log
note_key
kill -KILL "$forker"
wait "$forker" 2>/dev/null
check_gone "kill -9 of berth run takes a whole family of processes with it"

begin
kill -KILL "$(daemon_of)"
code=0
until_true 15 gone "$server" || code=1
until_true 15 gone "$talker" || code=1
ok $code "kill -9 of the daemon ends what was on its network"
wait "$server"
is $? 125 "berth run says 125"
like "$(cat web.log)" "^berth: .*($NET|network)" "and why, in a line"
wait "$talker"
check_gone "nothing is left after that"
is "$(on again echo works)" works "the network's name can be used again at once"

begin
daemon=$(daemon_of)
kill -KILL "$server" "$talker" "$daemon"
wait "$server" "$talker" 2>/dev/null
is "$(on again echo works)" works "everything killed at once: the next one takes over what is left"
check_gone "and leaves nothing"

for i in 1 2 3 4 5 6; do on "r$i" true & pids[i]=$!; done
failed=0
for i in 1 2 3 4 5 6; do wait "${pids[i]}" || failed=$((failed + 1)); done
is $failed 0 "six that start the network at the same moment all work"
check_gone "and leave nothing"
is "$(grep -cE '^[0-9a-f]{32}$' keys)" 6 "the networks' keys were known all the time"
finish
