# SPDX-License-Identifier: BSD-2-Clause
"""A service that says which generation it is. SIGTERM: it answers what has come, and ends."""
import http.server
import signal
import sys
import threading


class Generation(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (sys.argv[1] + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # the end waits for them


server = Server(("", 80), Generation)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(0.05)
server.socket.setblocking(False)
try:
    while True:  # who stands in the queue is served, too: closing would reset them
        server.process_request(*server.get_request())
except BlockingIOError:
    pass
server.server_close()
