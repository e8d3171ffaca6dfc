#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a capture holds: read block by block here, and by tshark where there is one.
. "$(dirname "$0")/lib.sh"
need curl

mkdir -p web
echo "captured page" >web/index.html
start_python_http web 80 "$WORK/web"
ok $? "a web server runs"

cat >read.py <<'END'
"""Sum up a pcapng file: interfaces, packets by direction, comments, HTTP seen."""
import struct, sys
data, at, names, out, comments, http = open(sys.argv[1], "rb").read(), 0, [], [0, 0, 0], set(), False
while at < len(data):
    kind, length = struct.unpack_from("<II", data, at)
    assert length % 4 == 0 and struct.unpack_from("<I", data, at + length - 4)[0] == length, "block"
    body = data[at + 8:at + length - 4]
    def options(skip):
        while skip + 4 <= len(body):
            code, size = struct.unpack_from("<HH", body, skip)
            if code == 0: return
            yield code, body[skip + 4:skip + 4 + size]
            skip += 4 + (size + 3) // 4 * 4
    if kind == 1:
        names.append(dict(options(8))[2].decode())
    if kind == 6:
        captured = struct.unpack_from("<I", body, 12)[0]
        http |= b"captured page" in body[20:20 + captured]
        given = dict(options(20 + (captured + 3) // 4 * 4))
        out[struct.unpack("<I", given[2])[0] & 3] += 1
        comments |= {v.decode() for c, v in options(20 + (captured + 3) // 4 * 4) if c == 1 and v[:8] != b"process:"}
    at += length
print(" ".join(sorted(names)), "in" if out[1] else "", "out" if out[2] else "", "http" if http else "", *sorted(comments))
END
# A capture that runs: its file has its first block when the daemon has begun.
begin() { # -w FILE …
	# Not by timeout(1): it signals twice, and SIGCONT as well, which the leak checker of sanitized builds does not survive.
	"$BERTH" capture --net "$NET" "$@" 2>capture.err &
	capture=$!
	until_true 20 test -s "$2"
}
end() { kill -INT "$capture"; wait "$capture"; }

begin -w all.pcapng
is "$(on client curl -sS http://web/)" "captured page" "a page is fetched meanwhile"
until_true 10 sh -c '"$PYTHON" read.py all.pcapng 2>/dev/null | grep -q http'
end
is "$?" 0 "berth capture ends well at Ctrl-C"
like "$(cat capture.err)" "^[0-9]+ packets captured, [0-9]+ seen$" "and says how many packets there were"
is "$("$PYTHON" read.py all.pcapng)" "client web in out http" "both hosts, both directions, and the page are in it"

begin -w web.pcapng -i web 'tcp port 80'
on client curl -sS http://web/ >out
until_true 10 sh -c '"$PYTHON" read.py web.pcapng 2>/dev/null | grep -q http'
end
is "$("$PYTHON" read.py web.pcapng)" "web in out http" "-i and a filter leave the rest out"

begin -w three.pcapng -c 3
on client curl -sS http://web/ >out
wait "$capture"
is "$?$(grep -c '^3 packets' capture.err)" 01 "-c 3 ends after three packets"

timeout 30 "$BERTH" link --net "$NET" set web out loss 100% >out
begin -w lost.pcapng
on client curl -sS --max-time 2 http://10.77.0.2/ >out 2>&1
end
like "$("$PYTHON" read.py lost.pcapng)" "dropped: loss \(cable of web: loss 100%\)" "dropped packets say why"
timeout 30 "$BERTH" link --net "$NET" reset >out

on lonely sh -c 'while [ ! -e go ]; do sleep 0.1; done; curl -sS --max-time 2 http://10.77.0.2/' >out 2>&1 &
lonely=$!
until_true 10 sh -c '"$BERTH" ps --net "$NET" | grep -q "^lonely "'
timeout 30 "$BERTH" partition --net "$NET" web ! lonely >out2
begin -w cut.pcapng
touch go
wait "$lonely"
end
like "$("$PYTHON" read.py cut.pcapng)" "dropped: cut \(from lonely to web: cut\)" "so do those between two hosts"

if command -v tshark >/dev/null 2>&1; then
	is "$(tshark -r all.pcapng -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE \
		-Y '_ws.malformed || tcp.checksum.status == 0 || udp.checksum.status == 0 || ip.checksum.status == 0' 2>/dev/null)" \
		"" "tshark finds nothing malformed, and every checksum right"
else
	skip "tshark reads it" "tshark is not installed"
fi

out=$(timeout 30 "$BERTH" capture --net "$NET" -i nobody -w x 2>&1)
is "$?/$out" "1/berth capture: no host 'nobody' on network '$NET' (berth ps lists them)" "a host that is not there"
timeout 30 "$BERTH" capture --net "$NET" -w x 'frob 1' 2>out
is "$?/$(wc -l <out)" 125/1 "a filter that makes no sense: one line, exit code 125"
timeout 30 "$BERTH" capture --net "$NET" -w /nonexistent/x 2>out
is "$?/$(cat out)" "1/berth capture: /nonexistent/x: No such file or directory" "a file that can't be made"
timeout 30 "$BERTH" capture --net "$NET" -c -1 -w x 2>out
is "$?" 125 "a count that is none"

# The network ends while a capture runs: so does the capture.
begin -w last.pcapng
stop "$started"
until_true 10 gone "$capture"
ok $? "when the network ends, so does a capture"
finish
