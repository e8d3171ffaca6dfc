# SPDX-License-Identifier: BSD-2-Clause
"""How cost grows: with a message's size, connections, hosts, loss and delay. Curves, no bars."""
import os
import resource
import subprocess
import time

import hosts
import machine
import outside
from figures import LONGEST, Missing, at_most, in_rounds, short, summary

# An endpoint with what malloc adds; two a connection. Told by what is free whether so many are tried.
A_CONNECTION = 1500
SIZES = [1, 10, 100, 1000, 10000, 100000, 1000000]
CROWDS = [1, 10, 100, 1000, 10000, 100000, 1000000, 10000000]
HOSTS = [2, 10, 100, 300, 1000]
STARTED = [1, 10, 30, 100, 300, 1000]
LOSSES = [0, 0.01, 0.1, 0.3, 1, 3]
DELAYS = [0.1, 1, 3, 10, 30, 100]


def curve(bench, id, title, x, y, ways, points, rounds=3, **options):
    """ways: a series' name to a function of a point, which returns a figure, or None: no further."""
    found = {name: [] for name in ways}
    for point in points:
        here = {name: (lambda way=way: way(point)) for name, way in ways.items() if name in found}
        print("  %-34s %-12s" % (title, short(point)), end="", flush=True)
        taken = in_rounds(bench, "%s, %s" % (title, short(point)), {
            name: way for name, way in here.items() if reaches(ways[name], point)}, rounds)
        for name, figures in taken.items():
            if figures:
                found[name].append([point, summary(figures)["median"]])
                print("  %s %s" % (name, short(found[name][-1][1])), end="")
        print(flush=True)
    bench.curves.append({"id": id, "title": title, "x": x, "y": y, "series": {k: v for k, v in found.items() if v}, **options})


def reaches(way, point):
    return point <= getattr(way, "most", float("inf"))


def way(bench, words, seconds, most=float("inf")):
    def measure(point):
        return bench.measure(words % {"point": point}, seconds)
    measure.most = most
    return measure


def sizes(bench):
    curve(bench, "message-size", "A message's cost by its size", "bytes", "microseconds, one way", {
        "Berth, superframes": way(bench, "berth message superframe=65280 size=%(point)d", 0.05),
        "Berth, MTU 1500": way(bench, "berth message checksums=1 size=%(point)d", 0.05),
        "kernel, loopback": way(bench, "kernel message size=%(point)d", 0.05),
        "kernel, AF_UNIX": way(bench, "kernel message local=1 size=%(point)d", 0.05),
        "lwIP, MTU 1500": way(bench, "lwip message size=%(point)d", 0.05),
    }, SIZES)


def connections(bench):
    most = 10000 if bench.quick else machine.available_bytes() // A_CONNECTION
    if not bench.quick and most < CROWDS[-1]:
        bench.skip("more than %d connections" % max(each for each in CROWDS if each <= most),
                   "%.0f GiB of memory have to be free for 10,000,000" % (CROWDS[-1] * A_CONNECTION / 2**30))
    ways = {"Berth": way(bench, "berth echo connections=%(point)d", 0.2, most),
            "kernel, loopback": way(bench, "kernel echo connections=%(point)d", 0.2, descriptors() // 2 - 100),
            "lwIP": way(bench, "lwip echo connections=%(point)d", 0.2, 10000)}
    curve(bench, "connections-turn", "A loop's turn, nothing due", "idle connections", "nanoseconds",
          {"Berth": way(bench, "berth tick connections=%(point)d", 0.1, most)}, [each for each in CROWDS if each <= min(most, 10**6)],
          rounds=1, log_y=False)
    curve(bench, "connections", "1-byte echo, one of many at random", "connections", "microseconds, round trip", ways,
          [each for each in CROWDS if each <= most], rounds=1)


def descriptors():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def many_hosts(bench):
    curve(bench, "hosts-echo", "1-byte echo between two of many hosts", "hosts", "microseconds, round trip",
          {"Berth": way(bench, "net echo hosts=%(point)d", 0.2)}, HOSTS)
    curve(bench, "hosts-memory", "Memory of a host of the library's", "hosts", "bytes a host",
          {"Berth": way(bench, "net memory hosts=%(point)d", None)}, HOSTS, rounds=1, log_y=False)
    started, held, ended = [], [], []
    for count in STARTED[:2] if bench.quick else STARTED:
        if bench.over():
            bench.skip("%d hosts started" % count, "the %d s for all of it were over" % bench.seconds)
            break
        try:
            with at_most(LONGEST, "%d hosts" % count):
                seconds, each, _, end = hosts.MANY.get(count) or hosts.measure_many(bench, count, quiet=False)
        except (RuntimeError, OSError, subprocess.SubprocessError) as why:
            bench.skip("%d hosts started, berth" % count, why)
            break
        print("  %-34s %-12d  %.3f s, %.2f MB each, ended in %.3f s" % ("hosts started", count, seconds, each / 1e6, end), flush=True)
        started.append([count, seconds])
        held.append([count, each / 1e6])
        ended.append([count, end])
    bench.curves.append({"id": "hosts-started", "title": "Hosts started by `berth run -d` and ended", "x": "hosts", "y": "seconds",
                         "series": {"started": started, "ended": ended}})
    bench.curves.append({"id": "hosts-held", "title": "Memory of a host under `berth run`", "x": "hosts", "y": "MB a host",
                         "series": {"Berth": held}, "log_y": False})


def netem(bench, loss):
    """The kernel's TCP over a veth whose two ends have netem, without offloads; or Missing, where it can't be had."""
    if os.geteuid() != 0:
        raise Missing("namespaces are for root")

    def measure(point):
        world = outside.World(bench)
        try:
            outside.make_veth(world)
            outside.offloads(world, False)
            for space in ("home", "other"):
                world.do(space, "tc qdisc add dev veth0 root netem limit 1000000 delay %gms%s" % (point, loss))
            world.serve("home")
            time.sleep(0.2)
            return world.kernel("other", "up", "10.99.0.1")
        finally:
            world.close()

    measure(1)  # whether it can be done at all
    return measure


def conditions(bench):
    curve(bench, "loss", "Goodput by loss, both ways, MTU 1500, no delay", "percent lost", "Gbit/s", {
        "Berth": way(bench, "berth bulk loss=%(point)g", 0.25),
        "lwIP": way(bench, "lwip bulk loss=%(point)g", 0.25),
    }, LOSSES[1:])
    kernel = {}
    try:
        kernel["kernel, no loss"], kernel["kernel, 0.01% lost"] = (netem(bench, loss) for loss in ("", " loss 0.01%"))
    except (Missing, RuntimeError) as why:
        bench.skip("the kernel's goodput by delay", why)
    curve(bench, "delay", "Goodput by delay, MTU 1500", "milliseconds, one way", "Gbit/s", {
        "Berth, no loss": way(bench, "net goodput warm=1 delay=%(point)g", 0.5),
        "Berth, 0.01% lost": way(bench, "net goodput warm=1 delay=%(point)g loss=0.01", 0.5), **kernel,
    }, DELAYS, rounds=1)


def run(bench, lines):
    parts = (sizes, conditions, many_hosts, connections)  # ten million last: if time ends, it ends there
    end = bench.share
    for number, part in enumerate(parts):  # each its part of what is left
        now = time.monotonic() - bench.begun
        bench.share = now + (end - now) / (len(parts) - number)
        part(bench)
