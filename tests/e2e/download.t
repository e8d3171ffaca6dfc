#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# 1 GiB through our TCP arrives with the right SHA-256, both carriers.
# The sanitized build is several times slower and takes an eighth.
. "$(dirname "$0")/lib.sh"
need curl nginx sha256sum

mib=1024
[ -z "${BERTH_SANITIZED:-}" ] || mib=128
mkdir web
# Bytes that do not repeat, without waiting for the kernel's: SHAKE of a constant, a block a MiB.
"$PYTHON" - "$mib" >web/big <<'END'
import hashlib, sys
block = hashlib.shake_256(b"berth").digest(1 << 20)
for i in range(int(sys.argv[1])):
    sys.stdout.buffer.write(i.to_bytes(8, "big") + block[8:])
END
wanted=$(sha256sum <web/big)

start_nginx web 80 "$WORK/web"
began=$(date +%s%N)
got=$(timeout -k 5 240 "$BERTH" run --net "$NET" --name client -- curl -sS http://web/big | sha256sum)
note "$mib MiB by wire: $((mib * 8590 / (($(date +%s%N) - began) / 1000000 + 1))) Mbit/s, SHA-256 included"
is "$got" "$wanted" "$mib MiB downloaded through our TCP have the right SHA-256"

# The other way: the client sends, the server hashes.
start sink "$PYTHON" -c '
import hashlib, socket
s = socket.create_server(("", 9), backlog=4)
c, _ = s.accept()
h = hashlib.sha256()
while data := c.recv(1 << 18):
    h.update(data)
c.sendall(h.hexdigest().encode())
'
await_port sink 9
got=$(timeout -k 5 240 "$BERTH" run --net "$NET" --name up -- "$PYTHON" -c '
import socket
s = socket.create_connection(("sink", 9))
with open("web/big", "rb") as file:
    s.sendfile(file)
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode())
')
is "$got" "${wanted%% *}" "$mib MiB sent with sendfile() through our TCP have the right SHA-256"
finish
