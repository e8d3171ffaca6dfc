# SPDX-License-Identifier: BSD-2-Clause
"""Berth from Python: run programs on a network, bend it, look at it.

Standard library only. Looking and changing go through the control API
(docs/openapi.yaml); programs are started by the berth command, found as
$BERTH or on PATH.

    with berth.Network() as net:
        web = net.run("python3", "-m", "http.server", "80", name="web", background=True)
        net.await_port("web", 80)
        net.link("web", delay="40ms", loss="1%")
        print(net.run("curl", "-s", "http://web/").stdout)

For pytest, in conftest.py:  from berth import berth_network
"""

import contextlib
import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import time

__all__ = ["Error", "Network", "berth_network"]


API_VERSION = "1"  # Berth-Api in every answer: it goes up when a client of before would misunderstand


class Error(Exception):
    """What Berth refused, in its own words."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("berth", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


_numbers = itertools.count(1)


class Network:
    """A network, by name; without one, a name of its own. It runs while programs are on it."""

    def __init__(self, name=None, program=None):
        self.name = name or f"py-{os.getpid()}-{next(_numbers)}"
        self.program = program or os.environ.get("BERTH") or shutil.which("berth")
        if not self.program:
            raise Error("there is no berth command: set BERTH, or put it on PATH")
        self._children = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End every program that was started here, and wait for it."""
        for child in self._children:
            if child.poll() is None:
                child.terminate()
        for child in self._children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            for stream in (child.stdout, child.stderr, child.stdin):
                if stream:
                    stream.close()
        self._children.clear()

    def run(self, *command, name=None, options=(), background=False, check=True, timeout=60, **popen):
        """Run a program on a host of its own; options are berth run's.

        In the background: returns a subprocess.Popen, which close() ends. Else waits, and returns
        a subprocess.CompletedProcess with text output; check raises Error when it fails.
        """
        words = [self.program, "run", "--net", self.name, *(["--name", name] if name else []), *options, "--", *command]
        if background:
            child = subprocess.Popen(words, **{"stdin": subprocess.DEVNULL, **popen})
            self._children.append(child)
            return child
        done = subprocess.run(words, timeout=timeout, **{"capture_output": True, "text": True, **popen})
        if check and done.returncode:
            raise Error(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr or ''}")
        return done

    # Looking

    def hosts(self):
        return self._get("/v1/hosts")

    def sockets(self, host=None):
        return [s for s in self._get("/v1/sockets") if host in (None, s["host"])]

    def links(self):
        return self._get("/v1/links")

    def counters(self):
        """{host: {event: count}}"""
        return {entry["host"]: entry["events"] for entry in self._get("/v1/counters")}

    def metrics(self):
        """OpenMetrics text."""
        return self._ask("GET", "/metrics").decode()

    def events(self, follow=False, host=None, kinds=None):
        """The journal's entries, as dicts; with follow, those that come as well, until the network ends."""
        arguments = [f"{key}={value}" for key, value in (("follow", follow and 1), ("host", host), ("kinds", kinds)) if value]
        with contextlib.closing(self._connect(None if follow else 30)) as connection:
            connection.request("GET", "/v1/events?" + "&".join(arguments))
            answer = connection.getresponse()
            self._check(answer)
            if answer.status != 200:
                raise Error(json.loads(answer.read())["error"])
            for line in answer:
                yield json.loads(line)

    def capture(self, path, host=None):
        """Record packets into path (pcapng) until the returned function is called."""
        words = [self.program, "capture", "--net", self.name, "-w", str(path), *(["-i", host] if host else [])]
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while child.poll() is None and time.monotonic() < deadline and not (os.path.exists(path) and os.path.getsize(path)):
            time.sleep(0.01)  # its section header is there: it records

        def stop():
            child.terminate()
            child.wait(10)

        return stop

    def await_port(self, host, port, timeout=15):
        """Wait until somebody listens at host's port (or has a UDP socket there)."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(Error):
                for s in self.sockets(host):
                    if s["local"]["port"] == port and s["state"] in ("LISTEN", "UNCONN"):
                        return
            time.sleep(0.02)
        raise Error(f"nobody listens at port {port} of {host} after {timeout} s")

    # Changing

    def link(self, host, peer=None, direction="both", conditions="", **more):
        """Set conditions of host's cable, or of what goes to peer: link("web", delay="40ms 5ms", loss="1%")."""
        words = conditions.split() + [word for key, value in more.items() for word in (key, *str(value).split())]
        self._change([{"hosts": [host] + ([peer] if peer else []), "direction": direction, "words": words}])

    def reset_links(self, *hosts):
        self._change([{"hosts": list(hosts), "reset": True}])

    def partition(self, left, right, oneway=False):
        """Cut what goes between any of left and any of right (names)."""
        self._change([
            {"hosts": [a, b], "direction": "out" if oneway else "both", "words": ["cut"]} for a in left for b in right
        ])

    def heal(self):
        """Mend everything that is cut."""
        changes = []
        for link in self.links():
            if "cut" in link["conditions"].split():
                ends = [link["from"], link["to"]]
                hosts = [end for end in ends if end]
                changes.append({"hosts": hosts, "direction": "out" if link["from"] else "in", "words": ["mend"]})
        if changes:
            self._change(changes)

    def pause(self, host):
        self._put(f"/v1/programs/{host}/pause", {"paused": True})

    def resume(self, host):
        self._put(f"/v1/programs/{host}/pause", {"paused": False})

    def reset_connections(self, host=None, peer=None, port=None):
        """Reset conversations; returns how many ends were."""
        body = {key: value for key, value in (("host", host), ("peer", peer), ("port", port)) if value}
        return self._put("/v1/reset", body)["ends"]

    # Inside

    def _change(self, changes):
        self._put("/v1/links", {"changes": changes})

    def _path(self):
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        root = os.path.join(runtime, "berth") if runtime else f"/tmp/berth-{os.getuid()}"
        return os.path.join(root, self.name, "api.sock")

    def _connect(self, timeout):
        return _Connection(self._path(), timeout)

    def _check(self, answer):
        version = answer.getheader("Berth-Api")
        if version != API_VERSION:
            raise Error(f"network '{self.name}' is run by another version of berth: its API is {version}, not {API_VERSION}")

    def _ask(self, method, path, body=None):
        with contextlib.closing(self._connect(30)) as connection:
            try:
                connection.request(method, path, body)
                answer = connection.getresponse()
                text = answer.read()
            except OSError as error:
                raise Error(f"network '{self.name}' is not running ({error.strerror or error})") from None
        self._check(answer)
        if answer.status != 200:
            raise Error(json.loads(text)["error"])
        return text

    def _get(self, path):
        return json.loads(self._ask("GET", path))

    def _put(self, path, body):
        return json.loads(self._ask("PUT", path, json.dumps(body)))


def berth_network():
    """A pytest fixture: a network of the test's own, ended with the test."""
    with Network() as network:
        yield network


with contextlib.suppress(ImportError):
    import pytest

    berth_network = pytest.fixture(berth_network)
