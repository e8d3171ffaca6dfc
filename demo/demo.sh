#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# make demo: real programs talk over Berth, as an ordinary user. Says what it
# shows, checks every step, cleans up and ends by itself.
#
# usage: demo.sh BUILD-DIRECTORY [USER]    (USER: whom root becomes; nobody)
set -u

build=${1:?usage: demo.sh BUILD-DIRECTORY [USER]}
user=${2:-nobody}
BERTH=${BERTH:-$build/src/cli/berth}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
python=/usr/bin/python3 # not what an account's PATH may have instead: root's own is not nobody's
[ -x "$BERTH" ] || { echo "demo: $BERTH is not there; make builds it" >&2; exit 1; }
for tool in curl nginx redis-server redis-cli redis-benchmark "$python"; do
	command -v "$tool" >/dev/null || { echo "demo: $tool is not installed; tools/setup build test installs it" >&2; exit 1; }
done

# As root: the rest is done by an ordinary user, with copies that it can read.
if [ "$(id -u)" = 0 ]; then
	stage=$(mktemp -d /tmp/berth-demo.XXXXXX) || exit 1
	trap 'rm -rf "$stage"' EXIT
	trap 'kill -TERM "$child" 2>/dev/null' INT TERM HUP
	chmod 755 "$stage"
	cp "$BERTH" "$stage/berth" && cp "$0" "$stage/demo.sh" && mkdir "$stage/home" && chown "$user" "$stage/home" || exit 1
	cd "$stage/home" || exit 1
	env -u XDG_RUNTIME_DIR BERTH="$stage/berth" HOME="$stage/home" TMPDIR="$stage/home" DEMO_WAS_ROOT=1 \
		setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- bash "$stage/demo.sh" "$stage" &
	child=$!
	wait "$child"
	status=$?
	wait "$child" 2>/dev/null
	exit "$status"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/berth-demo.XXXXXX") || exit 1
export XDG_RUNTIME_DIR=$work/run
mkdir -m 700 "$XDG_RUNTIME_DIR"
BERTH=$(realpath "$BERTH")
cd "$work" || exit 1
network=demo
pids=()
failures=0

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi

tell() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
say() { printf '%s\n' "$*"; }
# What is typed, as a user would type it.
typed() { printf '  %s$ %s%s\n' "$bold" "$*" "$plain"; }
quote() { sed 's/^/    /'; }

check() { # STATUS WHAT
	if [ "$1" -eq 0 ]; then
		say "  [ok] $2"
	else
		say "  [FAILED] $2"
		failures=$((failures + 1))
	fi
}

gone() { ! kill -0 "$1" 2>/dev/null; }
until_true() { # SECONDS COMMAND…
	local end=$((SECONDS + $1 + 1))
	shift
	while [ "$SECONDS" -lt "$end" ]; do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

end_all() {
	local pid
	for pid in ${pids[@]+"${pids[@]}"}; do kill -TERM "$pid" 2>/dev/null; done
	for pid in ${pids[@]+"${pids[@]}"}; do
		until_true 5 gone "$pid" || kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	pids=()
}
trap 'end_all; cd / && rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# Every process that was started from here has our XDG_RUNTIME_DIR in its environment.
processes_left() {
	local environ
	for environ in /proc/[0-9]*/environ; do
		[ -O "$environ" ] && grep -qsz "^XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR\$" "$environ" && return 0
	done
	return 1
}
all_gone() { ! processes_left && [ ! -e "$XDG_RUNTIME_DIR/berth/$network" ]; }

berth() { "$BERTH" "$@"; }
server() { # NAME OPTIONS… -- PROGRAM…
	local name=$1
	shift
	"$BERTH" run --net $network --name "$name" "$@" >"$work/$name.log" 2>&1 </dev/null &
	pids+=("$!")
}
client() { timeout 20 "$BERTH" run --net $network --name "$1" -- "${@:2}"; }
listening() { berth ss --net $network -nl "$1" 2>/dev/null | grep -q ":$2 "; }
ready() { # NAME PORT WHAT
	until_true 15 listening "$1" "$2"
	local status=$?
	check $status "$3"
	[ $status -eq 0 ] || quote <"$work/$1.log"
}

began=$SECONDS
tell "Berth: programs on a network of their own, by a TCP/IP stack of its own"
say "  This is user $(id -un)${DEMO_WAS_ROOT:+ (root gave up being root)}: no privileges, no TUN device, no user namespace."
say "  The programs are the ones that are installed here, unmodified."

tell "1. Three servers, each on a host of its own. Two of them want port 80, and both get it."
mkdir -p files web/tmp db
echo "This page comes from python3, on host files." >files/index.html
echo "This page comes from nginx, on host web." >web/index.html
head -c 20000000 /dev/urandom >web/big
cat >web/nginx.conf <<END
daemon off;
worker_processes 2;
pid $work/web/nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path $work/web/tmp; proxy_temp_path $work/web/tmp; fastcgi_temp_path $work/web/tmp;
	uwsgi_temp_path $work/web/tmp; scgi_temp_path $work/web/tmp;
	default_type text/plain;
	server { listen 80; root $work/web; }
}
END
real=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
typed "berth run --name files -- python3 -m http.server 80"
server files -- "$python" -u -m http.server --directory "$work/files" 80
ready files 80 "python3 listens on port 80 of host files"
typed "berth run --name web -p $real:80 -- nginx"
server web -p "$real:80" -- nginx -e stderr -p "$work/web" -c "$work/web/nginx.conf"
ready web 80 "nginx, with two workers, listens on port 80 of host web"
typed "berth run --name db -- redis-server"
server db -- redis-server --dir "$work/db" --save '' --appendonly no --protected-mode no --bind 0.0.0.0
ready db 6379 "redis-server listens on port 6379 of host db"

