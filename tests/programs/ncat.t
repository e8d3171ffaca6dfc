#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: ncat
# Needs: ncat
# Packages: ncat
# Shows: a listener, a file through it, UDP, an HTTP proxy
. "$(dirname "$0")/lib.sh"

head -c 3000000 /dev/urandom >big
sum=$(sha256sum <big | cut -d' ' -f1)
start there ncat -l 7000 --recv-only
await_port there 7000
on n1 ncat --send-only there 7000 <big
until_true 5 grep -qc . there.log
until_true 5 gone "${started[0]}"
is "$(sha256sum <there.log | cut -d' ' -f1)" "$sum" "a file through a listener"
start shout ncat -l -k -u 7001 -e /bin/cat
await_port shout 7001 UNCONN
is "$( (echo datagram; sleep 2) | on n2 timeout 5 ncat -u -i 1 shout 7001 2>/dev/null)" datagram "UDP"
start_web
start proxy ncat -l -k --proxy-type http 8080
await_port proxy 8080
like "$( (printf 'GET /index.html HTTP/1.0\r\n\r\n'; sleep 1) | on n3 ncat --proxy proxy:8080 --proxy-type http web 80)" "from the server" "a proxy"
finish
