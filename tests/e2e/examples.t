#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The examples on real devices, with real programs opposite: curl fetches from
# the HTTP server on the stack, over TAP and veth; the client fetches from a
# server of the kernel's; a tunnel takes curl's connections to addresses that
# do not exist through a SOCKS5 proxy. In a network namespace of its own.
keep_root=1
. "$(dirname "$0")/lib.sh"

examples=${BUILD:-$lib_top/build}/examples
own_network curl
[ -e /dev/net/tun ] || skip_all "no /dev/net/tun here"

run_example() { # LOG WORDS-WHEN-READY EXAMPLE ARGUMENT…
	local log=$1 ready=$2 example=$3
	shift 3
	"$examples/$example" "$@" >"$log" 2>&1 &
	started+=("$!")
	until_true 20 grep -q "$ready" "$log" || show "$example" "$(cat "$log")"
}

sum() { sha256sum | cut -d ' ' -f 1; }

mkdir files
echo "a small file" >files/small.txt
head -c $((20000000 / slow)) /dev/urandom >files/large
: >files/empty.txt
large=$(sum <files/large)

run_example httpd.log "http at" httpd tap:exttap0 10.70.0.2/24 80 files
ip addr add 10.70.0.1/24 dev exttap0
is "$(curl -sS -m 20 http://10.70.0.2/small.txt)" "a small file" "curl fetches a file from the server on the stack, over TAP"
is "$(curl -sS -m 100 http://10.70.0.2/large | sum)" "$large" "… a large one comes whole"
is "$(curl -sS -m 20 http://10.70.0.2/empty.txt | wc -c)" 0 "… and an empty one"
is "$(curl -sS -m 20 -o /dev/null -w '%{http_code}' http://10.70.0.2/../httpd.log --path-as-is)" 404 "no path leads out of the directory"
is "$(curl -sS -m 20 -o /dev/null -w '%{http_code}' -X POST -d x http://10.70.0.2/small.txt)" 405 "what it does not do it says"
is "$(curl -sS -m 20 -I http://10.70.0.2/large | tr -d '\r' | sed -n 's/^Content-Length: //p')" "$(wc -c <files/large)" \
	"HEAD says how much there would be"
is "$(curl -sS -m 20 -o /dev/null -w '%{num_connects} ' -o /dev/null 'http://10.70.0.2/small.txt?[1-50]' | tr -s ' ' '\n' | awk '{ n += $1 } END { print n }')" \
	1 "50 requests need one connection"
is "$(curl -sS -m 60 -Z --parallel-max 50 'http://10.70.0.2/small.txt?[1-200]' 2>&1 | grep -c "a small file")" 200 \
	"200 requests, 50 at a time"
stop "${started[-1]}"

ip link add extv0 type veth peer name extv1
ip addr add 10.71.0.1/24 dev extv0
ip link set extv0 up
ip link set extv1 up
run_example httpd2.log "http at" httpd packet:extv1 10.71.0.2/24 80 files
is "$(curl -sS -m 100 http://10.71.0.2/large | sum)" "$large" "the same over a veth, by AF_PACKET"
stop "${started[-1]}"

run_example echo.log "listening" echo packet:extv1 10.71.0.3/24 7
is "$(timeout 20 "$PYTHON" -c 'import socket
s = socket.create_connection(("10.71.0.3", 7), timeout=10)
s.sendall(b"there and back")
s.shutdown(socket.SHUT_WR)
print(s.makefile("rb").read().decode())')" "there and back" "the echo server gives back what it gets, and the end"
stop "${started[-1]}"

"$PYTHON" -u -m http.server --directory files --bind 10.71.0.1 8000 >server.log 2>&1 &
started+=("$!")
until_true 20 curl -s -o /dev/null http://10.71.0.1:8000/
is "$(timeout 60 "$examples/get" packet:extv1 10.71.0.4/24 10.71.0.1 8000 /large 2>get.log | sum)" "$large" \
	"the client on the stack fetches from a server of the kernel's"
is "$(cat get.log)" "HTTP/1.0 200 OK" "… and says how it went"

# A SOCKS5 proxy that takes everything to the server above and writes down whom it was asked for.
cat >proxy.py <<'END'
import socket, struct, threading
server = socket.create_server(("127.0.0.1", 1080))
print("ready", flush=True)
def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
def serve(c):
    f = c.makefile("rb", 0)
    f.read(3)
    c.sendall(b"\5\0")
    kind = f.read(4)[3]
    address = socket.inet_ntop(socket.AF_INET6 if kind == 4 else socket.AF_INET, f.read(16 if kind == 4 else 4))
    port = struct.unpack(">H", f.read(2))[0]
    print("asked for", address, port, flush=True)
    if port == 81:
        c.sendall(b"\5\5\0\1" + bytes(6))
        return
    s = socket.create_connection(("10.71.0.1", 8000))
    c.sendall(b"\5\0\0\1" + bytes(6))
    threading.Thread(target=pump, args=(s, c), daemon=True).start()
    pump(c, s)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
END
"$PYTHON" proxy.py >proxy.log 2>&1 &
started+=("$!")
until_true 20 grep -q ready proxy.log
run_example tunnel.log "is open" tunnel tap:exttap1 10.72.0.2/24 127.0.0.1:1080
ip addr add 10.72.0.1/24 dev exttap1
ip route add 192.0.2.0/24 via 10.72.0.2
is "$(curl -sS -m 20 http://192.0.2.7/small.txt)" "a small file" "the tunnel takes a connection to any address to the proxy"
is "$(curl -sS -m 100 http://192.0.2.8:4711/large | sum)" "$large" "… and to any port, with everything that is said"
is "$(sed -n '/^asked/p' proxy.log)" "asked for 192.0.2.7 80
asked for 192.0.2.8 4711" "the proxy is told who was meant"
# By the time that the client looks, the reset may have overtaken the news that it is connected: either call may say so.
is "$("$PYTHON" -c '
import socket
try:
    print(socket.create_connection(("192.0.2.9", 81), 20).recv(1))
except OSError as e:
    print(type(e).__name__)')" "ConnectionResetError" "what the proxy refuses is reset"
finish
