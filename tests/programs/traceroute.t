#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: traceroute
# Needs: traceroute
# Packages: traceroute
# Shows: one hop to a host, by UDP over IPv4 and IPv6, all in one socket, and with -I
. "$(dirname "$0")/lib.sh"

start_web
like "$(on t1 traceroute -I -n -q 1 -w 2 -m 3 web 2>&1)" "^ *1  10\.[0-9.]+ +[0-9.]+ ms" "one hop"
like "$(on t2 traceroute -n -w 2 -m 3 web 2>&1)" "^ *1  10\.[0-9.]+ +[0-9.]+ ms +[0-9.]+ ms +[0-9.]+ ms" "by UDP: ports that nobody has"
like "$(on t3 traceroute -6 -n -w 2 -m 3 web 2>&1)" "^ *1  fd[0-9a-f:]+ +[0-9.]+ ms +[0-9.]+ ms +[0-9.]+ ms" "over IPv6"
like "$(on t4 traceroute -U -N 1 -p 4242 -n -w 2 -m 3 web 2>&1)" "^ *1  10\.[0-9.]+ +[0-9.]+ ms +[0-9.]+ ms +[0-9.]+ ms" "one error after another"
finish