tell "2. Who is there? Every host has an address, all the ports, and a name."
typed "berth ps"
berth ps --net $network | tee ps.out | quote
[ "$(grep -cE '^(files|web|db) ' ps.out)" = 3 ]
check $? "three hosts"

tell "3. Clients reach them by name; the names are Berth's, and so is the TCP in between."
typed "berth run -- curl http://web/"
client curl curl -sS http://web/ | tee web.out | quote
grep -q "nginx, on host web" web.out
check $? "curl got nginx's page from web"
typed "berth run -- curl http://files/"
client curl curl -sS http://files/ | tee files.out | quote
grep -q "python3, on host files" files.out
check $? "the same port 80 on host files is somebody else's"
typed "berth run -- redis-cli -h db set greeting hello"
[ "$(client cli redis-cli -h db set greeting hello)" = OK ] && [ "$(client cli redis-cli -h db get greeting)" = hello ]
check $? "redis-cli stored a value, and another one read it back"
typed "berth run -- curl http://web/big | sha256sum      (20 MB)"
[ "$(client curl curl -sS http://web/big | sha256sum)" = "$(sha256sum <web/big)" ]
check $? "20 MB came through our TCP with the right SHA-256"

tell "4. Many conversations at once, kept apart by their addresses and ports."
typed "berth run -- redis-benchmark -h db -t set,get -c 20 &"
# Slow readers keep their connections open long enough to be looked at.
for reader in one two; do
	"$BERTH" run --net $network --name "reader-$reader" -- curl -sS --limit-rate 4M -o /dev/null http://web/big >"$reader.log" 2>&1 &
	pids+=("$!")
done
client bench redis-benchmark -h db -q -t set,get -n 30000 -c 20 >bench.out 2>&1 &
bench=$!
talking() { berth ss --net $network -tn bench 2>/dev/null | grep -q "ESTAB.*:6379"; }
until_true 10 talking
check $? "redis-benchmark and two downloads are under way"
typed "berth ss -t        (20 of redis-benchmark's left out here)"
berth ss --net $network -t >ss.out
berth ss --net $network -tni >ss-info.out
awk 'NR == 1 || $7 != "bench" && $7 != "db" || $7 == "bench" && !seen++' ss.out | cut -c 1-118 | quote
[ "$(awk '$2 == "ESTAB" && $7 == "web" && $5 ~ /:http$/ { print $6 }' ss.out | sort -u | wc -l)" -ge 2 ]
check $? "web holds two conversations on one port, with different peers"
[ "$(awk '$2 == "ESTAB" && $7 ~ /^reader/ { print $5 }' ss.out | sort -u | wc -l)" -ge 2 ]
check $? "each reader has an address and a port of its own"
typed "berth ss -ti reader-one        (what TCP knows)"
grep -A1 'reader-one' ss-info.out | head -n 2 | cut -c 1-160 | quote
grep -A1 'reader-one' ss-info.out | grep -q 'rtt:.*cwnd:'
check $? "round trip time and congestion window are there"
wait "$bench"
check $? "redis-benchmark ended well:"
tr '\r' '\n' <bench.out | grep 'per second' | quote
for pid in "${pids[@]:3}"; do wait "$pid"; done
check $? "so did the downloads"
pids=("${pids[@]:0:3}")

tell "5. From the real machine, in through the one port that was opened with -p."
typed "curl http://127.0.0.1:$real/        (plain curl, not under berth)"
curl -sS --noproxy '*' --max-time 10 "http://127.0.0.1:$real/" | tee real.out | quote
grep -q "nginx, on host web" real.out
check $? "plain curl on the real machine got nginx's page"

tell "6. The network can be bent while programs run: 100 ms each way to web and back, and mended again."
typed "berth link set web delay 100ms"
"$BERTH" link --net "$network" set web delay 100ms
typed "berth run -- curl -w '%{time_connect} s to connect' http://web/"
client bent curl -sS -o /dev/null -w '%{time_connect}' http://web/ >bent.out
quote <<<"$(cat bent.out) s to connect"
awk '{ exit !($1 >= 0.2) }' bent.out
check $? "a connection to web takes a round trip of 200 ms at least"
typed "berth link reset"
"$BERTH" link --net "$network" reset
[ "$("$BERTH" link --net "$network" show web | grep -c perfect)" -eq 2 ]
check $? "and the cable is perfect again"

tell "7. And out? Nothing inside reaches the real network."
typed "berth run -- curl http://127.0.0.1:$real/"
client curl curl -sS --max-time 5 "http://127.0.0.1:$real/" >out.out 2>&1
[ $? -eq 7 ]
check $? "127.0.0.1 inside is the host's own: refused"

tell "8. The end: the last program out turns off the light."
end_all
until_true 10 all_gone
check $? "no process, no socket, no directory is left"

tell "That took $((SECONDS - began)) seconds."
if [ $failures -gt 0 ]; then
	say "  $failures of the checks above FAILED."
	exit 1
fi
say "  Everything shown was checked as well. Try it: berth help"
