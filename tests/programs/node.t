#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: Node.js
# Needs: node
# Packages: nodejs
# Shows: http by a cluster of two, fetch, net by name, dgram, keep-alive agents, an error's code
. "$(dirname "$0")/lib.sh"

cat >node.js <<'END'
const cluster = require('cluster'), http = require('http'), net = require('net'), dgram = require('dgram'), dns = require('dns');
if (cluster.isPrimary) {
	cluster.fork(); cluster.fork();
	let up = 0;
	cluster.on('listening', async () => {
		if (++up < 2) return;
		const seen = new Set();
		for (let i = 0; i < 10; i++) seen.add(await (await fetch('http://localhost:3000/')).text());
		console.log('workers', seen.size);
		const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
		let bytes = 0;
		await Promise.all([...Array(20)].map(() => new Promise((done, bad) =>
			http.get({ host: 'web', path: '/big', agent }, (r) => { r.on('data', (d) => bytes += d.length); r.on('end', done); }).on('error', bad))));
		console.log('bytes', bytes);
		console.log('lookup', (await dns.promises.lookup('web', { all: true })).length, (await dns.promises.resolve4('web')).length);
		const u = dgram.createSocket('udp4');
		u.on('message', (m) => { console.log('udp', m.toString()); u.close(); });
		u.bind(0, () => u.send('hello', u.address().port, 'localhost'));
		const s = net.createServer((c) => c.pipe(c)).listen(0, () => {
			const e = net.connect(s.address().port);
			e.end('echoed'); e.on('data', (d) => console.log('net', d.toString()));
			const c = net.connect(s.address().port, 'web'); // nobody there
			c.on('error', (x) => { console.log('error', x.code); setTimeout(() => process.exit(0), 300); });
		});
	});
} else http.createServer((q, r) => r.setHeader('connection', 'close').end('worker ' + process.pid)).listen(3000);
END
start_web
said=$(on node node node.js 2>&1)
like "$said" "workers 2" "both workers of a cluster serve"
like "$said" "bytes 40000000" "20 downloads over 4 kept connections"
like "$said" "lookup 2 1" "names, by the resolver and by DNS"
like "$said" "udp hello" "dgram"
like "$said" "net echoed" "net"
like "$said" "error ECONNREFUSED" "an error's code"
finish
