#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: dig
# Needs: dig
# Packages: bind9-dnsutils
# Shows: A, AAAA and PTR over UDP and TCP, an unknown name, whatever server is asked
# CI: yes
. "$(dirname "$0")/lib.sh"

start_web
like "$(on d1 dig +short +time=2 web)" "^10\." "an address, over UDP"
like "$(on d2 dig +tcp +short +time=2 web AAAA)" "^fd" "IPv6's, over TCP"
like "$(on d3 dig +short +time=2 @8.8.8.8 web)" "^10\." "of any server"
like "$(on d4 dig +time=2 nobody-there)" "status: NXDOMAIN" "an unknown name"
ip=$(on d5 dig +short +time=2 web)
like "$(on d6 dig +short +time=2 -x "$ip")" "^web" "a name for an address"
finish
