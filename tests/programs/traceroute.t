#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: traceroute
# Needs: traceroute
# Packages: traceroute
# Shows: one hop to a host, with -I; by UDP it waits for POLLERR, which is not there
. "$(dirname "$0")/lib.sh"

start_web
like "$(on t1 traceroute -I -n -q 1 -w 2 -m 3 web 2>&1)" "^ *1  10\.[0-9.]+ +[0-9.]+ ms" "one hop"
finish
