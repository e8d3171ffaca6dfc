# SPDX-License-Identifier: BSD-2-Clause
"""The lines of the table: what is measured, beside whom, and the bar.

A bar is a ratio to a rival in the same run, where one is there to compare
with; absolute figures drift with the machine. `text` says it as it was set.
"""
from collections import namedtuple

# to: the rival that ratio is to; None: the figure itself.
Bar = namedtuple("Bar", "text to value")
# less: less is better. ways: rival to the measuring program's words. limit: a name of limits.py's, or None.
Line = namedtuple("Line", "id what unit less ways bar limit rounds seconds")


def line(id, what, unit, ways, bar=None, limit=None, less=False, rounds=5, seconds=0.2):
    return Line(id, what, unit, less, ways, bar, limit, rounds, seconds)


LIBBERTH = [
    line("bulk-checksums", "bulk TCP, MTU 1500, checksums made and verified", "Gbit/s",
         {"berth": "berth bulk checksums=1", "kernel": "kernel bulk", "lwip": "lwip bulk"},
         Bar("60 Gbit/s, 3.5 times the kernel", "kernel", 3.5), "copies and sums"),
    line("bulk-plain", "bulk TCP, MTU 1500, no checksums", "Gbit/s",
         {"berth": "berth bulk", "kernel": "kernel bulk"}, Bar("80 Gbit/s, 4.5 times the kernel", "kernel", 4.5), "copies"),
    line("bulk-superframes", "bulk TCP, 64 KiB superframes", "Gbit/s",
         {"berth": "berth bulk superframe=65280", "kernel": "kernel bulk"},
         Bar("150 Gbit/s, 8 times the kernel", "kernel", 8), "copies"),
    line("bulk-packets", "the same with the calls that don't copy", "Gbit/s",
         {"berth": "berth bulk-packets superframe=65280", "kernel": "kernel bulk"}, limit="headers of 64 KiB"),
    line("bulk-blocking", "bulk by blocking calls, beside calls that don't block", "Gbit/s",
         {"berth": "berth bulk-blocking superframe=65280", "calls that don't block": "berth bulk superframe=65280"},
         Bar("0.9 times our own raw speed", "calls that don't block", 0.9), "copies"),
    line("loss-1", "bulk TCP, MTU 1500, 1% lost both ways", "Gbit/s",
         {"berth": "berth bulk loss=1", "lwip": "lwip bulk loss=1"}, Bar("2 Gbit/s", None, 2), "copies", rounds=3),
    line("loss-0.1", "bulk TCP, MTU 1500, 0.1% lost both ways", "Gbit/s",
         {"berth": "berth bulk loss=0.1", "lwip": "lwip bulk loss=0.1"}, Bar("5 Gbit/s", None, 5), "copies", rounds=3),
    line("connects-fin", "connect, accept, close by FIN", "1/s",
         {"berth": "berth connects", "kernel": "kernel connects", "lwip": "lwip connects"},
         Bar("1,500,000/s, 92 times the kernel", "kernel", 92), "connection, 7 frames", rounds=3),
    line("connects-rst", "connect, accept, close by RST", "1/s",
         {"berth": "berth connects reset=1", "kernel": "kernel connects reset=1", "lwip": "lwip connects reset=1"},
         Bar("1,500,000/s, 40 times the kernel", "kernel", 40), "connection, 4 frames", rounds=3),
    line("connects-waiting", "by FIN, with 1,000,000 in TIME-WAIT", "1/s",
         {"berth": "berth connects time_waits=1000000", "few in TIME-WAIT": "berth connects",
          "lwip": "lwip connects time_waits=1"},
         Bar("0.8 times that with few", "few in TIME-WAIT", 0.8), "connection, 7 frames", rounds=3),
    line("echo-1", "1-byte echo, 1 connection", "us",
         {"berth": "berth echo", "kernel": "kernel echo", "lwip": "lwip echo"},
         Bar("0.27 us, 0.03 of the kernel", "kernel", 0.03), "echo", less=True),
    line("echo-10000", "1-byte echo, one of 10,000 at random", "us",
         {"berth": "berth echo connections=10000", "kernel": "kernel echo connections=9000",
          "lwip": "lwip echo connections=10000"},
         Bar("1 us, 0.11 of the kernel", "kernel", 0.11), "two misses", less=True, rounds=3),
    line("echo-1000000", "1-byte echo, one of 1,000,000 at random", "us",
         {"berth": "berth echo connections=1000000", "kernel": "kernel echo connections=9000"},
         Bar("2 us, 0.22 of the kernel", "kernel", 0.22), "two misses", less=True, rounds=3),
    line("echo-hosts", "1-byte echo between two of 1,000 hosts of a network", "us",
         {"berth": "net echo hosts=1000", "with 10 hosts": "net echo hosts=10"}, less=True, rounds=3, limit="echo"),
    line("cores-bulk", "bulk TCP, 64 KiB superframes, a stack on each of 2 cores", "Gbit/s",
         {"berth": "cores bulk cores=2 superframe=65280", "one core": "cores bulk cores=1 superframe=65280"},
         Bar("1.8 times one core", "one core", 1.8), rounds=3, limit="copies, two cores"),
    line("cores-echo", "1-byte echoes, a stack on each of 2 cores", "1/s",
         {"berth": "cores echoes cores=2", "one core": "cores echoes cores=1"}, Bar("1.8 times one core", "one core", 1.8), rounds=3, limit="echoes, two cores"),
    line("cores-connects", "connect, accept, close by FIN, a stack on each of 2 cores", "1/s",
         {"berth": "cores connects cores=2", "one core": "cores connects cores=1"},
         Bar("1.8 times one core", "one core", 1.8), rounds=3, limit="connections, two cores"),
    line("memory", "memory of an idle established endpoint", "bytes",
         {"berth": "berth memory connections=100000"}, Bar("512 bytes", None, 512), less=True, rounds=1),
    line("memory-10000000", "10,000,000 established endpoints, resident", "GiB",
         {"berth": "berth resident connections=5000000"}, Bar("6 GiB", None, 6), less=True, rounds=1),
    line("tick", "a loop's turn with 1,000,000 idle connections", "ns",
         {"berth": "berth tick connections=1000000", "with 1 connection": "berth tick connections=1"},
         Bar("as with one (1.2 times)", "with 1 connection", 1.2), "a hit", less=True, rounds=3),
]

