#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: socat
# Needs: socat
# Packages: socat
# Shows: a forking TCP server, UDP over IPv6, a relay
# CI: yes
. "$(dirname "$0")/lib.sh"

start_web
start echo socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat
start echo6 socat UDP6-RECVFROM:7,fork EXEC:cat
start relay socat TCP-LISTEN:80,fork,reuseaddr TCP:web:80
await_port echo 7 && await_port echo6 7 UNCONN && await_port relay 80
is "$(echo over tcp | on s1 socat -t2 - TCP:echo:7)" "over tcp" "TCP"
is "$(echo over udp | on s2 socat -t1 - UDP6:echo6:7)" "over udp" "UDP over IPv6"
is "$(printf 'GET /big HTTP/1.0\r\n\r\n' | on s3 socat -t5 - TCP:relay:80 | tail -c 2000000 | sha256sum | cut -d' ' -f1)" "$sum" "a relay"
finish
