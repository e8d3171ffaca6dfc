# SPDX-License-Identifier: BSD-2-Clause
"""How exact emulated links are: what was asked beside what was measured.

The same two programs (link_probe.c) talk UDP over a cable of Berth's with
`berth link set` and over a veth with the kernel's own netem (tc-netem(8)), in
namespaces of our own; the latter needs root and a kernel with sch_netem.
"""
import json
import math
import os
import subprocess
import tempfile
import time

import table
from figures import at_most, in_rounds

PORT = "9000"
FRAME = 1472 + 42  # bytes: what the rate counts of a datagram of 1472
PROBE_TIME = 30

# What is asked: (conditions, datagrams, bytes, gap in us, what to look at).
CASES = [
    ("", 1000, 100, 1000, "delay"),
    ("delay 1ms", 1000, 100, 1000, "delay"),
    ("delay 10ms", 1000, 100, 1000, "delay"),
    ("delay 100ms", 1000, 100, 1000, "delay"),
    ("delay 40ms 5ms", 2000, 100, 500, "jitter"),
    ("delay 40ms 5ms distribution normal", 2000, 100, 500, "jitter"),
    ("loss 1%", 20000, 100, 50, "loss"),
    ("loss 10%", 20000, 100, 50, "loss"),
    ("rate 1mbit", 90, 1472, 0, "rate"),
    ("rate 10mbit", 900, 1472, 0, "rate"),
    ("rate 100mbit", 4500, 1472, 110, "rate"),
]


class NotThere(Exception):
    pass


class Berth:
    """A network of Berth's: two programs, and the cable of the one that receives."""

    def __init__(self, build):
        self.berth = os.path.join(build, "src/cli/berth")
        self.probe = os.path.join(build, "bench/link_probe")
        self.net = "bench-%d" % os.getpid()
        self.place = tempfile.TemporaryDirectory(prefix="berth-bench.")
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.place.name)

    def run(self, name, *words):
        return subprocess.Popen([self.berth, "run", "--net", self.net, "--name", name, "--", self.probe, *words],
                                env=self.environment, stdout=subprocess.PIPE, text=True)

    def receiver(self):
        return self.run("to", "receive", PORT)

    def condition(self, words):
        if words:
            subprocess.run([self.berth, "link", "--net", self.net, "set", "to", "in", *words.split()],
                           env=self.environment, check=True)
        listed = subprocess.run([self.berth, "ps", "--net", self.net, "--json"], env=self.environment, check=True,
                                capture_output=True, text=True).stdout
        self.address = next(host["ip4"] for host in json.loads(listed) if host["name"] == "to")

    def sender(self, *words):
        return self.run("from", "send", self.address, PORT, *words)

    def close(self):
        self.place.cleanup()


class Kernel:
    """Two namespaces with a veth between them, and netem at the end that sends."""

    def __init__(self, build):
        self.probe = os.path.join(build, "bench/link_probe")
        self.names = ["berth-bench-%d-%s" % (os.getpid(), end) for end in ("from", "to")]
        self.made = []
        if os.geteuid() != 0:
            raise NotThere("the kernel's netem is for root only")
        for name in self.names:
            self.command("ip", "netns", "add", name)
            self.made.append(name)
        self.command("ip", "link", "add", "veth0", "netns", self.names[0], "type", "veth", "peer", "name", "veth0",
                     "netns", self.names[1])
        for number, name in enumerate(self.names):
            self.command("ip", "-n", name, "address", "add", "10.99.0.%d/24" % (number + 1), "dev", "veth0")
            self.command("ip", "-n", name, "link", "set", "veth0", "up")

    def command(self, *words):
        result = subprocess.run(words, capture_output=True, text=True)
        if result.returncode:
            raise NotThere("%s: %s" % (" ".join(words), result.stderr.strip()))

    def run(self, name, *words):
        return subprocess.Popen(["ip", "netns", "exec", name, self.probe, *words], stdout=subprocess.PIPE, text=True)

    def receiver(self):
        return self.run(self.names[1], "receive", PORT)

    def condition(self, words):
        subprocess.run(["tc", "-n", self.names[0], "qdisc", "del", "dev", "veth0", "root"], capture_output=True)
        if words:
            self.command("tc", "-n", self.names[0], "qdisc", "add", "dev", "veth0", "root", "netem", *words.split())

    def sender(self, *words):
        return self.run(self.names[0], "send", "10.99.0.2", PORT, *words)

    def close(self):
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name])


def measure(world, case):
    """The datagrams that arrived: (number, sent, received), in nanoseconds."""
    words, count, size, gap, _ = case
    receiver = world.receiver()
    sender = None
    try:
        receiver.stdout.readline()
        world.condition(words)
        sender = world.sender(str(count), str(size), str(gap))
        text = receiver.communicate(timeout=PROBE_TIME)[0]
    finally:
        for process in (receiver, sender):  # the sender still says its last words
            if process and process.poll() is None:
                process.terminate()
                process.wait()
    return [tuple(map(int, line.split())) for line in text.splitlines()]


def binomial(lost, count):
    """Wilson's interval, 99%, in percent."""
    z, p = 2.576, lost / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return 100 * (middle - half), 100 * (middle + half)


def slope(times):
    """Nanoseconds from one to the next, by least squares: one that was late says little."""
    middle, mean = (len(times) - 1) / 2, sum(times) / len(times)
    return sum((i - middle) * (time - mean) for i, time in enumerate(times)) / sum(
        (i - middle) ** 2 for i in range(len(times)))


