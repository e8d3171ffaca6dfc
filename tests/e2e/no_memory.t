#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# No memory for the Nth allocation, once, a few times or from then on: of the commands that ask, and of the daemon while it is
# asked, captured and listened to. Nobody crashes or hangs, who fails says so, and when there is memory all is well. Which N is
# drawn by chance: SEED, TRIALS of each command. (Programs and their supervisors: fault_steps.t; the stack: tests/sim/no_memory.c)
. "$(dirname "$0")/lib.sh"
[ -z "${BERTH_SANITIZED:-}" ] || skip_all "what is preloaded does not go with AddressSanitizer's own"

fault=$(dirname "$0")/fault.so
[ -e "$fault" ] || fault=${BUILD:-$lib_top/build}/tests/e2e/fault.so
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$((SEED % 32768))
note "SEED=$SEED"
commands=(ps ss ports "events --json" "why one two" "inspect one" "link show" "link set one delay 1ms" "net ls" "net inspect $NET"
	"capture -c 4 -w x.pcapng" "logs quiet" "top -b -n 1")

# The command's allocations, or what came of it: 0, or what was wrong.
preloaded() { # FAULT COMMAND…
	BERTH_FAULT=$1 BERTH_FAULT_FILE=$WORK/counters LD_PRELOAD=$fault timeout 30 "$BERTH" "${@:2}" >out 2>err </dev/null
}
reset_counters() { head -c 168 /dev/zero >counters; }
allocations() { "$PYTHON" -c 'import struct; print(struct.unpack_from("<Q", open("counters", "rb").read(), 8 * (3 * int(__import__("sys").argv[1]) + 2))[0])' "$1"; }
words_of() { # COMMAND: in the array words, for this network
	read -ra words <<<"$1"
	[ "${words[0]}" = net ] || words=("${words[0]}" --net "$NET" "${words[@]:1}")
}

start two sleep 1000
until_true 10 "$BERTH" inspect --net "$NET" two >/dev/null 2>&1
start one "$PYTHON" -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 9)); ip = socket.gethostbyname("two")
while True: s.sendto(b"x", (ip, 10)); time.sleep(0.02)'
"$BERTH" run --net "$NET" --name quiet -d -- sh -c 'seq 100; exec sleep 1000' >/dev/null
until_true 10 has_socket one 9 UNCONN

wrong=""
faults=0
for command in "${commands[@]}"; do
	words_of "$command"
	reset_counters
	preloaded front:memory:0:0 "${words[@]}"
	if [ $? -gt 1 ]; then
		wrong+="$command itself fails: $(cat err)"$'\n'
		continue
	fi
	count=$(allocations 0)
	for trial in $(seq "${TRIALS:-5}"); do
		number=$((RANDOM % (count + 1) + 1)) times=$((trial % 3 ? trial % 3 : 0))
		reset_counters
		preloaded "front:memory:$number:12:$times" "${words[@]}"
		code=$?
		faults=$((faults + 1))
		case $code in
		0) ;;
		1 | 125) [ -s err ] || wrong+="$command, front:memory:$number:12:$times: $code without a word"$'\n' ;;
		# libpcap's own words, which ends the process by itself
		2) grep -q "out of dynamic memory" err || wrong+="$command, front:memory:$number:12:$times: 2"$'\n' ;;
		*) wrong+="$command, front:memory:$number:12:$times: $code $(head -c 300 err)"$'\n' ;;
		esac
	done
done
is "$wrong" "" "commands without memory: $faults times a clean error, or none"
like "$("$BERTH" ps --net "$NET")" "^one " "… and the network is as it was"
for pid in "${started[@]}"; do stop "$pid"; done
started=()
"$BERTH" rm --net "$NET" -f quiet >/dev/null
until_true 10 nothing_left

# A daemon that lacks it while it is asked everything, and while hosts come, talk and go.
once() { # FAULT
	local command pid
	reset_counters
	BERTH_FAULT=$1 BERTH_FAULT_FILE=$WORK/counters LD_PRELOAD=$fault "$BERTH" run --net "$NET" --name one -- sleep 1000 >one.out 2>one.err </dev/null &
	started=("$!")
	until_true 10 sh -c 'grep -q . one.err || "$BERTH" inspect --net "$NET" one >/dev/null 2>&1'
	"$BERTH" run --net "$NET" --name quiet -d -- sh -c 'seq 100; exec sleep 1000' >/dev/null 2>&1
	"$BERTH" events --net "$NET" -f --kinds call,state,packet >/dev/null 2>&1 &
	pid=$!
	for command in "${commands[@]}"; do
		words_of "$command"
		[[ ${words[0]} = @(capture|top) ]] || timeout 30 "$BERTH" "${words[@]}" >out 2>err
		code=$?
		[ "$code" -lt 2 ] || [ "$code" = 125 ] || wrong+="$1: $command: $code $(head -c 300 err)"$'\n'
	done
	timeout 30 "$BERTH" run --net "$NET" --name two -- "$PYTHON" -c '
import socket
l = socket.create_server(("", 7)); c = socket.create_connection(("two", 7), timeout=10); a = l.accept()[0]
c.sendall(b"x"); assert a.recv(1) == b"x"' >out 2>err
	code=$?
	[ "$code" -lt 2 ] || [ "$code" = 125 ] || wrong+="$1: run: $code $(head -c 300 err)"$'\n'
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	if [ "${1##*:}" != 0 ] && ! gone "${started[0]}"; then
		# It has as much as it wants by now.
		until_true 20 "$BERTH" ps --net "$NET" >/dev/null 2>&1 || wrong+="$1: it is deaf afterwards"$'\n'
		[ "$(timeout 30 "$BERTH" run --net "$NET" --name after -- echo works 2>&1)" = works ] || wrong+="$1: nobody joins afterwards"$'\n'
	fi
	grep -q "daemon has ended" one.err && wrong+="$1: the daemon has ended"$'\n'
	"$BERTH" rm --net "$NET" -f quiet >/dev/null 2>&1
	stop "${started[0]}"
	started=()
	until_true 20 nothing_left || wrong+="$1: left: $(leftovers)"$'\n'
}
wrong=""
once daemon:memory:0:0
count=$(allocations 2)
note "a daemon's allocations: $count"
for trial in $(seq "${TRIALS:-3}"); do
	once "daemon:memory:$((RANDOM * 8 % (count + 1) + 1)):12:$((trial % 2 ? 1 : 40))"
done
is "$wrong" "" "a daemon without memory: ${TRIALS:-3} times it lives, says what it can't, and goes on"
finish
