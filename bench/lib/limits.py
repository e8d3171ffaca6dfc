# SPDX-License-Identifier: BSD-2-Clause
"""The physical limit: what memory copies, sums, system calls and wake-ups alone would cost, measured in the same run."""
from figures import in_rounds, summary

# Name, what it is, unit, the measuring program's words.
MEASURES = [
    ("copy", "memcpy, 64 KiB pieces in L2", "GB/s", "limits copy"),
    ("copy_1448", "memcpy, 1,448-byte pieces", "GB/s", "limits copy size=1448"),
    ("copy_memory", "memcpy, in memory", "GB/s", "limits copy span=268435456"),
    ("copy_64", "memcpy, 64-byte pieces", "GB/s", "limits copy size=64"),
    ("sum", "ones'-complement sum, 64 KiB in L2", "GB/s", "limits sum"),
    ("sum_1448", "ones'-complement sum, 1,448-byte pieces", "GB/s", "limits sum size=1448"),
    ("call", "system call (getppid)", "ns", "limits call"),
    ("wake", "wake-up round trip, one core", "us", "limits wake"),
    ("wake_cores", "wake-up round trip across cores", "us", "limits wake cores=2"),
    ("spin", "round trip through shared memory, spinning", "us", "limits spin"),
    ("hit", "cache hit", "ns", "limits miss span=16384"),
    ("miss", "cache miss, random in 1 GiB", "ns", "limits miss"),
    ("late", "lateness of who sleeps for 1 ms, p99", "ms", "limits late"),
    ("start", "process started and ended", "ms", "limits start"),
    ("unix_bulk", "AF_UNIX stream between two processes", "Gbit/s", "kernel pair-bulk local=1"),
    ("unix_1", "AF_UNIX request and answer, 1 connection", "1/s", "kernel exchange local=1"),
    ("unix_20", "AF_UNIX request and answer, 20 connections", "1/s", "kernel exchange local=1 connections=20"),
    ("unix_50", "AF_UNIX request and answer, 50 connections", "1/s", "kernel exchange local=1 connections=50"),
    ("unix_pipe", "AF_UNIX, 16 requests and answers at a time, 50 connections", "1/s",
     "kernel exchange local=1 connections=50 request=592 answer=112"),
    ("unix_visits", "AF_UNIX, a connection for each request and answer, 20 at once", "1/s", "kernel visits"),
]


def measure(bench):
    ways = {name: (lambda words=words: bench.measure(words, 0.15)) for name, _, _, words in MEASURES}
    taken = in_rounds(bench, "limits", ways, 3)
    for name, what, unit, _ in MEASURES:
        if taken.get(name):
            bench.limits[name] = {"what": what, "unit": unit, **summary(taken[name])}


def frame_gbit(l, payload, frame, copy, add):
    """A frame each is a system call, a copy in or out of the kernel, one of ours, and a sum."""
    seconds = l["call"] * 1e-9 + 2 * frame / copy / 1e9 + payload / add / 1e9
    return payload * 8 / seconds / 1e9


def frames_ns(l, count):
    """Each of them is written by one end and read by the other, 64 bytes of headers and bookkeeping."""
    return count * 2 * 64 / l["copy_64"]


# Name of a limit to (its figure in the line's unit, in words); l: the medians of MEASURES.
FORMULAS = {
    "copies and sums": (lambda l: 8 / (2 / l["copy_1448"] + 2 / l["sum_1448"]), "two copies and two sums of every byte"),
    "copies": (lambda l: 8 / (2 / l["copy"]), "two copies of every byte"),
    "connection, 7 frames": (lambda l: 1e9 / frames_ns(l, 7), "the headers of its seven frames written and read"),
    "connection, 4 frames": (lambda l: 1e9 / frames_ns(l, 4), "the headers of its four frames written and read"),
    "echo": (lambda l: frames_ns(l, 4) / 1e3, "the headers of four frames written and read"),
    "headers of 64 KiB": (lambda l: 65536 * 8 / frames_ns(l, 2), "the headers of a frame of 64 KiB and of its ACK"),
    "copies, two cores": (lambda l: 16 / (2 / l["copy"]), "two copies of every byte, on each of two cores"),
    "echoes, two cores": (lambda l: 2e9 / frames_ns(l, 4), "the headers of four frames written and read, on each of two cores"),
    "connections, two cores": (lambda l: 2e9 / frames_ns(l, 7), "the headers of seven frames written and read, on each of two cores"),
    "a hit": (lambda l: l["hit"], "a look at one word that is in the cache"),
    "pipelined": (lambda l: 16 * l["unix_pipe"], "16 at a time over AF_UNIX, by programs that do nothing else"),
    "visits": (lambda l: l["unix_visits"], "a connection for each over AF_UNIX, by programs that do nothing else"),
    "lateness": (lambda l: l["late"], "how late the kernel wakes who sleeps, at p99"),
    "two wake-ups": (lambda l: l["wake_cores"] / 1e3, "the wake-ups of who asks and who does it, across cores"),
    "two misses": (lambda l: 2 * l["miss"] / 1e3, "one cache miss at each end"),
    "AF_UNIX bulk": (lambda l: l["unix_bulk"], "AF_UNIX between two processes that do nothing else"),
    "AF_UNIX exchange, 1": (lambda l: l["unix_1"], "the same over AF_UNIX, by programs that do nothing else"),
    "awake exchange": (lambda l: 1e9 / (4 * l["call"] + 1e3 * l["spin"]),
                       "four system calls and a round trip through shared memory, nobody asleep"),
    "AF_UNIX exchange, 20": (lambda l: l["unix_20"], "20 connections over AF_UNIX, by programs that do nothing else"),
    "AF_UNIX exchange, 50": (lambda l: l["unix_50"], "50 connections over AF_UNIX, by programs that do nothing else"),
    "a process": (lambda l: l["start"], "a process started and ended"),
    "100 processes": (lambda l: l["start"] / 10, "a hundred processes started and ended"),
    "1,000 processes": (lambda l: l["start"], "a thousand processes started and ended"),
    "calls and copies, 1500": (lambda l: frame_gbit(l, 1448, 1514, l["copy_1448"], l["sum_1448"]),
                               "a system call, two copies and a sum a frame of 1,514 bytes"),
    "calls and copies, 65520": (lambda l: frame_gbit(l, 65468, 65534, l["copy"], l["sum"]),
                                "a system call, two copies and a sum a frame of 64 KiB"),
}


def of(bench, name):
    """(figure, words) of a line's limit, or None: nothing of the kind binds it, or it was not measured."""
    if not name:
        return None
    formula, words = FORMULAS[name]
    try:
        return formula({key: value["median"] for key, value in bench.limits.items()}), words
    except KeyError:
        return None
