#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: HAProxy
# Needs: haproxy curl
# Packages: haproxy curl
# Shows: before two servers, with checks: both serve, and one does when the other ends; a TCP front
. "$(dirname "$0")/lib.sh"

start_web
mkdir other && echo "from the other" >other/index.html && cp files/big other/big
start web2 "$PYTHON" -u "$PROGRAMS/web.py" 80 "$WORK/other"
await_port web2 80
printf '%s\n' 'defaults' ' timeout connect 5s' ' timeout client 9s' ' timeout server 9s' ' retries 3' ' option redispatch' \
	'resolvers r' ' parse-resolv-conf' 'frontend f' ' mode http' ' bind :8080' ' default_backend b' \
	'backend b' ' mode http' ' balance roundrobin' ' option httpchk GET /index.html' \
	' server one web:80 check inter 200ms' ' server two web2:80 check inter 200ms' \
	'listen t' ' mode tcp' ' bind :8081' ' server one web:80' >haproxy.cfg
start proxy haproxy -db -f "$WORK/haproxy.cfg"
await_port proxy 8080
get() { on "$1" curl -sS --noproxy '*' "${@:2}"; }
is "$(get h1 http://proxy:8080/big | sha256sum | cut -d' ' -f1)" "$sum" "a download is whole"
is "$(get h2 http://proxy:8081/big | sha256sum | cut -d' ' -f1)" "$sum" "and so through a TCP front"
is "$(get h3 'http://proxy:8080/index.html?[1-10]' | sort -u | tr '\n' ' ')" "from the other from the server " "both serve"
stop "${started[1]}"
alone() { [ "$(get "h$RANDOM" 'http://proxy:8080/index.html?[1-6]' | sort -u)" = "from the server" ]; }
until_true 15 alone
ok $? "one of them gone, the other serves"
finish
