#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: web.py PORT DIRECTORY: its files, over IPv4 and IPv6; what is posted is answered with its hash."""
import functools
import hashlib
import http.server
import socket
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = hashlib.sha256(body).hexdigest().encode() + b"\n"
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PUT = do_POST


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128


Server(("::", int(sys.argv[1])), functools.partial(Handler, directory=sys.argv[2])).serve_forever()
