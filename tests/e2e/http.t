#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# HTTP by name: python's server and nginx, both on port 80, and curl.
. "$(dirname "$0")/lib.sh"
need curl nginx

mkdir -p files web
echo "from files" >files/index.html
echo "from web" >web/index.html
"$PYTHON" -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 4096)' >files/binary

start_python_http files 80 "$WORK/files"
ok $? "python3 -m http.server listens on port 80 of host files"
start_nginx web 80 "$WORK/web"
ok $? "nginx listens on port 80 of host web at the same time"

is "$(on client curl -sS http://files/)" "from files" "curl http://files/ gets the page of files"
is "$(on client curl -sS http://web/)" "from web" "curl http://web/ gets the page of web"
is "$(on client curl -sS -o /dev/null -w '%{http_code}' http://web/nosuch)" 404 "a page that is not there is a 404"
is "$(on client curl -sS -o /dev/null -w '%{http_code} %{remote_port}' http://files/)" "200 80" "curl sees the peer's port"
on client curl -sS http://files/binary | cmp -s - files/binary
ok $? "1 MiB of binary arrives as it is"
is "$(on client curl -sS http://web/ http://web/ http://files/ | tr '\n' ,)" "from web,from web,from files," \
	"one curl, several requests, two servers"

out=$(on client curl -sS --max-time 10 http://web:81/ 2>&1)
is $? 7 "a port where nobody listens refuses at once (curl's exit code 7)"
like "$out" "onnect" "and curl says so"
on client curl -sS --max-time 10 http://nosuchhost/ >out 2>&1
is $? 6 "a name that is not there is not found (curl's exit code 6)"

address=$("$BERTH" ps --net "$NET" | awk '$1 == "web" { print $2 }')
is "$(on client curl -sS "http://$address/")" "from web" "by IPv4 address ($address)"
address=$("$BERTH" ps --net "$NET" | awk '$1 == "web" { print $3 }')
is "$(on client curl -sS -g "http://[$address]/")" "from web" "by IPv6 address ($address)"
is "$(on client curl -sS -6 http://web/)" "from web" "by name over IPv6"

# Many at once, kept apart: each asks for its own file.
for i in $(seq 10); do echo "page $i" >"web/$i"; done
for i in $(seq 10); do on "c$i" curl -sS "http://web/$i" >"got.$i" & pids[i]=$!; done
wait "${pids[@]}"
is "$(cat got.1 got.2 got.3 got.4 got.5 got.6 got.7 got.8 got.9 got.10)" "$(for i in $(seq 10); do echo "page $i"; done)" \
	"ten clients at once get ten different pages"
finish
