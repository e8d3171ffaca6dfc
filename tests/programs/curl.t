#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: curl
# Needs: curl
# Packages: curl
# Shows: download and upload by hash, 20 at a time, IPv6, a refused port, an unknown name
# CI: yes, with sanitizers
. "$(dirname "$0")/lib.sh"

start_web
get() { on "$1" curl -sS --noproxy '*' "${@:2}"; }
is "$(get c1 http://web/big | sha256sum | cut -d' ' -f1)" "$sum" "a download is whole"
is "$(get c2 -6 http://web/big | sha256sum | cut -d' ' -f1)" "$sum" "and over IPv6"
is "$(get c3 -T files/big http://web/up)" "$sum" "so is an upload"
is "$(get c4 -Z --parallel-max 20 'http://web/index.html?[1-40]' 2>/dev/null | sort | uniq -c | tr -s ' ')" " 40 from the server" \
	"40 requests, 20 at a time"
get c5 http://web:81/ >/dev/null 2>&1
is $? 7 "a port where nobody listens is refused (7)"
get c6 http://nobody-there/ >/dev/null 2>&1
is $? 6 "a name that nobody has is not found (6)"
finish
