#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: nmap -sT
# Needs: nmap
# Packages: nmap
# Shows: open and closed ports of a host, and what serves there
. "$(dirname "$0")/lib.sh"

start_web
said=$(on n nmap -sT -Pn -n --unprivileged -p 79-81 -sV --version-light "$(on d "$PYTHON" -c 'import socket; print(socket.gethostbyname("web"))')" 2>&1)
like "$said" "80/tcp +open +http +.*Python|80/tcp +open +http" "an open port, and its service"
like "$said" "79/tcp +closed" "a closed one"
finish
