#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs in the background: run -d, logs, exec, kill, stop, wait, inspect, ps -a, rm; and nothing is left when the last one is gone.
. "$(dirname "$0")/lib.sh"

berth() { # COMMAND ARGUMENTS…: on the test's network, with a limit
	local command=$1
	shift
	timeout -k 5 $((30 * slow)) "$BERTH" "$command" --net "$NET" "$@"
}
is "$(berth run -d --name web -- "$PYTHON" -u -c '
import http.server, socket, sys
print("out one"); print("err one", file=sys.stderr); print("out two")
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(self.client_address[0].encode())
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()')" web "run -d prints the name, and returns"
await_port web 80
is "$(on client curl -sS http://web/)" "$(on client "$PYTHON" -c 'import socket; print(socket.gethostbyname("client"))')" "others reach it"
is "$(berth logs web 2>err)/$(cat err)" "out one
out two/err one" "logs: output and errors apart"
berth run -d --name lines -- sh -c 'echo first; echo second; echo third' >/dev/null
berth wait lines >/dev/null
is "$(berth logs --tail 2 lines)" "second
third" "--tail"
like "$(berth logs -t --tail 1 lines)" "^20[0-9-]+T[0-9:]+\.[0-9]{9}Z third$" "-t"
berth rm lines >/dev/null
is "$(berth logs --tail 0 web 2>&1)" "" "--tail 0"

# exec: the same host.
is "$(berth exec web -- curl -sS http://127.0.0.1/)" 127.0.0.1 "exec shares the host's loopback"
is "$(berth exec web curl -sS http://web/ | wc -c)" "$(berth exec web -- "$PYTHON" -c 'import socket; print(len(socket.gethostbyname("web")), end="")' | wc -c | sed 's/.*/9/')" "and its name, also without --"
is "$(berth exec -e A=1 -w / web sh -c 'echo $A; pwd; exit 3' | tr '\n' ' '; echo "${PIPESTATUS[0]}")" "1 / 3" "-e, -w, and the exit code"
like "$(berth exec web -- "$PYTHON" -c 'import socket; socket.create_server(("", 80))' 2>&1)" "Address already in use" "its ports are taken there"
berth exec -d web -- "$PYTHON" -c 'import socket; s = socket.create_server(("", 81)); s.accept()[0].sendall(b"from exec")'
is $? 0 "exec -d returns"
await_port web 81
is "$(on client "$PYTHON" -c 'import socket; print(socket.create_connection(("web", 81)).recv(99).decode())')" "from exec" "… and what it runs is reached under the host's name"
berth exec nosuch true 2>err
is "$?/$(grep -c . err)" 125/1 "exec on a host that is not there"
like "$(cat err)" "no host 'nosuch'" "… says so"

# A reset reaches the program that exec started, not somebody else's.
is "$(berth exec web -- "$PYTHON" -c '
import os, socket, struct, threading
s = socket.create_server(("", 82))
def peer():
    c = s.accept()[0]; c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); c.close()
threading.Thread(target=peer).start()
c = socket.create_connection(("web", 82))
try: print(c.recv(10))
except OSError as e: print(type(e).__name__)')" ConnectionResetError "RST in a program of exec's"

out=$(berth inspect web)
like "$out" "^name +web$" "inspect: name"
like "$out" "^state +running, detached$" "… state"
like "$out" "^program +python3" "… program"
is "$(berth inspect --json web | "$PYTHON" -c 'import json, sys; p = json.load(sys.stdin)[0]; print(p["name"], p["state"], p["exit_code"], p["detached"])')" \
	"web running None True" "inspect --json"

# Ends.
berth run -d --name seven -- sh -c 'echo last words; exit 7' >/dev/null
is "$(berth wait seven)" 7 "wait prints the exit code"
is "$(berth wait seven)" 7 "… again, afterwards"
is "$(berth logs seven)" "last words" "what it said is still there"
like "$(berth ps -a)" "^seven +exit 7 " "ps -a lists it"
unlike "$(berth ps)" "^seven" "ps does not"
like "$(berth inspect seven)" "^state +ended, exit code 7$" "inspect says how it ended"
berth run --name seven true 2>err
is "$?/$(grep -c . err)" 125/1 "its name is taken"
like "$(cat err)" "berth rm seven" "… and what to do is said"
is "$(berth rm seven)" seven "rm"
unlike "$(berth ps -a)" "^seven" "… and it is gone"
berth run --name seven true
is $? 0 "its name is free"
berth run -d --rm --name short -- sh -c 'sleep 0.5; echo bye; exit 4' >/dev/null
is "$(berth logs -f short)" bye "logs -f of one with --rm goes on to its end"
unlike "$(berth ps -a)" "^short" "--rm: nothing is kept"