# Programs: bars of the way through our TCP ("wire") and past it ("express"), as ratios to the kernel's loopback; limit.
PROGRAMS = [
    ("iperf3", "iperf3, one stream", "Gbit/s", 1.0, 2.5, "AF_UNIX bulk"),
    ("redis-get", "redis-benchmark GET", "1/s", 0.9, 1.4, "AF_UNIX exchange, 50"),
    ("redis-set", "redis-benchmark SET", "1/s", 0.9, 1.4, "AF_UNIX exchange, 50"),
    ("redis-pipe", "redis-benchmark GET -P 16", "1/s", 0.9, 1.4, "pipelined"),
    ("wrk", "wrk on nginx, keep-alive", "1/s", 0.9, 1.3, "AF_UNIX exchange, 20"),
    ("wrk-close", "wrk on nginx, a connection a request", "1/s", 0.5, 0.8, "visits"),
    ("udp", "UDP request and answer", "1/s", 0.4, 1.0, "AF_UNIX exchange, 1"),
]
EXPRESS_LIMITS = {"udp": "awake exchange"}  # where it is another

HOSTS = [
    line("start", "`berth run -- true` over plain exec, network up", "ms", {}, Bar("10 ms", None, 10), "a process", less=True),
    line("start-first", "the same, the network's first", "ms", {}, Bar("50 ms", None, 50), "a process", less=True),
    line("hosts-100", "100 hosts started", "s", {}, Bar("1 s", None, 1), "100 processes", less=True),
    line("host-memory", "memory a host, of 100", "MB", {}, Bar("5 MB", None, 5), less=True),
    line("hosts-1000", "1,000 hosts started", "s", {}, None, "1,000 processes", less=True),
    line("host-memory-1000", "memory a host, of 1,000", "MB", {}, Bar("5 MB", None, 5), less=True),
    line("hosts-1000-ended", "1,000 hosts ended together", "s", {}, None, less=True),
    line("idle-daemon", "processor time of an idle daemon, 100 hosts", "ms/s", {}, Bar("zero", None, 0), less=True),
    line("idle-supervisors", "processor time of 100 idle supervisors", "ms/s", {}, Bar("zero", None, 0), less=True),
]

