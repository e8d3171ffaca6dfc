#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Readers that do not read: of events, traces, captures and logs, by command and by the API itself. The network waits for
# none of them, its daemon's memory has a limit, and each is told what it missed.
. "$(dirname "$0")/lib.sh"

# COUNT exchanges of a datagram with another host, and COUNT / 20 connections to it.
cat >chatter.py <<'END'
import socket, sys
count = int(sys.argv[1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60); s.connect(("echo", 7))
for i in range(count):
    s.send(b"%06d" % i + b"x" * 1300)
    assert s.recv(2000)[:6] == b"%06d" % i
for i in range(count // 20):
    with socket.create_connection(("echo", 7), timeout=60) as c: c.sendall(b"x"); assert c.recv(1) == b"x"
print("done")
END
cat >echo.py <<'END'
import socket, threading
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 7))
def datagrams():
    while True: d, a = u.recvfrom(2000); u.sendto(d, a)
threading.Thread(target=datagrams, daemon=True).start()
l = socket.create_server(("", 7), backlog=100)
while True:
    with l.accept()[0] as c: c.sendall(c.recv(1))
END
# Says 6 MiB when it may, in lines of 100 bytes, and that it has.
cat >talker.py <<'END'
import os, time
while not os.path.exists("talk"): time.sleep(0.05)
for i in range(60000): print("%06d" % i + "." * 93)
print("said all", flush=True)
open("said", "w").close()
time.sleep(1000)
END
# Ask for a stream at the socket itself, and then read nothing: PATH…
cat >asleep.py <<'END'
import socket, sys, time
kept = []
for path in sys.argv[2:]:
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); kept.append(s)
    s.sendall(b"GET %s HTTP/1.1\r\nHost: berth\r\n\r\n" % path.encode())
    assert b" 200 " in s.recv(15, socket.MSG_WAITALL)
print("asleep", flush=True)
time.sleep(1000)
END
background() { # LOG COMMAND…
	"${@:2}" >"$1.log" 2>"$1.err" </dev/null &
	started+=("$!")
	last=$!
}
has_line() { grep -Eqs -e "$2" "$1"; } # FILE REGEX
memory() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$daemon/status"; }

start echo "$PYTHON" echo.py
await_port echo 7
daemon=$("$BERTH" net inspect "$NET" | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["pid"])')
"$BERTH" run --net "$NET" --name talker -d -- "$PYTHON" talker.py >/dev/null
is "$(on chatter "$PYTHON" chatter.py 400)" "done" "two hosts talk"

api=$XDG_RUNTIME_DIR/berth/$NET/api.sock
all=host,call,state,drop,event,link,policy,packet
background asleep "$PYTHON" asleep.py "$api" "/v1/events?follow=1&kinds=$all" "/v1/events?follow=1&since=now" /v1/capture \
	/v1/programs/talker/logs?follow=1
until_true 10 has_line asleep.log asleep
ok $? "readers of the API itself fall asleep"
background events "$BERTH" events --net "$NET" -f --kinds "$all"
events=$last
background trace "$BERTH" trace --net "$NET" echo
trace=$last
background logs "$BERTH" logs --net "$NET" -f talker
logs=$last
mkfifo stuck
exec 8<>stuck # nobody reads it, and it has two ends
background capture "$BERTH" capture --net "$NET" -w stuck
capture=$last
until_true 10 has_line events.log packet && until_true 10 has_line trace.log joined
kill -STOP "$events" "$trace" "$logs"
before=$(memory)
touch talk
is "$(on chatter "$PYTHON" chatter.py 6000)" "done" "… and commands are stopped or write to where nobody reads, and hosts talk on"
until_true 30 test -e said
ok $? "… and a program whose log nobody reads is not held up"
after=$(memory)
# Twice a capture's 16 MiB and as much for the library that grows it, 4 MiB of a log, 8,192 entries.
[ -n "${BERTH_SANITIZED:-}" ] || [ $((after - before)) -lt 81920 ]
ok $? "the daemon's memory has a limit: from $before to $after KiB"
is "$(timeout 20 "$BERTH" ps --net "$NET" | grep -c echo)" 1 "… and it answers others"

kill -CONT "$events" "$trace" "$logs"
until_true 20 has_line events.log '^\.\.\. [0-9]+ entries are not there any more'
ok $? "events: told how many were missed"
until_true 20 has_line trace.log '^\.\.\. [0-9]+ entries are not there any more'
ok $? "trace: told how many were missed"
until_true 20 has_line logs.log 'said all'
ok $? "logs: what there is still comes"
like "$(cat logs.err)" "^berth logs: [0-9]+ lines are not there any more" "… and told how many lines were missed"
is "$("$PYTHON" -c '
lines = [int(line[:6]) for line in open("logs.log") if line[0].isdigit()]
missed = int(open("logs.err").read().split()[2])
print(len(lines) + missed, lines == sorted(set(lines)))')" "60000 True" "… all of them, and no line twice"
cat <&8 >stuck.pcapng &
cat=$!
is "$(on late "$PYTHON" chatter.py 20)" "done" "somebody reads the capture now"
until_true 20 grep -qs 'host late' stuck.pcapng
on later "$PYTHON" chatter.py 20 >/dev/null
until_true 20 grep -qs 'host later' stuck.pcapng # and so all that late did
kill -INT "$capture"
until_true 10 gone "$capture"
like "$(cat capture.err)" "seen, [0-9]+ missed, because they were not written soon enough" "capture: told how many packets were missed"
kill "$cat"

background stopped "$BERTH" capture --net "$NET" -w stuck
stuck_holds() { read -r -t 0 -u 8; }
until_true 10 stuck_holds
is "$(on chatter "$PYTHON" chatter.py 400)" "done" "once more a capture that nobody reads"
kill -INT "$last"
until_true 10 gone "$last"
ok $? "… ends at Ctrl-C nevertheless"

# All of the API's places taken by those who sleep.
# shellcheck disable=SC2046
background crowd "$PYTHON" asleep.py "$api" $(for i in $(seq 56); do echo "/v1/events?follow=1&n=$i"; done)
sleepers=$last
until_true 10 has_line crowd.log asleep
"$PYTHON" - "$api" <<'END' &
import socket, sys, time
kept = []
for i in range(20):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); kept.append(s)
    try: s.sendall(b"GET /v1/events?follow=1 HTTP/1.1\r\nHost: berth\r\n\r\n")
    except BrokenPipeError: break  # there is no place any more
open("full", "w").close()
time.sleep(1000)
END
crowd=$!
started+=("$crowd")
until_true 10 test -e full
for command in ps "events" "capture -w x.pcapng" "logs talker"; do
	read -ra words <<<"$command"
	like "$(timeout 20 "$BERTH" "${words[0]}" --net "$NET" "${words[@]:1}" 2>&1; echo $?)" "has as many readers as it takes" \
		"there are as many readers as there may be: $command says so"
done
is "$(on chatter "$PYTHON" chatter.py 20)" "done" "… and programs come and go as ever"
kill "$crowd" "$sleepers"
answers() { "$BERTH" ps --net "$NET" >/dev/null 2>&1; }
until_true 10 answers
ok $? "when some end others are heard"
"$BERTH" rm --net "$NET" -f talker >/dev/null
finish
