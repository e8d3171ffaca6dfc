#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: wrk
# Needs: wrk nginx
# Packages: wrk nginx-light
# Shows: a second of requests over 32 kept connections, none bad
# CI: yes
. "$(dirname "$0")/lib.sh"

mkdir files && echo "from the server" >files/index.html
start_nginx ng 8000 "$WORK/files"
said=$(on w wrk -t 2 -c 32 -d 1s http://ng:8000/index.html 2>&1)
like "$said" "[0-9]+ requests in" "requests are answered"
unlike "$said" "Socket errors|Non-2xx" "and none is bad"
finish
