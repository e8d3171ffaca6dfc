#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# berth pause, resume, reset-conn and flap; and one name for several hosts.
. "$(dirname "$0")/lib.sh"

cat >echo.py <<'END'
import socket, threading
s = socket.create_server(("", 7))
def serve(c):
    try:
        while (data := c.recv(65536)): c.sendall(data)
    except OSError as e: print("server:", e.strerror, flush=True)
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
END
cat >talk.py <<'END'
import socket, sys, time
s = socket.create_connection((sys.argv[1], 7))
try:
    while True:
        s.sendall(b"x"); s.recv(1); print("answer", flush=True); time.sleep(0.02)
except OSError as e: print("client:", e.strerror, flush=True)
time.sleep(1000)
END
answers() { grep -c answer "$1.log"; }
more() { [ "$(answers "$1")" -gt "$2" ]; }     # HOST COUNT
talking() { local n; n=$(answers "$1"); until_true 10 more "$1" "$n"; }
quiet() { local n; sleep 0.3; n=$(answers "$1"); sleep 0.4; [ "$(answers "$1")" = "$n" ]; }

start server "$PYTHON" -u echo.py
await_port server 7
start one "$PYTHON" -u talk.py server
start two "$PYTHON" -u talk.py server
until_true 10 more one 2 && until_true 10 more two 2
ok $? "two conversations"

"$BERTH" pause --net "$NET" server
is "$?" 0 "pause"
quiet one
ok $? "… nobody answers"
like "$("$BERTH" inspect --net "$NET" server)" "^state +paused" "… and it is shown"
like "$("$BERTH" why --net "$NET" one)" "python3 \([0-9]+\) on server is stopped" "… with the reason"
"$BERTH" resume --net "$NET" server
talking one
ok $? "resume: everything goes on"
like "$("$BERTH" events --net "$NET" --kinds host)" " paused  python3" "… and is in the journal"

"$BERTH" reset-conn --net "$NET" one server
is "$?" 0 "reset-conn between two hosts"
until_true 10 grep -Eq 'client: (Connection reset by peer|Broken pipe)' one.log
ok $? "… the client sees a reset"
until_true 10 grep -q 'server: Connection reset by peer' server.log
ok $? "… and the server"
talking two
ok $? "… the other conversation does not"
is "$("$BERTH" reset-conn --net "$NET" one server)" "no conversation to reset" "… and then there is none"
"$BERTH" reset-conn --net "$NET" --port 7
until_true 10 grep -Eq 'client: (Connection reset by peer|Broken pipe)' two.log
ok $? "reset-conn of a port"

start three "$PYTHON" -u talk.py server
until_true 10 more three 2
"$BERTH" flap --net "$NET" --down 300ms --up 100ms --count 2 three
is "$?" 0 "flap"
is "$("$BERTH" events --net "$NET" --kinds link three | grep -c ': cut')/$("$BERTH" events --net "$NET" --kinds link three | grep -c ': mend')" 2/2 "… cuts and mends as often as it says"
talking three
ok $? "… and conversations survive"
timeout -s TERM 0.5 "$BERTH" flap --net "$NET" --down 10s three server
like "$("$BERTH" link show --net "$NET" three server)" "^three +server +perfect|^FROM.*CONDITIONS" "whatever ends it, the cable is whole"
unlike "$("$BERTH" link show --net "$NET" three server)" " cut " "… and not cut"

OPTIONS=(--alias cluster --alias other)
start four sleep 1000
OPTIONS=(--alias cluster)
start five sleep 1000
OPTIONS=()
until_true 10 "$BERTH" inspect --net "$NET" five >/dev/null
is "$(on asker "$PYTHON" -c '
import socket
names = lambda n: sorted({i[4][0] for i in socket.getaddrinfo(n, 1, socket.AF_INET)})
print(len(names("cluster")), names("other") == names("four"), sorted(names("four") + names("five")) == names("cluster"))')" \
	"2 True True" "a name that two hosts share, and one of one's own"
is "$("$BERTH" run --net "$NET" --alias server true 2>&1; echo $?)" "berth: alias 'server': there is a host of that name
125" "a name that is taken"

for wrong in "pause" "resume" "reset-conn" "flap" "flap --down soon three" "flap --count 0 three" "reset-conn --port 0" "run --alias a_b true"; do
	# shellcheck disable=SC2086
	"$BERTH" $wrong >/dev/null 2>err
	is "$?/$(grep -c . err)" 125/1 "wrong use: $wrong"
done
"$BERTH" pause --net "$NET" nobody 2>err
is "$?/$(grep -c "no host 'nobody'" err)" 1/1 "a host that is none"

daemon=$(pgrep -f "^berth daemon --net $NET ")
kill -STOP "$daemon"
said=$(timeout $((40 * slow)) "$BERTH" run --net "$NET" true 2>&1)
is "$?/$said" "125/berth: network '$NET' does not answer: its daemon is stopped, or very busy" "a daemon that is stopped is not waited for without end"
kill -CONT "$daemon"
is "$(timeout $((40 * slow)) "$BERTH" run --net "$NET" echo again 2>&1)" again "… and serves when it goes on"
finish
