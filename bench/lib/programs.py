# SPDX-License-Identifier: BSD-2-Clause
"""Programs under `berth run` beside the kernel's loopback.

Each has three servers: on 127.0.0.1, through Berth's TCP ("wire"), and past it
("express"). Their clients take turns, a second each, so that what else the
machine does falls on all alike.
"""
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

import table
from figures import LONGEST, Missing, in_rounds

WAYS = ("kernel", "wire", "express")
REDIS = "redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0 --port %(port)d --dir %(dir)s"
REDIS_CLIENT = "redis-benchmark -h %(host)s -p %(port)d -q --csv "
NGINX = "nginx -p %(dir)s -c %(dir)s/nginx.conf"
WRK = "wrk -t1 -c20 -d1 %(header)s http://%(host)s:%(port)d/"
UDP = "%(udp_echo)s "

NGINX_CONF = """daemon off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/errors; %(user)s
events { worker_connections 512; }
http {
	access_log off; keepalive_requests 10000000;
	client_body_temp_path %(dir)s; proxy_temp_path %(dir)s; fastcgi_temp_path %(dir)s;
	uwsgi_temp_path %(dir)s; scgi_temp_path %(dir)s;
	server { listen %(port)d; root %(dir)s; }
}
"""


def iperf3(text):
    return json.loads(text)["end"]["sum_received"]["bits_per_second"] / 1e9


def redis(text):
    return float(text.strip().splitlines()[-1].split(",")[1].strip('"'))


def wrk(text):
    return float(re.search(r"Requests/sec:\s*([\d.]+)", text).group(1))


# Server, client, what the client's output says, and the package that both come from.
PROGRAMS = {
    "iperf3": ("iperf3 -s -p %(port)d", "iperf3 -c %(host)s -p %(port)d -t 1 -J", iperf3, "iperf3"),
    "redis-get": (REDIS, REDIS_CLIENT + "-t get -n 40000", redis, "redis"),
    "redis-set": (REDIS, REDIS_CLIENT + "-t set -n 40000", redis, "redis"),
    "redis-pipe": (REDIS, REDIS_CLIENT + "-t get -n 500000 -P 16", redis, "redis"),
    "wrk": (NGINX, WRK, wrk, "nginx-light wrk"),
    "wrk-close": (NGINX, WRK, wrk, "nginx-light wrk"),
    "udp": (UDP + "%(port)d", UDP + "%(host)s %(port)d 1", float, None),
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A part's server in one of the ways, and how its client is run."""

    def __init__(self, bench, part, way, top):
        self.way, self.part = way, part
        self.values = {"port": free_port(), "host": "127.0.0.1" if way == "kernel" else "server", "header": "",
                       "dir": os.path.join(top, way), "user": "user root;" if os.geteuid() == 0 else "",
                       "udp_echo": shlex.quote(bench.program("bench/udp_echo"))}
        os.mkdir(self.values["dir"])
        if part == "wrk-close":
            self.values["header"] = "-H 'Connection: close'"
        self.prefix = []
        if way != "kernel":
            self.prefix = [bench.berth, "run", "--net", "bench%d%s" % (os.getpid(), way)]
            self.prefix += ["--express"] if way == "express" else []
        for name, text in (("nginx.conf", NGINX_CONF), ("index.html", "hello\n")):
            with open(os.path.join(self.values["dir"], name), "w", encoding="ascii") as file:
                file.write(text % self.values if "%" in text else text)
        self.process = subprocess.Popen(self.command(PROGRAMS[part][0], "server"), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()

    def command(self, text, name):
        prefix = self.prefix + (["--name", name, "--"] if self.prefix else [])
        return prefix + ["sh", "-c", "exec " + text % self.values]

    def wait(self):
        """Until it answers: UDP's client asks again by itself."""
        if self.part == "udp":
            return
        dial = "exec 3<>/dev/tcp/%(host)s/%(port)d" % self.values
        command = self.command("bash -c '%s'" % dial, "dial")
        for _ in range(100):
            if self.process.poll() is not None:
                break
            if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LONGEST).returncode == 0:
                return
            time.sleep(0.1)
        self.end()
        raise RuntimeError("%s does not come up (%s)" % (PROGRAMS[self.part][0].split()[0], self.way))

    def measure(self):
        done = subprocess.run(self.command(PROGRAMS[self.part][1], "client"), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LONGEST)
        try:
            return PROGRAMS[self.part][2](done.stdout)
        except (ValueError, KeyError, IndexError, AttributeError):
            raise RuntimeError("%s %s: the client says: %s" % (self.part, self.way, (done.stderr or done.stdout)[-300:]))

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def missing(part):
    for command in PROGRAMS[part][:2]:
        program = command.split()[0]
        if "%" not in program and not shutil.which(program):
            return "%s is not installed: apt-get install %s" % (program, PROGRAMS[part][3])
    return None


def run_program(bench, part, lines):
    with tempfile.TemporaryDirectory(prefix="berth-bench.") as top:
        servers = []
        try:
            for way in WAYS:
                servers.append(Server(bench, part, way, top))
            taken = in_rounds(bench, part, {server.way: server.measure for server in servers}, 3,
                              [line.id for line in lines])
        finally:
            for server in servers:
                server.end()
    for line in lines:
        way = line.id.rsplit("-", 1)[1]
        table.add(bench, "programs", line, {"berth": taken.get(way), "kernel": taken.get("kernel", [])})


def run(bench, lines):
    wanted = {}
    for line in lines:
        wanted.setdefault(line.id.rsplit("-", 1)[0], []).append(line)
    for part, chosen in wanted.items():
        lacks = missing(part)
        if lacks:
            bench.skip(part, lacks, [line.id for line in chosen])
            continue
        try:
            run_program(bench, part, chosen)
        except (RuntimeError, Missing, subprocess.TimeoutExpired) as why:
            bench.skip(part + ", berth", why, [line.id for line in chosen])
