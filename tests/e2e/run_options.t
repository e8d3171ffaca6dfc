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

wrong "gateway's on every network" "the gateway's address" --ip 10.77.0.1 true
wrong "no such address.*10.77.0.2 to 10.77.255.254" "an address that is not the network's" --ip 10.78.0.1 true
OPTIONS=(-p 0:80)
start gateway sleep 1000 # anybody's name, though the network has a gateway of its own
OPTIONS=()
published() { "$BERTH" ps --net "$NET" | grep -q '^gateway .*->80/tcp'; }
until_true 10 published
ok $? "a host may be called gateway, and publish"
wrong "'gateway' is taken.*another --name" "a name that is taken" --name gateway true
wrong "0 in its place takes a free port" "a real port that is taken" -p "$("$BERTH" ps --net "$NET" --json | sed -n 's/.*"real_port": \([0-9]*\).*/\1/p'):80" true
wrong "no address of this machine" "a real address that is not this machine's" -p 192.0.2.99:0:80 true
wrong "every host calls itself that" "--name localhost" --name localhost true
wrong "option '--express' takes no argument" "an argument too much" --express=yes true
is "$(echo passed | run -it -- cat)" passed "-i and -t are taken, as Docker's users type them"
is "$(run --add-host a.example=192.0.2.1 --add-host a.example:192.0.2.1 -- getent hosts a.example)" "192.0.2.1       a.example" \
	"--add-host takes NAME:ADDRESS and NAME=ADDRESS"
wrong "at most 3 of --dns" "a fourth name server" --dns 192.0.2.1 --dns 192.0.2.2 --dns 192.0.2.3 --dns 192.0.2.4 true
for address in 127.0.0.1:80 ::1 127.0.0.0/8; do wrong "the program's own host" "--allow $address" --allow "$address" true; done
wrong "it takes an address" "a mistyped address is no name" --allow 192.0.2.300 true
is "$(run --allow '*.com' --allow 0.0.0.0/0 --deny 127.0.0.1 -- echo yes)" yes "all below a name of one label, everything, and a denial of what is closed anyway, are taken"
start tries "$PYTHON" -c '
import socket, time
for i in range(2):
    try: socket.create_connection(("192.0.2.1", 443))
    except OSError: pass
time.sleep(1000)'
tried() { "$BERTH" ps --net "$NET" --denied | grep -q " 2$"; }
until_true 10 tried
is "$("$BERTH" ps --net "$NET" --denied | tr -s ' ')" "NAME PROGRAM DESTINATION TIMES
tries python3 192.0.2.1:443/tcp 2" "ps --denied lists who tried to reach what"

# What the program leaves behind is ended with it, and reaped meanwhile.
is "$(run --init -- sh -c '(sleep 1000 &) ; (exit 3 &) ; sleep 0.3; echo done')" "done" "orphans do not keep it"
finish
