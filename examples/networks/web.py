# SPDX-License-Identifier: BSD-2-Clause
"""A page that counts its visitors in a redis (DB), and a picture of 600,000 bytes."""
import http.server
import os
import socket


def redis(*words):
    """One command of redis' protocol, and its answer's first line."""
    with socket.create_connection((os.environ.get("DB", "db"), 6379)) as connection:
        text = "*%d\r\n" % len(words) + "".join("$%d\r\n%s\r\n" % (len(word), word) for word in words)
        connection.sendall(text.encode())
        return connection.makefile().readline().strip().lstrip(":+")


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/picture":
            body = b"\x00" * 600000
        else:
            body = ("<h1>You are visitor %s</h1>\n" % redis("INCR", "visitors")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("", 80), Site).serve_forever()