berth run -d --name deaf -- sh -c 'trap "echo got TERM" TERM; trap "echo got USR1" USR1; echo ready; while :; do sleep 0.05; done' >/dev/null
says() { berth logs "$1" | grep -q "$2"; }
until_true 10 says deaf ready
is "$(berth kill -s USR1 deaf)" deaf "kill -s"
until_true 10 says deaf "got USR1"
ok $? "the signal arrives"
berth rm deaf 2>err
is "$?/$(grep -c 'runs: berth stop' err)" 1/1 "rm of one that runs is refused"
is "$(berth stop -t 1 deaf)" deaf "stop"
is "$(berth logs --tail 1 deaf)/$(berth wait deaf)" "got TERM/137" "… is SIGTERM, then SIGKILL"
is "$(berth stop deaf)" deaf "stop of one that has ended"
is "$(berth kill deaf 2>&1 | grep -c "has ended")" 1 "kill of one that has ended"
berth run -d --name kind -- sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
until_true 10 says kind ready
is "$(berth stop kind; berth wait kind)" "kind
5" "stop of one that listens"
for i in $(seq 20); do
	berth run -d --name quick -- sh -c 'echo hi; sleep 1000' >/dev/null
	sleep 0.0$((i % 9))
	berth stop -t 0 quick >/dev/null || echo "stop: $?"
	berth wait quick
	berth rm quick >/dev/null
done >codes 2>&1
is "$(grep -vE '^(137|143)$' codes)/$(wc -l <codes)" /20 "stop -t 0: the code is known, also where the second signal comes too late"
is "$(berth kill web; berth wait web)" "web
137" "kill is SIGKILL: 137"
is "$(berth rm web deaf kind | tr '\n' ' ')" "web deaf kind " "rm of several"
until_true 10 nothing_left
ok $? "nothing is left after the last one"

# exec ends with its host; a foreground program can be waited for and killed as well.
start front sleep 1000
up() { berth ps 2>/dev/null | grep -q "^$1 "; }
until_true 10 up front
like "$(berth logs front 2>&1)" "'front' is not detached" "logs of one in the foreground"
berth exec front sleep 1000 2>exec.err &
started+=($!)
two() { [ "$(pgrep -u "$(id -u)" -fc "berth exec --net $NET")" -ge 2 ]; }
until_true 10 two
berth kill -s TERM front >/dev/null
wait "${started[0]}"
is $? 143 "kill of a program in the foreground"
wait "${started[1]}"
is "$?/$(cat exec.err)" "137/berth: host 'front' has ended; so does the program" "exec ends with its host"

# SIGKILL of each of the three processes, and of the daemon.
for which in front supervisor program daemon; do
	berth run -d --rm --name x -- sh -c 'echo ready; exec sleep 1000' >/dev/null
	until_true 10 says x ready
	front=$(berth inspect --json x | sed -n 's/^ *"pid": \([0-9]*\),$/\1/p')
	supervisor=$(pgrep -P "$front")
	program=$(pgrep -P "$supervisor")
	daemon=$("$BERTH" net inspect "$NET" | sed -n 's/^ *"pid": \([0-9]*\),\{0,1\}$/\1/p' | head -n 1)
	kill -KILL "${!which}"
	until_true 10 nothing_left
	ok $? "SIGKILL of the $which: nothing hangs, nothing is left"
done

# The log is bounded; lines longer than a line can be are cut into some.
berth run -d --name loud -- "$PYTHON" -c '
import os
for i in range(90000): os.write(1, b"%08d %s\n" % (i, b"x" * 90))
os.write(1, b"y" * 50000); os.write(2, b"the end")' >/dev/null
is "$(berth wait loud)" 0 "a program that says more than is kept is not held up"
out=$(berth logs loud 2>err)
[ "$(wc -c <<<"$out")" -lt 4300000 ] && [ "$(wc -c <<<"$out")" -gt 2000000 ]
ok $? "the last 4 MiB are kept"
is "$(tail -c 50000 <<<"$out" | tr -d '\n' | tr -d y)/$(cat err)" "/the end" "long lines and those without a newline come as they are"
is "$(tail -n 2 <<<"$out" | head -n 1 | cut -c 1-8)" 00089999 "… and in their order"
berth rm loud >/dev/null

# A failure to start is said at once, and nothing is left.
out=$(berth run -d --name y nosuchprogram 2>&1)
is "$?/$out" "127/berth: can't run 'nosuchprogram': no such program" "run -d of what is not there"
finish
