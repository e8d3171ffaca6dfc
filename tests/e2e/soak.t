#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# CI: beside the others, 900 s
# 24 hosts with 10,000 open conversations, both ways, through our TCP, while links flap, networks part and cables lose
# packets: no byte is lost, doubled or changed, no conversation breaks, and the daemon's memory stays what it was.
# MINUTES says for how long (5; 480 by make soak), SEED what fails when, HOSTS and CONVERSATIONS how many.
#
# The daemon has a descriptor for each end: 20,000 and some. Root may raise the limit for the user that it then becomes;
# where an ordinary user's hard limit is lower, there are as many conversations as go, and that is said.
[ "$(id -u)" != 0 ] || ulimit -n 65536 2>/dev/null
. "$(dirname "$0")/lib.sh"
export BERTH_DEBUGGABLE=1 # or nobody could look what the daemon holds

MINUTES=${MINUTES:-5} HOSTS=${HOSTS:-24} CONVERSATIONS=${CONVERSATIONS:-10000} PERIOD_MS=${PERIOD_MS:-30000}
[ -z "${BERTH_SANITIZED:-}" ] || { MINUTES=0.5 CONVERSATIONS=1000; }
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$((SEED % 32768))
seconds=$("$PYTHON" -c 'import sys; print(round(60 * float(sys.argv[1])))' "$MINUTES")
room=$((($(ulimit -Hn) - 500) / 2 / HOSTS * HOSTS))
if [ "$CONVERSATIONS" -gt "$room" ]; then
	note "$room conversations, not $CONVERSATIONS: no more than $(ulimit -Hn) descriptors are allowed here"
	CONVERSATIONS=$room
fi
each=$(((CONVERSATIONS + HOSTS - 1) / HOSTS))
note "SEED=$SEED MINUTES=$MINUTES: $HOSTS hosts, $((each * HOSTS)) conversations"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
conversations=$here/conversations
[ -x "$conversations" ] || conversations=${BUILD:-$lib_top/build}/tests/e2e/conversations
[ -x "$conversations" ] || { ok 1 "$conversations is built"; finish; }

names=()
for i in $(seq "$HOSTS"); do names+=("h$i"); done
for i in $(seq "$HOSTS"); do
	others=("${names[@]:0:i-1}" "${names[@]:i}")
	start "h$i" "$conversations" $((SEED + i)) $each "$PERIOD_MS" "$WORK/stop" "${others[@]}"
done
# What the last line of each that says so has, added up: open conversations, those ended.
sum() { # WORD COLUMN
	for name in "${names[@]}"; do grep "^$1 " "$name.log" 2>/dev/null | tail -n 1; done | awk -v c="$2" '{ n += $c } END { print n + 0 }'
}
# As many ends are accepted as begun, and nearly all are there: some have just ended, and new ones come.
all_open() { [ "$(sum open 2)" -ge $((each * HOSTS * 97 / 100)) ] && [ "$(sum open 3)" -ge $((each * HOSTS * 97 / 100)) ]; }
until_true 180 all_open
ok $? "$((each * HOSTS)) conversations are open ($(sum open 2), $(sum open 3))"
daemon=$(pgrep -u "$(id -u)" -f "berth daemon --net $NET ")
held() { find "/proc/$1/fd" -type l 2>/dev/null | wc -l; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
cpu() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# What goes wrong: one thing after the other, each mended after a moment.
host() { echo "h$((RANDOM % HOSTS + 1))"; }
pause() { sleep "$((RANDOM % 2)).$((RANDOM % 10))"; }
nemesis() {
	local a b
	case $((RANDOM % 8)) in
	0) a=$(host) b=$(host)
		[ "$a" != "$b" ] || return 0
		"$BERTH" partition --net "$NET" "$a" ! "$b"; pause; "$BERTH" heal --net "$NET" ;;
	1) "$BERTH" link set --net "$NET" "$(host)" delay "$((RANDOM % 30 + 1))ms" 5ms loss "$((RANDOM % 3)).$((RANDOM % 10))%" ;;
	2) "$BERTH" link reset --net "$NET" "$(host)" ;;
	*) "$BERTH" flap --net "$NET" --down "$((RANDOM % 900 + 100))ms" --up 100ms --count 1 "$(host)" ;;
	esac
}
nemeses=0 failed=0 warm_memory='' warm_held='' begin=$SECONDS
while [ $((SECONDS - begin)) -lt "$seconds" ]; do
	nemesis >nemesis.log 2>&1 || { failed=$((failed + 1)); cat nemesis.log >>nemeses.log; }
	nemeses=$((nemeses + 1))
	pause
	# Warm: every conversation has had a turn or two, and buffers have been as large as they get.
	if [ -z "$warm_memory" ] && [ $((SECONDS - begin)) -ge $((seconds / 3)) ]; then
		warm_memory=$(memory "$daemon") warm_held=$(held "$daemon")
	fi
done
is $failed 0 "links flap and hosts part, $nemeses times"
[ $failed = 0 ] || show "what was said" "$(cat nemeses.log)"
all_open
ok $? "the conversations are still open ($(sum open 2), $(sum open 3)); $(sum open 5) have ended and others begun"
late_memory=$(memory "$daemon") late_held=$(held "$daemon")
note "daemon: $warm_memory KiB and $warm_held descriptors after a third, $late_memory KiB and $late_held at the end; $(cpu "$daemon") ticks of time"
if [ -n "${BERTH_SANITIZED:-}" ]; then
	skip "the daemon's memory is flat" "AddressSanitizer keeps what was freed for a while"
else
	[ "$late_memory" -le $((warm_memory + warm_memory / 10 + 4096)) ]
	ok $? "the daemon's memory is flat ($warm_memory, $late_memory KiB)"
fi
[ "$late_held" -le $((warm_held + warm_held / 20 + 50)) ]
ok $? "… and so are its descriptors ($warm_held, $late_held)"

"$BERTH" heal --net "$NET" >/dev/null 2>&1
for name in "${names[@]}"; do "$BERTH" link reset --net "$NET" "$name" >/dev/null 2>&1; done
touch stop
bad=0
for pid in "${started[@]}"; do
	wait "$pid" || bad=$((bad + 1)) # they give up by themselves
done
is $bad 0 "every host comes to a good end"
is "$(cat h*.log | grep -v "^open\|^total\|^listening" | head -n 20)" "" "no conversation was broken, no frame was wrong, lost or doubled"
is "$(sum total 3)" "$(sum total 4)" "as many bytes came as were sent ($(sum total 3), in $(sum total 2) ends of conversations)"
finish
