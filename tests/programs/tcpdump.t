#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: tcpdump
# Needs: tcpdump
# Packages: tcpdump
# Shows: its own refusal: packet sockets are not there, and it says so
. "$(dirname "$0")/lib.sh"

said=$(on t tcpdump -c 1 -i eth0 2>&1)
status=$?
like "$said" "[Pp]ermission|not permitted|No such device|not supported" "it says why"
[ "$status" -ne 0 ] && [ "$status" -ne 124 ]
ok $? "and ends, badly"
finish
