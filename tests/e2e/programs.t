#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs of many kinds, each in a small scenario that looks at what came out.
. "$(dirname "$0")/lib.sh"

PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')
has() { command -v "$1" >/dev/null 2>&1; }

# Run the scenario NAME when its TOOLS are there: it says what it got.
with() { # "TOOL…" SENTENCE WANTED FUNCTION
	local tool
	for tool in $1; do
		has "$tool" || { skip "$2" "$tool is not installed"; return; }
	done
	"$4" >"$4.out" 2>&1
	like "$(cat "$4.out")" "$3" "$2"
}

mkdir files && echo "from the server" >files/index.html && head -c 2000000 /dev/urandom >files/big
sum=$(sha256sum <files/big)
start web "$PYTHON" -u -m http.server --bind :: --directory "$WORK/files" 80
await_port web 80

busybox_wget() { on w busybox wget -q -O - http://web/big | sha256sum; }
with busybox "busybox wget, which needs no library" "${sum%% *}" busybox_wget

ab_run() { on ab ab -q -n 200 -c 10 http://web/index.html | grep -E "^(Complete|Failed) requests"; }
with ab "ab: 200 requests by 10 at a time" "Complete requests: +200" ab_run

dig_run() { on dig dig +short +time=2 web; on dig dig +tcp +short +time=2 web AAAA; }
with dig "dig, over UDP and over TCP" "^10\." dig_run

php_run() { on php php -r 'echo strlen(file_get_contents("http://web/big"));'; }
with php "php's streams" "^2000000$" php_run

git_run() {
	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	git init -q repo && cp files/big repo && git -C repo add big && git -C repo commit -qm one &&
		git clone -q --bare repo files/repo.git && git -C files/repo.git update-server-info
	on git git clone -q http://web/repo.git cloned
	sha256sum <cloned/big
}
with git "git clone over HTTP" "${sum%% *}" git_run

socat_run() {
	start echo socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat
	start echo6 socat UDP6-RECVFROM:7,fork EXEC:cat
	await_port echo 7 && await_port echo6 7 UNCONN
	echo over tcp | on sc socat -t2 - TCP:echo:7
	echo over udp | on sc socat -t1 - UDP6:echo6:7
}
with socat "socat: a forking TCP server, UDP over IPv6" "over tcp" socat_run

memcached_run() {
	start cache memcached -p 11211 -U 11211
	await_port cache 11211
	on mc "$PYTHON" -c '
import socket
s = socket.create_connection(("cache", 11211)); f = s.makefile("rwb")
f.write(b"set k 0 0 5\r\nhello\r\n"); f.flush(); print(f.readline())
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(5); u.connect(("cache", 11211))
u.send(b"\0\1\0\0\0\1\0\0get k\r\n"); print(u.recv(1500)[8:])'
}
with memcached "memcached, set over TCP, get over UDP" "VALUE k 0 5.*hello" memcached_run

haproxy_run() {
	printf '%s\n' 'defaults' ' mode http' ' timeout connect 5s' ' timeout client 9s' ' timeout server 9s' \
		'resolvers r' ' parse-resolv-conf' 'frontend f' ' bind :8080' ' default_backend b' \
		'backend b' " server one web:80 check inter 200ms" >haproxy.cfg
	start proxy haproxy -db -f "$WORK/haproxy.cfg"
	await_port proxy 8080
	on hc curl -sS --noproxy '*' http://proxy:8080/big | sha256sum
}
with "haproxy curl" "haproxy before the web server, with checks" "${sum%% *}" haproxy_run

iperf_run() {
	start iperf iperf3 -s
	await_port iperf 5201
	on ic iperf3 -c iperf -t 1 -P 3 -R -J | "$PYTHON" -c 'import json, sys; print("reverse", json.load(sys.stdin)["end"]["sum_received"]["bytes"] > 1e7)'
	on ic iperf3 -c iperf -u -b 20M -t 1 -J | "$PYTHON" -c 'import json, sys; print("udp", json.load(sys.stdin)["end"]["sum"]["lost_percent"] < 5)'
}
with iperf3 "iperf3, three reverse streams, and UDP" "reverse True" iperf_run

nginx_run() {
	start_nginx ng 8000 "$WORK/files"
	local pid
	pid=$(cat nginx-ng/nginx.pid)
	(for i in $(seq 40); do echo "url = http://ng:8000/index.html"; done) >urls
	on nc curl -sS --noproxy '*' --rate 20/s -K urls >got 2>&1 &
	sleep 0.3; kill -HUP "$pid"; sleep 0.5; kill -HUP "$pid"
	wait $!
	sort got | uniq -c
}
with "nginx curl" "nginx, reloaded twice under requests" "40 from the server" nginx_run

# No login: nobody's account is locked. What answers is sshd's confined child, after a key exchange.
sshd_run() {
	mkdir -m 700 ssh && ssh-keygen -q -t ed25519 -N '' -f ssh/host
	printf '%s\n' "Port 2222" "HostKey $WORK/ssh/host" "StrictModes no" "PidFile none" "UsePAM no" >ssh/config
	start ssh "$(command -v sshd)" -D -e -f "$WORK/ssh/config"
	await_port ssh 2222
	on sc ssh -p 2222 -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=ssh/known -o BatchMode=yes someone@ssh true
	cut -d' ' -f2,3 ssh/known | sed "s|^|known |"
	cut -d' ' -f1,2 ssh/host.pub | grep -qFf - ssh/known && echo same key
}
with "sshd ssh ssh-keygen" "sshd and ssh: a key exchange, and a refusal" "same key" sshd_run

postgres_run() {
	initdb -D pg -A trust -U me --no-sync >/dev/null
	start pg postgres -D "$WORK/pg" -h '*' -k "$WORK" -c fsync=off
	await_port pg 5432
	echo "host all all all trust" >>pg/pg_hba.conf && on pgc "$(command -v psql)" -qh pg -U me postgres -c 'select pg_reload_conf()' >/dev/null 2>&1 ||
		kill -HUP "$(head -n 1 pg/postmaster.pid)"
	until_true 10 on pgc psql -qh pg -U me postgres -c 'select 1' >/dev/null 2>&1
	on pgc pgbench -qih pg -U me postgres >/dev/null 2>&1
	on pgb pgbench -h pg -U me -c 4 -t 50 postgres 2>&1 | grep -E "actually processed"
	on pgc psql -Ath pg -U me postgres -c 'select count(*) from pgbench_history'
}
with "initdb postgres psql pgbench" "PostgreSQL: pgbench's 200 transactions by 4 clients" "^200$" postgres_run

node_run() {
	cat >node.js <<'END'
const cluster = require('cluster'), http = require('http'), net = require('net'), dgram = require('dgram');
if (cluster.isPrimary) {
	cluster.fork(); cluster.fork();
	let up = 0;
	cluster.on('listening', async () => {
		if (++up < 2) return;
		const seen = new Set();
		for (let i = 0; i < 10; i++) seen.add(await (await fetch('http://localhost:3000/')).text());
		console.log('workers', seen.size);
		const u = dgram.createSocket('udp4');
		u.on('message', (m) => { console.log('udp', m.toString()); u.close(); });
		u.bind(0, () => u.send('hello', u.address().port, 'localhost'));
		const s = net.createServer((c) => c.pipe(c)).listen(0, () => {
			const c = net.connect(s.address().port, 'web'); // nobody there
			c.on('error', (e) => { console.log('net', e.code); process.exit(0); });
		});
	});
} else http.createServer((q, r) => r.setHeader('connection', 'close').end('worker ' + process.pid)).listen(3000);
END
	on node node node.js
}
with node "node: cluster, fetch, dgram, net" "net ECONNREFUSED" node_run

go_run() {
	mkdir go && cat >go/main.go <<'END'
package main

import ("fmt"; "io"; "net"; "net/http"; "time")

func main() {
	l, _ := net.Listen("tcp", ":8080")
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	r, err := http.Get("http://web/big")
	if err == nil { n, _ := io.Copy(io.Discard, r.Body); fmt.Println("got", n) } else { fmt.Println(err) }
	a, err := net.LookupHost("web")
	fmt.Println(len(a), err)
	c, _ := net.ListenPacket("udp", ":0")
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, _, err = c.ReadFrom(make([]byte, 10))
	fmt.Println(err.(net.Error).Timeout())
	i, err := net.Interfaces()
	fmt.Println("interfaces", len(i), err)
}
END
	(cd go && GOCACHE=$WORK/go/cache GOFLAGS=-mod=mod GO111MODULE=off CGO_ENABLED=0 go build -o "$WORK/gonet" main.go) && on go ./gonet
}
with go "a static Go program: HTTP, its own resolver, deadlines" "got 2000000" go_run

java_run() {
	cat >Net.java <<'END'
import com.sun.net.httpserver.*; import java.net.*; import java.net.http.*; import java.util.*;
public class Net { public static void main(String[] a) throws Exception {
	var s = HttpServer.create(new InetSocketAddress(8080), 0);
	s.createContext("/", x -> { x.sendResponseHeaders(200, 0); x.getResponseBody().write("own".getBytes()); x.close(); });
	s.start();
	var c = HttpClient.newHttpClient();
	for (var u : List.of("http://localhost:8080/", "http://web/index.html"))
		System.out.println(c.send(HttpRequest.newBuilder(URI.create(u)).build(), HttpResponse.BodyHandlers.ofString()).body());
	System.out.println(Collections.list(NetworkInterface.getNetworkInterfaces()).size());
	s.stop(0); System.exit(0);
} }
END
	on java java -XX:TieredStopAtLevel=1 -Xshare:auto Net.java
}
with java "Java: HttpServer and HttpClient" "from the server" java_run
finish
