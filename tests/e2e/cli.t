#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The command line, used rightly and wrongly: one clear line, and the documented exit code.
. "$(dirname "$0")/lib.sh"

# Runs it: its exit code in $code, what it said in $out (stdout) and $err.
try() { timeout 30 "$BERTH" "$@" >"$WORK/out" 2>"$WORK/err"; code=$?; out=$(cat "$WORK/out"); err=$(cat "$WORK/err"); }
wrong() { # CODE PATTERN SENTENCE ARGUMENTS…: exit code, one line on stderr that matches, nothing on stdout
	local wanted=$1 pattern=$2 sentence=$3
	shift 3
	try "$@"
	is "$code/$(grep -c . <<<"$err")/$out" "$wanted/1/" "$sentence: exit code $wanted and one line"
	like "$err" "$pattern" "… which says what is wrong"
}

try --version
like "$code $out" "^0 berth [0-9]+\.[0-9]+" "berth --version"
try help
is "$code" 0 "berth help"
commands="run exec publish unpublish ps logs inspect wait kill stop rm
	ss net ports link partition heal flap reset-conn pause resume
	capture events trace why top
	up down config scenario test
	doctor"
for command in $commands version help; do
	like "$out" "^  $command " "… lists $command"
done
for command in $commands; do
	try "$command" --help
	help=$out
	try help "$command"
	[ -n "$help" ] && [ "$code" = 0 ] && [ "$help" = "$out" ]
	ok $? "berth help $command and berth $command --help say the same"
done
try
is "$code" 125 "berth alone says how it is used, and fails"

wrong 125 "did you mean 'run'" "a slip of the fingers" rum
wrong 125 "not a berth command" "an unknown command" frobnicate
wrong 125 "did you mean 'link'" "help for a slip" help lnik
wrong 125 "no command 'frobnicate'" "help for what there is not" help frobnicate
wrong 125 "unknown option '--bogus'" "an unknown long option" run --bogus true
wrong 125 "unknown option '-q'" "an unknown short option" run -q true
wrong 125 "unknown option '--bogus'" "… of ps" ps --bogus
wrong 125 "unknown option '-z'" "… of ss" ss -z
wrong 125 "needs an argument" "an option without its argument" run --name
wrong 125 "no program" "no program" run --net "$NET"
for command in logs inspect wait kill stop rm exec; do
	wrong 125 "no host given" "$command of nothing" "$command" --net "$NET"
	wrong 125 "unknown option '--bogus'" "… with an unknown option" "$command" --bogus x
	wrong 125 "network's name" "… and a network that can't be" "$command" --net A/B x
done
for command in logs inspect wait kill stop rm; do
	wrong 1 "network '$NET' is not running" "$command, and the network is not running" "$command" --net "$NET" x
	wrong 1 "no host 'a_b'" "$command of a host that can't be" "$command" --net "$NET" a_b
done
wrong 125 "network '$NET' is not running" "exec, and the network is not running" exec --net "$NET" x true
wrong 125 "no program given" "exec of nothing" exec --net "$NET" x --
wrong 125 "host's name" "exec on a host that can't be" exec --net "$NET" a_b true
wrong 125 "that is no signal" "a signal that is none" kill -s NOSUCH x
wrong 125 "that is no signal" "… by number" kill -s 65 x
wrong 125 "number of seconds" "a time that is none" stop -t soon x
wrong 125 "a number of lines" "a tail that is none" logs --tail -3 x
wrong 125 "one word too many" "logs of two" logs x y
wrong 125 "network's name" "a name that no network can have" run --net 'Not/A/Name' true
wrong 125 "host's name" "a name that no host can have" run --net "$NET" --name 'a_b' true
wrong 125 "no IP address" "an address that is none" run --net "$NET" --ip 10.77.0.300 true
wrong 125 "10\.99\.0\.1" "an address outside the network" run --net "$NET" --ip 10.99.0.1 true
wrong 125 "two ports" "-p with one port" run -p 80 true
wrong 125 "65535" "-p with a port that is none" run -p 80:70000 true
for spec in 80: :80 a:b 80:0 -1:80 '80 :80' 1e3:80; do
	wrong 125 "a port is a number" "-p '$spec'" run -p "$spec" true
done
for spec in 1:2:3 10.0.0.300:80:80 '[::1:80:80'; do
	wrong 125 "no IP address" "-p '$spec'" run -p "$spec" true
done
wrong 125 "can't publish 192\.0\.2\.1:80" "-p with an address that this machine does not have" run --net "$NET" -p 192.0.2.1:80:80 true
wrong 125 "/tcp or /udp" "-p with a strange protocol" run -p 80:80/sctp true
wrong 125 "one word too many" "an operand too many" ps extra
wrong 1 "network '$NET' is not running" "ps, and the network is not running" ps --net "$NET"
wrong 1 "network '$NET' is not running" "ss, and the network is not running" ss --net "$NET"
wrong 1 "network '$NET' is not running" "events, and the network is not running" events --net "$NET"
wrong 1 "network '$NET' is not running" "ports, and the network is not running" ports --net "$NET"
wrong 1 "network '$NET' is not running" "why, and the network is not running" why --net "$NET"
wrong 1 "network '$NET' is not running" "top -b, and the network is not running" top -b --net "$NET"
wrong 125 "no number of seconds" "top with an interval that is none" top -d soon
wrong 125 "no number above 0" "top with a number that is none" top -b -n 0
wrong 125 "none of hosts, conversations" "top with a view that is none" top --view cats
wrong 125 "no column 'cats'" "top with a column that is none" top --view hosts --sort cats
wrong 125 "which view" "top with a column of no view" top --sort name
wrong 125 "one word too many" "top of two" top web db
wrong 125 "host's name is needed" "trace, and no host" trace
wrong 125 "no list of kinds" "events, and kinds that are none" events --kinds 'a b'
wrong 125 "neither an entry's number nor now" "events, and a strange beginning" events --since yesterday
wrong 1 "network '$NET' is not running" "net inspect, and the network is not running" net inspect "$NET"
wrong 127 "nosuchprogram" "no such program" run --net "$NET" nosuchprogram
echo "not a program" >text && chmod 644 text
wrong 126 "text" "a file that may not be executed" run --net "$NET" ./text
wrong 126 "$WORK" "a directory" run --net "$NET" "$WORK"
printf '#!/no/such/interpreter\n' >script && chmod 755 script
wrong 127 "interpreter" "a script whose interpreter is not there" run --net "$NET" ./script
mkdir -m 000 unreadable
path=$PATH
PATH=$WORK/unreadable:/nonexistent:$PATH
wrong 127 "nosuchprogram: |'nosuchprogram': no such program" "… with directories on PATH that can't be read" \
	run --net "$NET" nosuchprogram