def figures(case, arrived):
    _, count, _, _, what = case
    delays = sorted((received - sent) / 1e6 for _, sent, received in arrived)
    if len(arrived) < 10:
        return {}
    mean = sum(delays) / len(delays)
    found = {"p50_ms": delays[len(delays) // 2], "p99_ms": delays[len(delays) * 99 // 100]}
    if what == "jitter":
        found["mean_ms"] = mean
        found["deviation_ms"] = math.sqrt(sum((delay - mean) ** 2 for delay in delays) / len(delays))
    if what == "loss":
        lost = count - len(arrived)
        found["loss_percent"] = 100 * lost / count
        found["from_percent"], found["to_percent"] = binomial(lost, count)
    if what == "rate":
        found["mbit"] = FRAME * 8 * 1e3 / slope(sorted(received for _, _, received in arrived))
    return found


def text_of(case, found):
    if not found:
        return "-"
    if case[4] == "jitter":
        return "mean %.2f ms, deviation %.2f" % (found["mean_ms"], found["deviation_ms"])
    if case[4] == "loss":
        return "%.2f%% (99%%: %.2f to %.2f)" % (found["loss_percent"], found["from_percent"], found["to_percent"])
    if case[4] == "rate":
        return "%.4g Mbit/s" % found["mbit"]
    return "p50 %.3f ms, p99 %.3f" % (found["p50_ms"], found["p99_ms"])


def expected(case):
    if case[4] == "jitter":
        return "deviation %.2f" % (5 if "normal" in case[0] else 5 / math.sqrt(3))
    return ""


def all_of(make, build):
    """Figures of every case, and why some are not there."""
    results, world, why = [], None, None
    try:
        world = make(build)
        for case in CASES:
            with at_most(2 * PROBE_TIME, case[0] or "no conditions"):
                results.append(figures(case, measure(world, case)))
    except (NotThere, RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError, StopIteration) as reason:
        why = str(reason)
    finally:
        if world:
            world.close()
    return results + [{}] * (len(CASES) - len(results)), why


def change(bench):
    """How many ms after it was asked for the first datagram suffers a delay that was set; asking takes a program."""
    world = Berth(bench.build)
    sender = None
    receiver = world.receiver()
    try:
        receiver.stdout.readline()
        world.condition("")
        sender = world.sender("3000", "100", "500")
        time.sleep(0.7)
        asked = time.monotonic_ns()
        world.condition("delay 30ms")
        text = receiver.communicate(timeout=PROBE_TIME)[0]
        begun = time.monotonic_ns()
        subprocess.run([world.berth, "version"], stdout=subprocess.DEVNULL, check=True)
        program = time.monotonic_ns() - begun
    finally:
        for process in (receiver, sender):
            if process and process.poll() is None:
                process.terminate()
                process.wait()
        world.close()
    arrived = [tuple(map(int, line.split())) for line in text.splitlines()]
    late = [sent for _, sent, received in arrived if sent > asked and received - sent >= 29e6]
    if not late:
        raise RuntimeError("the change had no effect")
    return max(0.0, (min(late) - asked - program) / 1e6)


def lateness(found):
    """Of each delay that was asked, by the p99 of its cable."""
    return [entry["p99_ms"] - float(case[0].split()[1][:-2]) for case, entry in zip(CASES, found)
            if entry and case[4] == "delay" and case[0]]


def outside_interval(found):
    return sum(1 for case, entry in zip(CASES, found) if case[4] == "loss" and entry and not
               entry["from_percent"] <= float(case[0].split()[1][:-1]) <= entry["to_percent"])


def rates_off(found):
    return [abs(100 * (entry["mbit"] / float(case[0].split()[1][:-4]) - 1)) for case, entry in zip(CASES, found)
            if entry and case[4] == "rate"]


def show(berth, kernel):
    print("  %-36s %-16s %-34s %s" % ("asked", "which is", "Berth", "the kernel: veth, netem"))
    for case, ours, theirs in zip(CASES, berth, kernel):
        print("  %-36s %-16s %-34s %s" % (case[0] or "(perfect)", expected(case), text_of(case, ours), text_of(case, theirs)))


def run(bench, lines):
    wanted = {line.id: line for line in lines}
    taken = {}
    if set(wanted) - {"link-change"}:
        berth, why = all_of(Berth, bench.build)
        kernel, no_kernel = all_of(Kernel, bench.build)
        show(berth, kernel)
        bench.links = [{"asked": case[0] or "perfect", "berth": ours or None, "kernel": theirs or None}
                       for case, ours, theirs in zip(CASES, berth, kernel)]
        for name, reason in (("emulated links, berth", why), ("emulated links, netem", no_kernel)):
            if reason:
                bench.skip(name, reason, set(wanted) - {"link-change"} if "berth" in name else ())
        for id, worst in (("link-delay", lateness), ("link-rate", rates_off)):
            ours, theirs = worst(berth), worst(kernel)
            taken[id] = {"berth": [max(ours)] if ours else [], "netem": [max(theirs)] if theirs else []}
        taken["link-loss"] = {"berth": [outside_interval(berth)] if all(berth) else []}
    if "link-change" in wanted:
        taken["link-change"] = in_rounds(bench, wanted["link-change"].what, {"berth": lambda: change(bench)}, 3, ["link-change"])
    for id, line in wanted.items():
        table.add(bench, "links", line, taken[id])
