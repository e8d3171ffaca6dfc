#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Recording, beyond a capture to a file: whose packets, pairs, files that follow
# each other, the ring, secrets, disks that are full and readers that are slow.
. "$(dirname "$0")/lib.sh"
need curl openssl

cat >read.py <<'END'
"""Sum up pcapng files, a line each: counts of blocks, and what is asked for."""
import collections, struct, sys
def blocks(data):
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and struct.unpack_from("<I", data, at + length - 4)[0] == length, "block"
        yield kind, data[at + 8:at + length - 4]
        at += length
def options(body, at):
    while at + 4 <= len(body):
        code, size = struct.unpack_from("<HH", body, at)
        if code == 0: return
        yield code, body[at + 4:at + 4 + size]
        at += 4 + (size + 3) // 4 * 4
def packet(body):
    interface, _, _, captured = struct.unpack_from("<IIII", body)
    return interface, body[20:20 + captured], list(options(body, 20 + (captured + 3) // 4 * 4))
what, names, processes, found, ids = sys.argv[1], [], [], collections.Counter(), collections.Counter()
for name in sys.argv[2:]:
    secrets = False
    for kind, body in blocks(open(name, "rb").read()):
        found[f"block {kind & 0xffffffff:x}"] += 1
        if kind == 0x0a0d0d0a: names, processes = [], []
        if kind == 1: names.append(dict(options(body, 8))[2].decode()); found["mac"] += len(dict(options(body, 8))[6]) == 6
        if kind == 0x80000001: processes.append((struct.unpack_from("<I", body)[0], dict(options(body, 4))[2].decode()))
        if kind == 10: secrets = True
        if kind == 5:
            values = {c: struct.unpack("<Q", v)[0] for c, v in options(body, 12)}
            found["received"] += values[4]; found["missed"] += values[5]; found["accepted"] += values.get(6, 0)
        if kind == 6:
            interface, bytes, given = packet(body)
            found[names[interface]] += 1
            found["frames"] += 1
            ids[dict(given)[5]] += 1
            found["before secrets"] += bytes[12:14] == b"\x08\x00" and bytes[23] == 6 and not secrets
            for code, value in given:
                if code == 1 and value.startswith(b"process: "):
                    pid, command = processes[struct.unpack("<I", dict(given)[0x8001])[0]]
                    assert value.decode().startswith(f"process: {command}[{pid}]"), value
                    found[f"{command} on {names[interface]}"] += 1
                if code == 4: found["dropcount"] += struct.unpack("<Q", value)[0]
                if code == 7: found["shot"] += value[:2] == b"\1\2"
found["twice"] = sum(n == 2 for n in ids.values())
print(found[what])
END
number() { "$PYTHON" read.py "$@"; }
capture() { timeout 60 "$BERTH" capture --net "$NET" "$@"; }
# A capture that runs: its file has its first block when the daemon has begun.
begin() { # -w FILE …
	# Not by timeout(1): it signals twice, and SIGCONT as well, which the leak checker of sanitized builds does not survive.
	"$BERTH" capture --net "$NET" "$@" 2>capture.err &
	capture=$!
	until_true 20 test -s "${first:-$2}"
}
end() { kill -INT "$capture"; wait "$capture"; }
seen() { [ "$(number "$@" 2>/dev/null || echo 0)" -gt 0 ]; }

mkdir -p web
echo "recorded page" >web/index.html
head -c 3000000 /dev/urandom >web/big
start_python_http web 80 "$WORK/web"

begin -w whose.pcapng
on client curl -sS http://web/ >out
on other curl -sS http://web/big >out
until_true 10 seen "curl on other" whose.pcapng
end
ok $(($(number "curl on client" whose.pcapng) < 5)) "packets say which process they are of: the client's"
ok $(($(number "python3 on web" whose.pcapng) < 5)) "… the server's"
is "$(number "block 1" whose.pcapng)/$(number mac whose.pcapng)" 3/3 "each host is an interface, with its address"
ok $(($(number twice whose.pcapng) * 2 < $(number frames whose.pcapng) / 2)) "a packet has the same number at both ends"
is "$(number received whose.pcapng)/$(number missed whose.pcapng)" "$(number frames whose.pcapng)/0" "the interfaces' figures are right"

start peer sh -c 'while [ ! -e go ]; do sleep 0.1; done; exec curl -sS http://web/'
until_true 10 sh -c '"$BERTH" ps --net "$NET" | grep -q "^peer "'
begin -w pair.pcapng -i web,peer
on other curl -sS http://web/ >out
touch go
until_true 10 seen "curl on peer" pair.pcapng
end
is "$(number other pair.pcapng)/$(number "curl on other" pair.pcapng)" 0/0 "-i A,B: nothing of others"
ok $(($(number web pair.pcapng) < 5)) "… and both of them"

first=turn0 begin -w turn -C 500k -W 3
on client curl -sS http://web/big >out
until_true 10 test -s turn2
end
is "$(echo turn*)" "turn0 turn1 turn2" "-C and -W: so many files, written again and again"
is "$(number "block a0d0d0a" turn0 turn1 turn2)/$(find . -name 'turn*' -size +520k | wc -l)" 3/0 "… of that size, each whole by itself"
capture -w hour-%H -G 3600 -c 1 2>err &
capture=$!
on client curl -sS http://web/ >out
wait "$capture"
is "$?/$(ls hour-?? | wc -l)" 0/1 "-G: FILE is for strftime"

timeout 30 "$BERTH" link --net "$NET" set web out loss 100% >out
begin -w lost.pcapng
on client curl -sS --max-time 1 http://10.77.0.2/ >out 2>&1
end
ok $(($(number shot lost.pcapng) < 1)) "dropped packets have a verdict"
timeout 30 "$BERTH" link --net "$NET" reset >out

capture --save -w none.pcapng 2>err
is "$?/$(cat err)" "1/berth capture: network '$NET' keeps no ring: berth capture --ring on begins one" "no ring, no saving"
capture --ring on --seconds 60 --size 2M
ok $? "a ring begins"
on client curl -sS http://web/ >out
capture --save -w ring.pcapng 2>err
is "$?/$(grep -c 'packets captured' err)" 0/1 "what it holds is saved after the fact"
ok $(($(number "curl on client" ring.pcapng) < 5)) "… with its processes"
on client curl -sS http://web/big >out
capture --save -i web -w web.pcapng 2>err
is "$(number client web.pcapng)/$(number "block a0d0d0a" web.pcapng)" 0/1 "… a host's only"
ok $(($(stat -c %s web.pcapng) > 2200000)) "… and never more than its size"
like "$("$BERTH" net inspect "$NET")" '"size": 2097152' "berth net inspect tells of it"
capture --ring on --seconds 1
forgotten() {
	capture --save -w old.pcapng 2>err
	[ "$(number "curl on client" old.pcapng)" = 0 ]
}
until_true 15 forgotten
ok $? "… nothing older than its seconds"
capture --ring off
capture --save -w none.pcapng 2>err
is $? 1 "it ends when it is told to"

(
	ulimit -f 64
	exec "$BERTH" capture --net "$NET" -w small.pcapng 2>full.err
) &
full=$!
until_true 10 test -s small.pcapng
on client curl -sS http://web/big >out
wait "$full"
is "$?/$(head -1 full.err)" "1/berth capture: small.pcapng: File too large; what was written until then can be read" "a full disk is told of"
ok $(($(number frames small.pcapng) < 10)) "… and leaves whole blocks"

mkfifo slow
timeout 60 "$BERTH" capture --net "$NET" -w - >slow 2>slow.err &
capture=$!
exec 9<slow
for _ in 1 2 3 4 5; do
	on client curl -sS http://web/big >out
done
is "$(stat -c %s out)" 3000000 "a reader that does not read slows nobody"
cat <&9 >slow.pcapng &
reader=$!
exec 9<&-
missed() {
	on client curl -sS http://web/ >out
	seen dropcount slow.pcapng
}
until_true 20 missed
end
wait "$reader"
ok $(($(number missed slow.pcapng) < 100)) "… and its file says how many packets it missed"
like "$(cat slow.err)" "[0-9]+ missed, because" "… as does berth capture"

openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=web >openssl.log 2>&1
start tls "$PYTHON" -u -c '
import http.server, ssl
server = http.server.HTTPServer(("", 443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()'
await_port tls 443
begin -w tls.pcapng --keylog keys.txt -i tls 'tcp port 443'
is "$(SSLKEYLOGFILE=$WORK/keys.txt on client curl -ksS https://tls/web/index.html)" "recorded page" "a page is fetched by TLS"
until_true 10 seen "block a" tls.pcapng
end
is "$(number "before secrets" tls.pcapng)" 0 "secrets stand before the packets that need them"
if command -v tshark >/dev/null 2>&1; then
	like "$(tshark -r tls.pcapng -Y http 2>/dev/null)" "GET /web/index.html" "tshark reads what was encrypted"
	like "$(tshark -r whose.pcapng -Y 'frame.comment contains "curl"' 2>/dev/null)" "HTTP" "… finds packets by process"
	is "$(tshark -r lost.pcapng -Y 'frame.verdict.ebpf_tc != 2' 2>/dev/null)" "" "… and by verdict"
	for file in whose.pcapng pair.pcapng turn? ring.pcapng web.pcapng small.pcapng slow.pcapng tls.pcapng; do
		tshark -r "$file" 2>&1 >/dev/null | grep -v 'Running as user' | sed "s/^/$file: /"
	done >complaints
	is "$(cat complaints)" "" "… and complains of no file"
else
	skip "tshark reads it all" "tshark is not installed"
fi

# As Wireshark calls it.
extcap() { timeout 30 "$BERTH" extcap "$@"; }
like "$(extcap --extcap-interfaces --extcap-version=4.0)" "^interface {value=berth\.$NET\.web}{display=Berth host web on network $NET}" "hosts are interfaces of Wireshark's"
like "$(extcap --extcap-interface "berth.$NET" --extcap-dlts)" "^dlt {number=1}{name=EN10MB}" "… with Ethernet"
like "$(extcap --extcap-interface "berth.$NET" --extcap-config)" "^arg {number=0}{call=--keylog}" "… and what can be set"
is "$(extcap --extcap-interface "berth.$NET" --extcap-capture-filter 'tcp port 80')" "" "… a filter is right"
like "$(extcap --extcap-interface "berth.$NET" --extcap-capture-filter 'frob 1')" "." "… or wrong"
mkfifo fifo
timeout 60 "$BERTH" extcap --capture --extcap-interface "berth.$NET.web" --fifo fifo --extcap-capture-filter 'tcp port 80' 2>err &
capture=$!
cat fifo >extcap.pcapng &
until_true 20 test -s extcap.pcapng
on client curl -sS http://web/ >out
until_true 10 seen web extcap.pcapng
kill -TERM "$capture"
wait "$capture"
is "$?/$(cat err)/$(number client extcap.pcapng)" "0//0" "it captures into a pipe, of one host, and says nothing"
extcap --extcap-interface "berth.$NET.n.n" --extcap-dlts 2>err
is $? 125 "an interface that none can be"
if command -v tshark >/dev/null 2>&1; then
	mkdir extcaps
	printf '#!/bin/sh\nexec "%s" extcap "$@"\n' "$BERTH" >extcaps/berth
	chmod 755 extcaps/berth
	export WIRESHARK_EXTCAP_DIR=$WORK/extcaps
	like "$(tshark -D 2>/dev/null)" "berth\.$NET \(Berth network $NET\)" "tshark finds networks"
	tshark -i "berth.$NET" -f 'tcp port 80' -c 4 -w wire.pcapng >/dev/null 2>tshark.err &
	capture=$!
	until_true 20 sh -c 'test -s wire.pcapng || grep -q "Capturing on" tshark.err'
	fetched() {
		on client curl -sS http://web/ >out
		gone "$capture"
	}
	until_true 20 fetched
	ok $(($(number frames wire.pcapng) < 4)) "… and captures there"
else
	skip "tshark finds networks" "tshark is not installed"
fi

capture -w - -C 1 >out 2>err
is $? 125 "-C needs a file"
capture -w x -W 3 2>err
is $? 125 "-W needs -C or -G"
capture -w x -C 1 -W 2 -G 3 2>err
is $? 125 "… and not both"
capture --ring perhaps 2>err
is "$?/$(head -1 err)" "125/berth capture: --ring: 'perhaps' makes no sense (see: berth capture --help)" "a ring is on or off"
capture --ring on --size 3 2>err
is $? 1 "a ring that is too small"
capture -i web,nobody -w x 2>err
is $? 1 "a peer that is not there"
finish
