# SPDX-License-Identifier: BSD-2-Clause
"""What a host costs: to start, in memory, and when nothing happens."""
import contextlib
import os
import select
import signal
import statistics
import subprocess
import tempfile
import time

import machine
import table
from figures import LONGEST, at_most, in_rounds

SLEEP = ["sleep", "100000"]
TICKS = os.sysconf("SC_CLK_TCK")
AT_ONCE = 8  # starts that are under way together
SETTLE = 1.5  # seconds until what starting left over is done
A_HOST = 6 << 20  # bytes that have to be free for each, with room to spare
A_HUNDRED = 6  # seconds; when a hundred more take longer, the machine is not driven further
ENDING = 20  # seconds for all hosts to end; then they are killed
MANY = {}  # number of hosts to what measure_many() has found, for the curve of them


class Network:
    """A network of our own in a directory of our own; ends with all hosts."""

    def __init__(self, bench):
        self.berth, self.place = bench.berth, tempfile.TemporaryDirectory(prefix="berth-bench.")
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.place.name)
        if os.geteuid():  # only root may look into processes that do not let themselves be looked into
            self.environment["BERTH_DEBUGGABLE"] = "1"
        self.running = []

    def command(self, *words):
        return [self.berth, "run", "--net", "bench", *words]

    def run(self, *words):
        subprocess.run(self.command(*words), env=self.environment, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=60)

    def start(self, count):
        """Hosts that sleep: seconds until the last one's program runs."""
        begun, left, under_way = time.monotonic(), list(range(count)), []
        reached, hundred = 0, begun
        while left or under_way:
            if count - len(left) >= reached + 100:
                reached, took, hundred = reached + 100, time.monotonic() - hundred, time.monotonic()
                if took > A_HUNDRED:
                    for process in under_way:
                        process.wait(60)
                    raise RuntimeError("the last hundred of %d took %.1f s; given up" % (reached, took))
            while left and len(under_way) < AT_ONCE:
                name = "h%d" % left.pop(0)
                under_way.append(subprocess.Popen(self.command("-d", "--rm", "--name", name, "--", *SLEEP), env=self.environment,
                                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
            if under_way.pop(0).wait(60):
                raise RuntimeError("a host did not start")
        return time.monotonic() - begun

    def processes(self):
        """Pids of daemon, of supervisors (their fronts too), and of the programs: all that have our directory in their environment."""
        found = {"daemon": [], "supervisor": [], "program": []}
        mark = ("XDG_RUNTIME_DIR=" + self.place.name).encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/environ" % pid, "rb") as file:
                    if mark not in file.read().split(b"\0"):
                        continue
                with open("/proc/%s/cmdline" % pid, "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            kind = "program" if words[0] == b"sleep" else "daemon" if b"daemon" in words else "supervisor"
            found[kind].append(int(pid))
        return found

    def end(self, found):
        """Every program is sent SIGTERM: seconds until the last host, and so the daemon, has ended."""
        with os.fdopen(os.pidfd_open(found["daemon"][0])) as daemon:
            begun = time.monotonic()
            for pid in found["program"]:
                os.kill(pid, signal.SIGTERM)
            if not select.select([daemon], [], [], ENDING)[0]:
                raise RuntimeError("the network did not end within %d s" % ENDING)
            return time.monotonic() - begun

    def close(self):
        """Whatever is left, by SIGKILL."""
        for _ in range(100):
            found = self.processes()
            for pid in found["supervisor"] + found["daemon"] + found["program"]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not any(found.values()):
                break
            time.sleep(0.1)
        with contextlib.suppress(subprocess.SubprocessError):
            subprocess.run([self.berth, "net", "ls"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           timeout=LONGEST)
        self.place.cleanup()


def memory_of(pid):
    """Bytes, what it shares counted in parts (PSS)."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


def ticks_of(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return int(words[11]) + int(words[12])


def wakes_of(pid):
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task), encoding="ascii", errors="replace") as file:
            total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return total


def milliseconds(command, environment):
    begun = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=LONGEST)
    return 1e3 * (time.monotonic() - begun)


def starts(bench, wanted):
    """What `berth run -- true` takes more than true alone, with the network up and without."""
    network, other = Network(bench), Network(bench)
    try:
        network.start(1)
        true = ["/bin/true"]
        plain = lambda: milliseconds(true, network.environment)  # noqa: E731
        ways = {"start": lambda: milliseconds(network.command("--name", "t", "--", *true), network.environment) - plain(),
                "start-first": lambda: milliseconds(other.command("--", *true), other.environment) - plain()}
        ways = {id: ways[id] for id in ways if id in wanted}
        for id, rounds in in_rounds(bench, "start-up", ways, 15, list(ways)).items():
            table.add(bench, "hosts", wanted[id], {"berth": rounds})
    finally:
        network.close()
        other.close()


def idle(processes, seconds):
    """Milliseconds of processor time a second, and wake-ups a second."""
    ticks, wakes = sum(map(ticks_of, processes)), sum(map(wakes_of, processes))
    time.sleep(seconds)
    return (1e3 * (sum(map(ticks_of, processes)) - ticks) / TICKS / seconds, (sum(map(wakes_of, processes)) - wakes) / seconds)


def measure_many(bench, count, quiet=True):
    """
    Start count hosts: seconds, bytes of Berth's own a host, what daemon and supervisors do when idle (None unless quiet),
    and seconds to end all hosts together.
    """
    if machine.available_bytes() < count * A_HOST:
        raise RuntimeError("%.1f GiB of memory have to be free" % (count * A_HOST / 2**30))
    network = Network(bench)
    try:
        seconds = network.start(count)
        found = network.processes()
        if len(found["program"]) != count or len(found["daemon"]) != 1:
            raise RuntimeError("%d of %d programs run, and %d daemons" % (len(found["program"]), count, len(found["daemon"])))
        bytes_each = sum(map(memory_of, found["daemon"] + found["supervisor"])) / count
        idly = None
        if quiet:
            time.sleep(SETTLE)
            idly = {kind: idle(found[kind], 1 if bench.quick else 3) for kind in ("daemon", "supervisor")}
        MANY[count] = seconds, bytes_each, idly, network.end(found)
        return MANY[count]
    finally:
        network.close()


def hundred(bench, wanted):
    runs = [measure_many(bench, 100) for _ in range(bench.rounds(2))]
    figures = {"hosts-100": [run[0] for run in runs], "host-memory": [run[1] / 1e6 for run in runs],
               "idle-daemon": [run[2]["daemon"][0] for run in runs], "idle-supervisors": [run[2]["supervisor"][0] for run in runs]}
    for id, rounds in figures.items():
        if id in wanted:
            table.add(bench, "hosts", wanted[id], {"berth": rounds})
    print("  (idle: %.1f wake-ups a second of the daemon, %.1f of all supervisors)" % tuple(
        statistics.median(run[2][kind][1] for run in runs) for kind in ("daemon", "supervisor")))


def thousand(bench, wanted):
    if bench.quick:
        bench.skip("1,000 hosts", "left out of a quick run")
        return
    seconds, bytes_each, _, ended = measure_many(bench, 1000, quiet=False)
    for id, value in (("hosts-1000", seconds), ("host-memory-1000", bytes_each / 1e6), ("hosts-1000-ended", ended)):
        if id in wanted:
            table.add(bench, "hosts", wanted[id], {"berth": [value]})


def run(bench, lines):
    wanted = {line.id: line for line in lines}
    for ids, what, part in ((("start", "start-first"), "start-up", starts),
                            (("hosts-100", "host-memory", "idle-daemon", "idle-supervisors"), "100 hosts", hundred),
                            (("hosts-1000", "host-memory-1000", "hosts-1000-ended"), "1,000 hosts", thousand)):
        if set(ids) & set(wanted):
            try:
                with at_most(3 * LONGEST, what):
                    part(bench, wanted)
            except (RuntimeError, OSError, subprocess.SubprocessError) as why:
                bench.skip(what + ", berth", why, set(ids) & set(wanted))
