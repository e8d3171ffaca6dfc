#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: Python
# Needs: python3
# Packages: python3
# Shows: asyncio (100 connections at once, UDP), http.server, socketserver, multiprocessing over TCP, selectors
# CI: yes, with sanitizers
. "$(dirname "$0")/lib.sh"

cat >all.py <<'END'
import asyncio, concurrent.futures, http.client, multiprocessing.managers, socket, socketserver, threading
from multiprocessing.connection import Client, Listener

async def streams():
    async def echo(reader, writer):
        writer.write(await reader.readline()); await writer.drain(); writer.close()
    server = await asyncio.start_server(echo, None, 7000)
    async def ask(i):
        reader, writer = await asyncio.open_connection("localhost", 7000)
        writer.write(b"%d\n" % i); answer = await reader.read(); writer.close()
        return int(answer)
    print("asyncio", sum(await asyncio.gather(*[ask(i) for i in range(100)])))
    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport): self.transport = transport
        def datagram_received(self, data, addr): self.transport.sendto(data.upper(), addr)
    class Answer(asyncio.DatagramProtocol):
        def datagram_received(self, data, addr): done.set_result(data)
    loop = asyncio.get_running_loop(); done = loop.create_future()
    await loop.create_datagram_endpoint(Datagrams, local_addr=("0.0.0.0", 7001))
    transport, _ = await loop.create_datagram_endpoint(Answer, remote_addr=("127.0.0.1", 7001))
    transport.sendto(b"datagram"); print("udp", (await asyncio.wait_for(done, 5)).decode())
    server.close()

class Count(socketserver.StreamRequestHandler):
    def handle(self): self.wfile.write(b"%d\n" % len(self.rfile.readline()))

def worker(address): # another process
    with Client(address, authkey=b"k") as c: c.send([1, 2, 3]); return c.recv()

asyncio.run(streams())
with socketserver.ForkingTCPServer(("", 7002), Count) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.create_connection(("localhost", 7002)) as s: s.sendall(b"x" * 1000 + b"\n"); print("socketserver", s.recv(100).decode().strip())
    server.shutdown()
with Listener(("localhost", 7003), authkey=b"k") as listener, concurrent.futures.ProcessPoolExecutor(2) as pool:
    said = pool.submit(worker, listener.address)
    with listener.accept() as c: c.send(sum(c.recv()))
    print("multiprocessing", said.result())
c = http.client.HTTPConnection("web"); total = 0
for _ in range(5): c.request("GET", "/big"); total += len(c.getresponse().read())
print("http", total)
END
start_web
said=$(on py "$PYTHON" all.py 2>&1)
like "$said" "asyncio 4950" "asyncio: 100 connections at once"
like "$said" "udp DATAGRAM" "asyncio: datagrams"
like "$said" "socketserver 1001" "socketserver, forking"
like "$said" "multiprocessing 6" "multiprocessing over TCP"
like "$said" "http 10000000" "http.client: five downloads over one connection"
finish
