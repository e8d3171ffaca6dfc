#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# As root: run --user and exec --user become somebody else, with what belongs to him and no more, and sockets work.
keep_root=1
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "only root can become somebody else"
[ "$(awk '{ print $3 }' /proc/self/uid_map)" -gt 70000 ] || skip_all "there are too few users here"
chmod 755 "$WORK"

as() { timeout $((30 * slow)) "$BERTH" run --net "$NET" "$@" 2>&1; }
group=$(id -gn nobody)
is "$(as -u nobody -- sh -c 'id -u; id -gn; id -Gn; echo $HOME' | paste -sd ' ')" "$(id -u nobody) $group $(id -Gn nobody) $(getent passwd nobody | cut -d: -f6)" \
	"--user NAME: its user, groups and HOME"
is "$(as -u nobody:daemon -- id -Gn)" daemon "--user NAME:GROUP"
is "$(as -u 1234:5678 -- id | sed 's/([^)]*)//g')" "uid=1234 gid=5678 groups=5678" "… and numbers that nobody has"
is "$(as -u nobody -- "$PYTHON" -c '
import os, socket
l = socket.create_server(("", 80)); c = socket.create_connection(("127.0.0.1", 80)); print(l.accept()[1][0])
try: os.setuid(0)
except OSError as e: print("no way back")' | paste -sd ' ')" "127.0.0.1 no way back" "its sockets work, also at port 80, and it does not become root again"
mkdir -m 700 closed
like "$(as -u nobody -w "$WORK/closed" -- true; echo $?)" "$WORK/closed.*Permission denied" "a directory that is not open to it"
OPTIONS=(-u nobody)
start host sleep 1000
OPTIONS=()
there() { "$BERTH" ps --net "$NET" 2>/dev/null | grep -q '^host '; }
until_true 10 there
is "$(timeout $((30 * slow)) "$BERTH" exec --net "$NET" -u daemon host id -un)" daemon "exec --user, on another's host"
is "$(timeout $((30 * slow)) "$BERTH" exec --net "$NET" host id -un)" root "… or as berth's own"
finish
