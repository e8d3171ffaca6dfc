#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: memcached
# Needs: memcached
# Packages: memcached
# Shows: set over TCP, get over UDP, 500 keys by pipelining, statistics
. "$(dirname "$0")/lib.sh"

start cache memcached -p 11211 -U 11211
await_port cache 11211
cat >client.py <<'END'
import socket
s = socket.create_connection(("cache", 11211)); f = s.makefile("rwb")
f.write(b"set k 0 0 5\r\nhello\r\n"); f.flush(); print(f.readline())
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(5); u.connect(("cache", 11211))
u.send(b"\0\1\0\0\0\1\0\0get k\r\n"); print(u.recv(1500)[8:])
f.write(b"".join(b"set k%d 0 0 1000 noreply\r\n%s\r\n" % (i, b"x" * 1000) for i in range(500)) + b"stats\r\n"); f.flush()
print({l for l in iter(f.readline, b"END\r\n") if b"curr_items" in l})
END
said=$(on mc "$PYTHON" client.py 2>&1)
like "$said" "STORED" "set over TCP"
like "$said" "VALUE k 0 5.*hello" "get over UDP"
like "$said" "curr_items 501" "500 more, pipelined"
finish
