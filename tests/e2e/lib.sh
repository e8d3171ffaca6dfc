# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What the end-to-end tests share: an ordinary user to be, a private place, a
# network of one's own, TAP, and an end that leaves nothing, also after a
# failure. Source it first:
#
#	. "$(dirname "$0")/lib.sh"
#
# Started as root it stages the program and the tests where `nobody` can read
# them, and starts the test again as that user. keep_root=1, set before, stays
# root (a test that makes network devices).
#
# Every test gets: $BERTH (the program), $NET (a name of its own), $WORK (its
# directory, gone afterwards), $PYTHON, XDG_RUNTIME_DIR; $PROGRAMS, the directory
# tests/programs, and $PROBE, the probe in it as it was built.
set -u

lib_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BERTH=${BERTH:-$lib_top/build/src/cli/berth}
PYTHON=/usr/bin/python3
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
lib_test=tests/$(basename "$(dirname "$(realpath "$0")")")/$(basename "$0")
PROGRAMS=$lib_top/tests/programs
PROBE=$PROGRAMS/semantics_probe # as staged, below
[ -e "$PROBE" ] || PROBE=${BUILD:-$lib_top/build}/tests/programs/probe/semantics_probe
export BERTH PYTHON PATH PROGRAMS PROBE
unset BERTH_E2E_STAGED_BY

if [ ! -x "$BERTH" ]; then
	printf '1..1\nnot ok 1 - %s is built\n' "$BERTH"
	exit 1
fi

# Limits stretch under sanitizers, which make everything a few times slower.
slow=${BERTH_SANITIZED:+4}
slow=${slow:-1}

if [ "$(id -u)" = 0 ] && [ -z "${keep_root:-}" ]; then
	stage=$(mktemp -d /tmp/berth-e2e.XXXXXX) || exit 1
	chmod 755 "$stage"
	cp "$BERTH" "$stage/berth"
	cp "$(dirname "$BERTH")/../shim/berth-shim.so" "$stage/" 2>/dev/null
	mkdir -p "$stage/tests"
	cp -r "$lib_top/tests/e2e" "$lib_top/tests/programs" "$stage/tests/"
	cp -r "$lib_top/clients" "$stage/clients"
	mkdir "$stage/examples" && cp -r "$lib_top/examples/networks" "$stage/examples/"
	[ ! -e "$PROBE" ] || cp "$PROBE" "$stage/tests/programs/semantics_probe"
	find "${BUILD:-$lib_top/build}/tests/e2e" -maxdepth 1 -type f -executable -exec cp {} "$stage/tests/e2e" \; 2>/dev/null
	mkdir "$stage/home"
	chown nobody "$stage/home"
	trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP
	cd "$stage/home" || exit 1
	env -u XDG_RUNTIME_DIR BERTH="$stage/berth" HOME="$stage/home" TMPDIR="$stage/home" \
		setpriv --reuid nobody --regid nogroup --clear-groups -- bash "$stage/$lib_test" "$@" &
	child=$!
	wait "$child"
	status=$?
	wait "$child" 2>/dev/null # once more, when a signal ended the first one
	rm -rf "$stage"
	exit "$status"
fi

WORK=$(mktemp -d "${TMPDIR:-/tmp}/berth-test.XXXXXX") || exit 1
NET=t$$
XDG_RUNTIME_DIR=$WORK/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"
export NET WORK XDG_RUNTIME_DIR
if [ -n "${BERTH_SANITIZED:-}" ]; then
	# What a daemon, with no terminal, has to say is looked for at the end.
	export ASAN_OPTIONS="${ASAN_OPTIONS:-}:log_path=$WORK/sanitizer" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:log_path=$WORK/sanitizer"
fi
cd "$WORK" || exit 1

test_number=0
test_failures=0
started=()