# Berth's TCP at one end and Linux's at the other; up: to the kernel. Rivals: the same through other things.
OUTSIDE = [
    line("tap-up-1500-plain", "TAP, MTU 1500, no offloads, to the kernel", "Gbit/s", {}, Bar("3 Gbit/s", None, 3),
         "calls and copies, 1500"),
    line("tap-down-1500-plain", "TAP, MTU 1500, no offloads, from the kernel", "Gbit/s", {}, Bar("3 Gbit/s", None, 3),
         "calls and copies, 1500"),
    line("tap-up-1500", "TAP, MTU 1500, offloads, to the kernel", "Gbit/s", {}, Bar("15 Gbit/s", None, 15),
         "calls and copies, 65520"),
    line("tap-down-1500", "TAP, MTU 1500, offloads, from the kernel", "Gbit/s", {}, Bar("15 Gbit/s", None, 15),
         "calls and copies, 65520"),
    line("tap-up-65520", "TAP, MTU 65520, to the kernel", "Gbit/s", {}, Bar("15 Gbit/s", None, 15), "calls and copies, 65520"),
    line("tap-down-65520", "TAP, MTU 65520, from the kernel", "Gbit/s", {}, Bar("15 Gbit/s", None, 15), "calls and copies, 65520"),
    line("veth-up-plain", "veth, MTU 1500, no offloads, to the kernel", "Gbit/s", {}, Bar("3 Gbit/s", None, 3),
         "calls and copies, 1500"),
    line("veth-down-plain", "veth, MTU 1500, no offloads, from the kernel", "Gbit/s", {}, Bar("3 Gbit/s", None, 3),
         "calls and copies, 1500"),
    line("veth-up-offloads", "veth, MTU 1500, offloads, to the kernel", "Gbit/s", {}, Bar("15 Gbit/s", None, 15),
         "calls and copies, 65520"),
    line("veth-down-offloads", "veth, MTU 1500, offloads, from the kernel", "Gbit/s", {}, Bar("15 Gbit/s", None, 15),
         "calls and copies, 65520"),
    line("veth-up-xdp", "veth, MTU 1500, by AF_XDP, to the kernel", "Gbit/s", {}, Bar("3 Gbit/s", None, 3),
         "calls and copies, 1500"),
    line("veth-down-xdp", "veth, MTU 1500, by AF_XDP, from the kernel", "Gbit/s", {}, Bar("3 Gbit/s", None, 3),
         "calls and copies, 1500"),
]

LINKS = [
    line("link-delay", "emulated delay, lateness at p99 (worst of 1, 10, 100 ms)", "ms", {}, Bar("0.2 ms", None, 0.2), "lateness", less=True),
    line("link-loss", "emulated loss outside the 99% binomial interval, of 2", "cases", {}, Bar("none", None, 0), less=True),
    line("link-rate", "emulated rate off by (worst of 1, 10, 100 Mbit/s)", "%", {}, Bar("1%", None, 1), less=True),
    line("link-change", "a live change takes effect within", "ms", {}, Bar("5 ms", None, 5), "two wake-ups", less=True),
]


def program_lines():
    for id, what, unit, wire, express, limit in PROGRAMS:
        yield line(id + "-wire", what + ", through Berth's TCP", unit, {},
                   Bar("%g times the kernel" % wire, "kernel", wire), limit)
        yield line(id + "-express", what + ", express", unit, {},
                   Bar("%g times the kernel" % express, "kernel", express), EXPRESS_LIMITS.get(id, limit))


# By part, in the order in which they are run. Growth has curves, no lines.
PARTS = {"libberth": LIBBERTH, "programs": list(program_lines()), "hosts": HOSTS, "outside": OUTSIDE, "links": LINKS,
         "growth": []}
TITLES = {
    "libberth": "libberth, both ends in one thread on a cable of memory",
    "programs": "Programs under `berth run`, beside the same on the kernel's loopback",
    "hosts": "Hosts",
    "outside": "Linux's TCP at the other end of a device",
    "links": "Emulated links",
    "growth": "How it grows",
}
ALL = [(part, each) for part, lines in PARTS.items() for each in lines]


def chosen(words):
    """Parts with their lines, as asked for: a part's name, or a line's, or what it begins with."""
    if not words:
        return {part: list(lines) for part, lines in PARTS.items()}
    found = {}
    for word in words:
        hits = [(part, each) for part, each in ALL
                if part == word or each.id.startswith(word)]
        if word in PARTS:
            found.setdefault(word, [])
        elif not hits:
            raise ValueError("there is no part %s; there are %s, and every line by its name or its beginning: %s" %
                             (word, ", ".join(PARTS), ", ".join(each.id for _, each in ALL)))
        for part, each in hits:
            if each not in found.setdefault(part, []):
                found[part].append(each)
    return {part: found[part] for part in PARTS if part in found}
