#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: ip and ss
# Needs: ip ss
# Packages: iproute2
# Shows: addresses, routes and sockets of the host, by netlink; refused changes
. "$(dirname "$0")/lib.sh"

like "$(on i1 ip -4 -o addr 2>&1)" "lo +inet 127.0.0.1/8" "ip addr: loopback"
like "$(on i2 ip -4 -o addr 2>&1)" "inet 10\.[0-9.]+/[0-9]+ brd" "and the network's address"
like "$(on i3 ip route 2>&1)" "^10\.[0-9./]+ dev" "ip route"
like "$(on i4 ip -6 addr 2>&1)" "inet6 fd" "ip -6 addr"
like "$(on i5 ip link set lo down 2>&1)" "not permitted" "nothing can be changed"
start_web
cat >sockets.py <<'END'
import socket, subprocess
a = socket.create_server(("::", 7000), family=socket.AF_INET6); b = socket.create_connection(("web", 80))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 53))
print(subprocess.run(["ss", "-Htuan"], capture_output=True, text=True).stdout)
END
said=$(on i7 "$PYTHON" sockets.py)
like "$said" "^tcp +LISTEN .*:7000" "ss: who listens"
like "$said" "^tcp +ESTAB .*[:.]80 *$" "who is connected"
like "$said" "^udp +UNCONN .*127.0.0.1:53" "UDP"
is "$(grep -c . <<<"$said")" 3 "and nothing of the real machine's"
like "$(on i6 ip route get 127.0.0.1 2>&1)" "local 127.0.0.1 dev lo" "ip route get"
finish
