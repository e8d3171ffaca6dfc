#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# wrk with 200 connections on nginx through our TCP: none is lost.
. "$(dirname "$0")/lib.sh"
need wrk nginx

# wrk asks for its port by the service's name, which a bare machine's /etc/services does not tell: so :80.
mkdir web
echo "hello" >web/index.html
start_nginx web 80 "$WORK/web"
ok $? "nginx with 2 workers listens"

out=$(on wrk wrk -t2 -c200 -d5s --timeout 10s http://web:80/)
is $? 0 "wrk with 200 connections ends well"
note "$(grep -E 'Requests/sec|requests in' <<<"$out")"
like "$out" "[1-9][0-9]* requests in" "requests were answered"
unlike "$out" "Socket errors" "no connection failed, none was reset, none timed out"
unlike "$out" "Non-2xx" "every answer was a 200"

out=$(on wrk wrk -t2 -c50 -d3s --timeout 10s -H 'Connection: close' http://web:80/)
is $? 0 "wrk with a connection for every request ends well"
note "$(grep -E 'Requests/sec|requests in' <<<"$out")"
unlike "$out" "Socket errors:.*(connect|write|timeout) [1-9]" "no connection failed or timed out"
is "$(on client curl -sS http://web/)" "hello" "the server is as good as new afterwards"
finish
