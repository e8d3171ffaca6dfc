#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Another user, for whom somebody has opened the way to the sockets: he is not answered nevertheless. Needs root, to be two.
keep_root=1
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root, for a second user"
need setpriv

chmod 755 "$WORK"
start one sleep 1000
until_true 10 "$BERTH" inspect --net "$NET" one >/dev/null 2>&1
sockets=$XDG_RUNTIME_DIR/berth/$NET
chmod 777 "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/berth" "$sockets" "$sockets/api.sock" "$sockets/run.sock"
cat >ask.py <<'END'
import socket, sys
def ask(kind, path, what):
    s = socket.socket(socket.AF_UNIX, kind); s.settimeout(20); s.connect(path)
    try: s.send(what); return s.recv(1000)
    except (ConnectionResetError, BrokenPipeError): return b""
directory = sys.argv[1]
print(ask(socket.SOCK_STREAM, directory + "/api.sock", b"GET /v1/hosts HTTP/1.1\r\nHost: berth\r\nConnection: close\r\n\r\n")[:12].decode() or "nothing",
      "something" if ask(socket.SOCK_SEQPACKET, directory + "/run.sock", b"\1" + b"\0" * 111) else "nothing")
END
chmod 644 ask.py
as_nobody() { setpriv --reuid nobody --regid nogroup --clear-groups -- timeout 30 "$@"; }
like "$("$PYTHON" ask.py "$sockets")" "^HTTP/1.1 200" "its user is answered"
is "$(as_nobody "$PYTHON" ask.py "$sockets")" "nothing nothing" "another user is not, by neither socket"
like "$("$BERTH" ps --net "$NET")" "^one " "… and nothing has come of it"
finish