PATH=$WORK:$path
wrong 126 "text" "a file on PATH that may not be executed" run --net "$NET" text
PATH=$path

try run --net "$NET" -- sh -c 'exit 7'
is "$code" 7 "the program's exit code is ours"
try run --net "$NET" true
is "$code/$out$err" "0/" "0, and not a word of our own; -- is not needed"
try run --net "$NET" -- sh -c 'kill -TERM $$'
is "$code" 143 "a program that SIGTERM ended: 128 + 15"
try run --net "$NET" -- sh -c 'kill -KILL $$'
is "$code" 137 "a program that SIGKILL ended: 128 + 9"
try run --net "$NET" -- sh -c 'echo "$0 $*" >&2; cat' zero one
is "$code/$out/$err" "0//zero one" "arguments and stderr are the program's"
is "$(echo input | timeout 30 "$BERTH" run --net "$NET" cat)" input "so is stdin"
like "$(timeout 30 "$BERTH" run --net "$NET" --name me -- \
	"$PYTHON" -c 'import socket; print(socket.gethostbyname("me"))' 2>&1)" "^10\.77\." "a host knows its own name"

start holder sleep 60
up() { "$BERTH" ps --net "$NET" 2>/dev/null | grep -q '^holder '; }
until_true 10 up
wrong 125 "name.*holder|holder.*(taken|exists|in use)" "a name that is taken" run --net "$NET" --name holder true
address=$("$BERTH" ps --net "$NET" | awk '$1 == "holder" { print $2 }')
wrong 125 "$address" "an address that is taken" run --net "$NET" --ip "$address" true
for command in logs inspect wait kill stop rm; do
	wrong 1 "no host 'nosuch'" "$command of a host that is not there" "$command" --net "$NET" nosuch
done
wrong 1 "no host 'nosuch'" "ss of a host that is not there" ss --net "$NET" nosuch
stop "${started[0]}"

try run --net "$NET" --ip 10.77.9.9 -- "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("10.77.9.9", 80)); print(s.getsockname()[0])'
is "$out" 10.77.9.9 "--ip gives the address that was asked for"

start idle sh -c 'trap "echo got it; exit 5" TERM; echo ready; while :; do sleep 0.1; done'
until_true 10 grep -qs ready idle.log
kill -TERM "${started[1]}"
wait "${started[1]}"
is "$?/$(tail -n 1 idle.log)" "5/got it" "SIGTERM to berth run reaches the program, which decides"

(unset XDG_RUNTIME_DIR; HOME=/nonexistent; timeout 30 "$BERTH" run --net "$NET" true)
is $? 0 "without XDG_RUNTIME_DIR it works in /tmp"
# A place for networks that is of no use: one line that names it, from run; and the other commands find no network.
useless() { # DIRECTORY PATTERN SENTENCE
	local XDG_RUNTIME_DIR=$1
	wrong 125 "$2" "$3" run --net "$NET" true
	wrong 1 "" "… and ps" ps --net "$NET"
}
runtime=$XDG_RUNTIME_DIR
mkdir -m 500 sealed
mkdir -m 700 open && mkdir -m 755 open/berth
mkdir -m 700 linked && ln -s "$WORK/open" linked/berth
touch file
useless "$WORK/sealed" "sealed/berth: Permission denied" "XDG_RUNTIME_DIR where we may not write"
useless "$WORK/nonexistent" "nonexistent/berth: No such" "XDG_RUNTIME_DIR that is not there"
useless "$WORK/file" "file/berth: Not a directory" "XDG_RUNTIME_DIR that is a file"
useless "$WORK/open" "closed to others" "a directory that others may enter"
useless "$WORK/linked" "closed to others" "a symbolic link instead of it"
useless "/tmp/$(printf '%0100d' 7)" "too long" "XDG_RUNTIME_DIR too long for a socket"
XDG_RUNTIME_DIR=$runtime

# A network whose daemon does not answer, then is dead.
start last sleep 60
alive() { "$BERTH" ps --net "$NET" 2>/dev/null | grep -q '^last '; }
until_true 10 alive
daemon=$("$BERTH" net inspect "$NET" | sed -n 's/^ *"pid": \([0-9]*\),\{0,1\}$/\1/p' | head -n 1)
kill -STOP "$daemon"
wrong 1 "does not answer" "ps, and the network does not answer" ps --net "$NET"
kill -KILL "$daemon"
wait "${started[2]}"
is "$?" 125 "the network dies under a program: exit code 125"
is "$(grep -c . last.log)" 1 "… and one line"
wrong 1 "not running" "ps, and the network is dead" ps --net "$NET"
"$BERTH" help >/dev/full 2>err
is "$?" 1 "output that can't be written is a failure"
finish
