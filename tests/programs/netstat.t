#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: netstat, ifconfig, route, arp
# Needs: netstat ifconfig route arp ss ping
# Packages: net-tools
# Shows: sockets with their programs, interfaces with what they counted, routes and neighbours, from /proc/net
# CI: yes
. "$(dirname "$0")/lib.sh"

start_web
cat >look.py <<'END'
import socket, subprocess
a = socket.create_server(("", 7000)); b = socket.create_connection((socket.gethostbyname("web"), 80))
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.bind(("::", 7001))
subprocess.run("""netstat -tuanp >sockets; ss -Htuanp >ss; ping -4 -n -c 1 web >ping; ifconfig eth0 >interface
route -n >routes; arp -n >neighbours; cat /proc/$$/net/tcp6 /proc/self/net/udp >heads""", shell=True)
END
on n1 "$PYTHON" look.py
like "$(cat sockets)" "^tcp .* 0.0.0.0:7000 .* LISTEN +[0-9]+/python" "who listens, and which program it is"
like "$(cat sockets)" "^tcp .* 10\.[0-9.]+:80 +ESTABLISHED +[0-9]+/python" "who is connected"
like "$(cat sockets)" "^udp6 .* :::7001 .* [0-9]+/python" "UDP"
is "$(grep -E '^(tcp|udp)' sockets | grep -vc TIME_WAIT)" 3 "and nothing of the real machine's"
is "$(grep -c 'users:(("python' ss)" 3 "ss names the program of each, too"
like "$(cat interface)" "inet 10\.[0-9.]+ .*netmask" "the host's interface"
like "$(cat interface)" "RX packets [1-9]" "with the packets that came"
like "$(cat routes)" "^10\.[0-9.]+ +0.0.0.0 .* eth0" "the host's route"
like "$(cat neighbours)" "^10\.[0-9.]+ +ether +02:00:" "the neighbour that was talked to"
is "$(grep -c local_address heads)" 2 "a process' own /proc/PID/net is its host's"
finish
