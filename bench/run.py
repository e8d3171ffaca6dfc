#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Programs under `berth run` beside the kernel's loopback, in one run.

usage: bench/run.py [--berth FILE] [--udp-echo FILE] [--rounds N] [--json FILE] [PART...]

Each part has three servers: on 127.0.0.1, through Berth's TCP ("wire"), and
past it ("express"). Their clients take turns, a second each, so that what else
the machine does falls on all alike; the ratio is that of a round, and the
median of the rounds' is shown beside its bar. Not a test: nothing fails for
being slow. A part whose program is not installed is left out, and says so.
"""
import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
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


# name: unit, server, client, what the client's output says, bars of wire and express (None: there is none)
PARTS = {
    "iperf3": ("Gbit/s", "iperf3 -s -p %(port)d", "iperf3 -c %(host)s -p %(port)d -t 1 -J", iperf3, 1.0, 2.5),
    "redis-get": ("1/s", REDIS, REDIS_CLIENT + "-t get -n 40000", redis, 0.9, 1.4),
    "redis-set": ("1/s", REDIS, REDIS_CLIENT + "-t set -n 40000", redis, 0.9, 1.4),
    "redis-pipe": ("1/s", REDIS, REDIS_CLIENT + "-t get -n 500000 -P 16", redis, 0.9, 1.4),
    "wrk": ("1/s", NGINX, WRK, wrk, 0.9, 1.3),
    "wrk-close": ("1/s", NGINX, WRK, wrk, 0.5, 0.8),
    "udp": ("1/s", UDP + "%(port)d", UDP + "%(host)s %(port)d 1", float, 0.4, 1.0),
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A part's server in one of the ways, and how its client is run."""

    def __init__(self, options, part, way, top):
        self.way, self.part = way, part
        self.values = {"port": free_port(), "host": "127.0.0.1" if way == "kernel" else "server", "header": "",
                       "dir": os.path.join(top, way), "user": "user root;" if os.geteuid() == 0 else "",
                       "udp_echo": options.udp_echo}
        os.mkdir(self.values["dir"])
        if part == "wrk-close":
            self.values["header"] = "-H 'Connection: close'"
        self.prefix = []
        if way != "kernel":
            self.prefix = [options.berth, "run", "--net", "bench%d%s" % (os.getpid(), way)]
            self.prefix += ["--express"] if way == "express" else []
        for name, text in (("nginx.conf", NGINX_CONF), ("index.html", "hello\n")):
            with open(os.path.join(self.values["dir"], name), "w", encoding="ascii") as file:
                file.write(text % self.values if "%" in text else text)
        self.process = subprocess.Popen(self.command(PARTS[part][1], "server"), stdin=subprocess.DEVNULL,
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
            if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)
        self.end()
        raise RuntimeError("%s does not come up (%s)" % (PARTS[self.part][1].split()[0], self.way))

    def measure(self):
        done = subprocess.run(self.command(PARTS[self.part][2], "client"), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        try:
            return PARTS[self.part][3](done.stdout)
        except (ValueError, KeyError, IndexError, AttributeError):
            raise RuntimeError("%s %s: the client says: %s" % (self.part, self.way, (done.stderr or done.stdout)[-300:]))

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run_part(options, part):
    rounds, servers = [], []
    with tempfile.TemporaryDirectory(prefix="berth-bench.") as top:
        try:
            for way in WAYS:
                servers.append(Server(options, part, way, top))
            for _ in range(options.rounds):
                rounds.append({server.way: server.measure() for server in servers})
        finally:
            for server in servers:
                server.end()
    figures = {way: statistics.median(one[way] for one in rounds) for way in WAYS}
    ratios = {way: statistics.median(one[way] / one["kernel"] for one in rounds) for way in WAYS[1:]}
    return {"unit": PARTS[part][0], "figures": figures, "ratios": ratios, "rounds": rounds,
            "bars": dict(zip(WAYS[1:], PARTS[part][4:]))}


def missing(part, options):
    """What the part needs and the machine does not have, or None."""
    for command in PARTS[part][1:3]:
        program = (command % {"udp_echo": options.udp_echo, "port": 0, "host": "", "dir": "", "header": ""}).split()[0]
        if not shutil.which(program):
            return program
    return None


def show(part, result):
    line = "%-11s %12.4g %-7s" % (part, result["figures"]["kernel"], result["unit"])
    for way in WAYS[1:]:
        bar = result["bars"][way]
        line += "%12.4g  %5.2f (%s)" % (result["figures"][way], result["ratios"][way], bar if bar else " - ")
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--berth", default=os.path.join(TOP, "build-release/src/cli/berth"))
    parser.add_argument("--udp-echo", default=os.path.join(TOP, "build-release/bench/udp_echo"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("parts", nargs="*", metavar="PART", help="of " + " ".join(PARTS))
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error("there is no part %s; there are %s" % (part, ", ".join(PARTS)))
    if options.rounds < 1:
        parser.error("--rounds has to be at least 1")
    if not os.access(options.berth, os.X_OK):
        parser.error("%s is not there: make build-release, or name one with --berth" % options.berth)
    results, failed = {}, False
    print("%-11s %12s %-7s%12s  ratio (bar) %11s  ratio (bar)" % ("", "kernel", "", "wire", "express"))
    for part in options.parts or PARTS:
        lacks = missing(part, options)
        if lacks:
            print("%-11s left out: %s is not installed" % (part, lacks))
            continue
        try:
            results[part] = run_part(options, part)
            show(part, results[part])
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print("%-11s failed: %s" % (part, error), flush=True)
            failed = True
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(results, file, indent=1)
    return failed


if __name__ == "__main__":
    sys.exit(main())
