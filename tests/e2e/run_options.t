#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# berth run's options that say how a program starts: environment, directory, user, addresses.
. "$(dirname "$0")/lib.sh"

run() { timeout $((30 * slow)) "$BERTH" run --net "$NET" "$@" 2>&1; }
wrong() { # PATTERN SENTENCE OPTIONS…: exit code 125 and one line
	local pattern=$1 sentence=$2
	shift 2
	out=$(run "$@")
	is "$?/$(grep -c . <<<"$out")" "125/1" "$sentence: exit code 125 and one line"
	like "$out" "$pattern" "… which says what is wrong"
}
export FROM_HERE="as it is"

is "$(run -e A=1 --env 'B=two words' -e C= -- sh -c 'echo "$A/$B/$C/${C+set}/$FROM_HERE"')" "1/two words//set/as it is" \
	"-e sets variables on top of our own"
is "$(run -e FROM_HERE=other -- sh -c 'echo "$FROM_HERE"')" other "… and replaces them"
printf '# a comment\n\n  A=from file\nB=b=c\nFROM_HERE\nNOT_THERE\n' >vars
is "$(FROM_HERE=now run -e A=option --env-file vars -- sh -c 'echo "$A/$B/$FROM_HERE/${NOT_THERE-none}"')" "option/b=c/now/none" \
	"--env-file reads lines; -e counts more"
printf 'A=1\nno good=2\n' >bad
wrong "bad', line 2: 'no good=2'" "a line that is none" --env-file bad true
wrong "nosuchfile': No such file" "a file that is not there" --env-file nosuchfile true
wrong "'=x'" "a variable without a name" -e =x true

mkdir there
is "$(run -w "$WORK/there" pwd)" "$WORK/there" "-w starts the program there"
is "$(run --workdir there -- sh -c pwd)" "$WORK/there" "… also by a relative path"
wrong "'true' in '/nonexistent' \(--workdir\): No such" "a directory that is not there" -w /nonexistent true
wrong "that is no directory" "an empty one" -w '' true

is "$(run -u "$(id -u):$(id -g)" id -u)" "$(id -u)" "-u with our own user changes nothing"
wrong "no such user" "a user that is not there" -u nosuchuser true
wrong "no such user or group" "a group that is not there" -u "$(id -u):nosuchgroup" true
wrong "only root" "another user, and we are not root" -u 0:0 true

is "$(run --init --no-express --express --no-express --rm -- echo yes)" yes "--init, --rm and --no-express are taken"
is "$(run --ip6 fd77::99 -- "$PYTHON" -c '
import socket; s = socket.socket(socket.AF_INET6); s.bind(("fd77::99", 80)); print("bound")
s = socket.socket(); s.bind(("10.77.0.153", 80)); print("both")' | tr '\n' ' ')" "bound both " "--ip6 gives that address, and the IPv4 one with the same number"
is "$(run --ip 10.77.0.9 --ip6 fd77::9 -- echo yes)" yes "--ip and --ip6 of the same host"
wrong "the same number" "… and of two" --ip 10.77.0.9 --ip6 fd77::10 true
wrong "no IPv6 address" "--ip6 with an IPv4 address" --ip6 10.77.0.9 true

# What the program leaves behind is ended with it, and reaped meanwhile.
is "$(run --init -- sh -c '(sleep 1000 &) ; (exit 3 &) ; sleep 0.3; echo done')" "done" "orphans do not keep it"
finish
