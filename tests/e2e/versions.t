#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Command, supervisor and daemon of different versions tell each other, and the user, and nothing is broken by it.
. "$(dirname "$0")/lib.sh"

# A daemon of another day: it knows no version of ours, at either of its sockets.
cat >tomorrow.py <<'END2'
import os, selectors, socket, struct, sys
directory = sys.argv[1]
os.umask(0o077)
os.makedirs(directory)
loop, run, api = selectors.DefaultSelector(), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET), socket.socket(socket.AF_UNIX)
for listener, name in ((run, "run.sock"), (api, "api.sock")):
    listener.bind(os.path.join(directory, name))
    listener.listen()
    loop.register(listener, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in loop.select():
        s, _ = key.fileobj.accept()
        message = bytearray(s.recv(100000))
        if key.fileobj is run:
            struct.pack_into("ii", message, 24, -93, 77)  # result: EPROTONOSUPPORT; value: its own version
            struct.pack_into("I", message, 56, 0)  # no payload
            s.send(message[:len(message) if len(message) < 112 else 112])
        else:
            s.send(b"HTTP/1.1 200 OK\r\nBerth-Api: 77\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]")
        s.close()
END2
"$PYTHON" tomorrow.py "$XDG_RUNTIME_DIR/berth/$NET" >tomorrow.log 2>&1 &
tomorrow=$!
until_true 10 grep -q ready tomorrow.log
said=$(timeout 20 "$BERTH" run --net "$NET" -- true 2>&1)
is "$?" 125 "berth run does not go on with another version's daemon"
like "$said" "another version of berth \(its protocol is 77, this one's [0-9]+\).*--net" "and says which, and what to do"
for command in ps ss links; do
	[ $command = links ] && set -- link show || set -- $command
	said=$(timeout 20 "$BERTH" "$@" --net "$NET" 2>&1)
	like "$? $said" "^1 berth [a-z]+: network '$NET' is run by another version of berth" "berth $* says so, too"
done
like "$(timeout 20 "$BERTH" events --net "$NET" 2>&1)" "another version" "and berth events, which reads a stream"
like "$(PYTHONPATH=$(dirname "$0")/../../clients/python timeout 20 "$PYTHON" -c "import berth; berth.Network('$NET').hosts()" 2>&1)" \
	"another version of berth: its API is 77, not 1" "and the Python client"
kill "$tomorrow"
wait "$tomorrow" 2>/dev/null
rm -r "$XDG_RUNTIME_DIR/berth/$NET"

# Ours, and a supervisor of yesterday, whose HELLO is shorter; and one that says nothing at all.
"$BERTH" run --net "$NET" --name here -- sleep 60 &
until_true 20 sh -c "'$BERTH' ps --net '$NET' 2>/dev/null | grep -q here"
cat >yesterday.py <<'END2'
import socket, struct, sys
def hello(payload):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    s.connect(sys.argv[1])
    message = bytearray(112)
    struct.pack_into("I", message, 0, 1)
    struct.pack_into("I", message, 56, len(payload))
    s.send(bytes(message) + payload)
    answer = s.recv(100000)
    return struct.unpack_from("ii", answer, 24) if answer else "closed"
print(hello(struct.pack("I", 1)), hello(b""))
END2
like "$(timeout 20 "$PYTHON" yesterday.py "$XDG_RUNTIME_DIR/berth/$NET/run.sock" 2>&1)" "^\(-93, [0-9]+\) closed$" \
	"our daemon tells an older supervisor its version, and hangs up on one that says none"
is "$(timeout 20 "$BERTH" ps --net "$NET" | grep -c here)" 1 "and goes on"
"$BERTH" stop --net "$NET" here >/dev/null
wait
finish