ok() { # STATUS SENTENCE: 0 is good
	test_number=$((test_number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $test_number - $2"
	else
		test_failures=$((test_failures + 1))
		echo "not ok $test_number - $2"
	fi
}

is() { # GOT WANTED SENTENCE
	[ "$1" = "$2" ]
	local status=$?
	ok $status "$3"
	[ $status -eq 0 ] || { show "got" "$1"; show "wanted" "$2"; }
}

like() { # GOT REGEX SENTENCE
	grep -Eq -e "$2" <<<"$1"
	local status=$?
	ok $status "$3"
	[ $status -eq 0 ] || { show "got" "$1"; show "wanted, as a pattern" "$2"; }
}

unlike() { # GOT REGEX SENTENCE
	! grep -Eq -e "$2" <<<"$1"
	local status=$?
	ok $status "$3"
	[ $status -eq 0 ] || { show "got" "$1"; show "not wanted, as a pattern" "$2"; }
}

skip() { # SENTENCE REASON
	test_number=$((test_number + 1))
	echo "ok $test_number - $1 # SKIP $2"
}

skip_all() { # REASON
	echo "1..0 # SKIP $1"
	lib_ended=1
	exit 0
}

note() { sed 's/^/# /' <<<"$*"; }
show() { note "$1:"; head -c 2000 <<<"$2" | head -n 30 | sed 's/^/#   /'; }

# The kernel leaves checksums and segmentation to hardware that a veth does not
# have. This is ethtool -K DEVICE tx off tso off gso off gro off.
no_offload() { # DEVICE…
	"$PYTHON" - "$@" <<-'END'
		import ctypes, fcntl, socket, struct, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for device in sys.argv[1:]:
		    for command in (0x17, 0x1f, 0x24, 0x2c):
		        value = ctypes.create_string_buffer(struct.pack("II", command, 0))
		        fcntl.ioctl(s, 0x8946, struct.pack("16sP16x", device.encode(), ctypes.addressof(value)))
	END
}

# This very test once more, in a namespace that ends with its last process.
again_in() { # PROGRAM…: what makes the namespace
	lib_ended=1
	cd / && rm -rf "$WORK"
	trap - EXIT
	IN_NAMESPACE=1 exec "$@" -- /bin/bash "$lib_top/$lib_test"
}
# A test that makes network devices: as root, in a network namespace of its own. TOOL…: and needs these.
own_network() {
	[ "$(id -u)" = 0 ] || skip_all "needs root, for network devices"
	need ip unshare "$@"
	if [ -z "${IN_NAMESPACE:-}" ]; then
		unshare -n true 2>/dev/null || skip_all "no network namespace can be made here"
		again_in unshare -n
	fi
	ip link set lo up
}

need() { # TOOL…: skip everything where one is not installed
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null 2>&1 || skip_all "$tool is not installed"
	done
}

# By express, where BERTH_CARRIER says so (tools/test-programs does); shim: by wire, with the shim.
CARRIER=()
[ "${BERTH_CARRIER:-wire}" != express ] || CARRIER=(--express)
[ "${BERTH_CARRIER:-wire}" != shim ] || CARRIER=(--shim)

# berth run on the test's own network, with a limit; a host called NAME.
on() { # NAME PROGRAM…
	local name=$1
	shift
	timeout -k 5 $((30 * slow)) "$BERTH" run --net "$NET" --name "$name" ${CARRIER[@]+"${CARRIER[@]}"} -- "$@"
}

# The same in the background: $! and the list of what to end. Output in $WORK/NAME.log.
# OPTIONS (an array) are added to berth run's.
OPTIONS=()
start() { # NAME PROGRAM…
	local name=$1
	shift
	"$BERTH" run --net "$NET" --name "$name" ${CARRIER[@]+"${CARRIER[@]}"} ${OPTIONS[@]+"${OPTIONS[@]}"} -- "$@" >"$WORK/$name.log" 2>&1 </dev/null &
	started+=("$!")
}

# End what start() made, politely and then not, and wait for it.
stop() { # PID
	kill -TERM "$1" 2>/dev/null
	until_true 5 gone "$1" || kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

gone() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o state= -p "$1")" = Z ]; }

# Ask until it is true, SECONDS at most.
until_true() { # SECONDS COMMAND…
	local end=$((SECONDS + $1 * slow + 1))
	shift
	while [ "$SECONDS" -lt "$end" ]; do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

# A socket in state STATE on HOST at PORT: how tests see that a server is ready.
has_socket() { # HOST PORT [STATE]
	"$BERTH" ss --net "$NET" -n "$1" 2>/dev/null | awk -v p=":$2" -v s="${3:-LISTEN}" \
		'$2 == s && substr($5, length($5) - length(p) + 1) == p { found = 1 } END { exit !found }'
}

await_port() { # HOST PORT [STATE]
	until_true 15 has_socket "$@" && return 0
	note "$1 has no ${3:-listening} socket at port $2; its output:"
	[ ! -e "$WORK/$1.log" ] || tail -n 20 "$WORK/$1.log" | sed 's/^/#   /'
	"$BERTH" ss --net "$NET" 2>&1 | sed 's/^/#   /'
	return 1
}

# What the test's network left on the machine, one thing a line: a directory, or
# any process that was started from here (all have our XDG_RUNTIME_DIR in their
# environment; this shell, which set it later, does not). Berth's own processes
# let nobody look into their environment; their words name the network.
leftovers() {
	[ ! -e "$XDG_RUNTIME_DIR/berth/$NET" ] || echo "directory $XDG_RUNTIME_DIR/berth/$NET"
	local environ pid
	for environ in /proc/[0-9]*/environ; do
		pid=${environ#/proc/}
		pid=${pid%/environ}
		if [ -O "$environ" ]; then
			grep -qsz "^XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR\$" "$environ" || continue
		else
			grep -qszx -e "$NET" "/proc/$pid/cmdline" || continue
		fi
		echo "process $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
	done
}

# The abstract socket names of Berth's that exist on this machine now.
abstract_names() { awk '$8 ~ /^@berth\./ { print $8 }' /proc/net/unix | sort -u; }

nothing_left() { [ -z "$(leftovers)" ]; }

check_nothing_left() {
	until_true 10 nothing_left
	local status=$?
	ok $status "nothing is left: no process, no directory"
	[ $status -eq 0 ] || show "left" "$(leftovers)"
}

lib_end() {
	local status=$? pid
	trap '' TERM INT HUP
	for pid in ${started[@]+"${started[@]}"}; do
		kill -TERM "$pid" 2>/dev/null
	done
	for pid in ${started[@]+"${started[@]}"}; do
		until_true 3 gone "$pid" || kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	# Whoever is still there after that is the failure itself; end it by its id.
	for pid in $(leftovers | awk '$1 == "process" { print $2 }'); do
		kill -KILL "$pid" 2>/dev/null
	done
	if [ -z "${lib_ended:-}" ]; then
		echo "not ok $((test_number + 1)) - the test reached its end (exit $status)"
		echo "1..$((test_number + 1))"
		test_failures=1
	fi
	cd / && rm -rf "$WORK"
	[ "$test_failures" -eq 0 ] || exit 1
	exit 0
}
trap lib_end EXIT
trap 'exit 143' TERM INT HUP

# Last line of every test: what is running ends, nothing is left, no sanitizer complained.
finish() {
	local pid reports
	for pid in ${started[@]+"${started[@]}"}; do
		stop "$pid"
	done
	check_nothing_left
	if [ -n "${BERTH_SANITIZED:-}" ]; then
		reports=$(cat "$WORK"/sanitizer.* 2>/dev/null)
		[ -z "$reports" ]
		ok $? "no sanitizer has anything to report"
		[ -z "$reports" ] || head -n 60 <<<"$reports" | sed 's/^/#   /'
	fi
	echo "1..$test_number"
	lib_ended=1
	exit 0
}

# A server of static files from DIRECTORY, with a log, on NAME.
start_python_http() { # NAME PORT DIRECTORY
	start "$1" "$PYTHON" -u -m http.server --directory "$3" "$2"
	await_port "$1" "$2"
}

# nginx in the foreground with 2 workers, everything below $WORK/NAME.
start_nginx() { # NAME PORT DIRECTORY
	local base=$WORK/nginx-$1
	mkdir -p "$base/tmp"
	cat >"$base/nginx.conf" <<-END
		daemon off;
		worker_processes 2;
		pid $base/nginx.pid;
		error_log stderr warn;
		events { worker_connections 1024; }
		http {
			access_log off;
			client_body_temp_path $base/tmp; proxy_temp_path $base/tmp; fastcgi_temp_path $base/tmp;
			uwsgi_temp_path $base/tmp; scgi_temp_path $base/tmp;
			default_type text/plain;
			sendfile on;
			keepalive_requests 100000;
			server { listen $2 backlog=1024 ${OPTION-}; listen [::]:$2 backlog=1024 ${OPTION-}; root $3; }
		}
	END
	start "$1" nginx -e stderr -p "$base" -c "$base/nginx.conf"
	await_port "$1" "$2"
}

start_redis() { # NAME
	mkdir -p "$WORK/redis-$1"
	start "$1" redis-server --dir "$WORK/redis-$1" --save '' --appendonly no --protected-mode no --bind 0.0.0.0
	await_port "$1" 6379
}

free_port() { # a TCP port of the real machine that is free now
	"$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
