#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: busybox
# Needs: busybox
# Packages: busybox-static busybox
# Shows: its httpd, wget, nc and nslookup: a program without libc's resolver
# CI: yes
. "$(dirname "$0")/lib.sh"

case $(ldd "$(command -v busybox)" 2>&1) in
*"not a dynamic"*) ok 0 "it is linked statically" ;;
*) skip "it is linked statically" "busybox-static is not installed" ;;
esac
start_web
is "$(on w busybox wget -q -O - http://web/big | sha256sum | cut -d' ' -f1)" "$sum" "wget: a download is whole"
start bb busybox httpd -f -p 8080 -h "$WORK/files"
await_port bb 8080
is "$(on w2 busybox wget -q -O - http://bb:8080/index.html)" "from the server" "httpd answers"
like "$(on w3 busybox nslookup web 2>&1)" "10\.[0-9.]+" "nslookup knows the hosts"
like "$(printf 'GET /index.html HTTP/1.0\r\n\r\n' | on w4 busybox nc web 80)" "from the server" "nc talks"
finish
