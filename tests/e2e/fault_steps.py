#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A fault at one step of one part of a running network, again and again; see fault.c and docs/reliability.md.

usage: fault_steps.py --kinds KIND,… [--seed N] [--trials N | --every N] [--jobs N]

A trial runs two programs that talk (fault_talk.c) on a network of their own; in one part of one of the two `berth run`
there is one fault. Whatever it is: nobody hangs, nobody crashes, no byte is wrong, what ends says so, nothing is left,
and the network's name can be used again at once. What more there is to say of a kind says its check function here.
"""
import argparse
import concurrent.futures
import contextlib
import errno
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

BERTH = os.environ["BERTH"]
FAULT, TALK = os.environ["FAULT"], os.environ["FAULT_TALK"]
SLOW = int(os.environ.get("SLOW", "1"))
LIMIT = 20 * SLOW  # seconds until something hangs: patience of the programs (4 s), and other load
PARTS = ("front", "supervisor", "daemon", "child", "program")
WHATS = ("step", "descriptor", "memory")
OURS = ("front", "supervisor", "daemon")
CLEAN = {0, 4, 125, 143}  # well; an error that the program says; that berth says; ended by us

# kind: parts, what is counted, action
KINDS = {
    "kill": (PARTS, "step", "kill"),
    "stop": (("front", "supervisor", "daemon", "program"), "step", "stop"),
    "descriptor": (OURS, "descriptor", str(errno.EMFILE)),
    "descriptors": (OURS, "descriptor", str(errno.EMFILE) + ":25"),
    "memory": (OURS, "memory", str(errno.ENOMEM)),
    "wall": (OURS, "step", "wall -400000000"),
    "monotonic": (("supervisor", "daemon"), "step", "monotonic 3600"),
}


class Bad(Exception):
    pass


class Counters:
    """The file that the parts count in: struct shared of fault.c."""

    def __init__(self, directory):
        handle, self.path = tempfile.mkstemp(dir=directory)
        os.write(handle, bytes(8 * (len(PARTS) * len(WHATS) + 2) + 32))
        os.close(handle)

    def read(self):
        with open(self.path, "rb") as file:
            data = file.read()
        words = len(PARTS) * len(WHATS) + 2
        values = struct.unpack_from("<%dQ" % words, data)
        counts = {(part, what): values[i * len(WHATS) + j] for i, part in enumerate(PARTS) for j, what in enumerate(WHATS)}
        return counts, values[-2], values[-1], data[8 * words:].split(b"\0")[0].decode()

    def fired(self):
        return self.read()[1]


def processes_of(net):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
            with open("/proc/%s/stat" % pid, "rb") as file:
                state = file.read().rpartition(b")")[2].split()[0]
        except OSError:
            continue
        if net.encode() in words and state != b"Z":
            found.append("%s %s" % (pid, b" ".join(words).decode(errors="replace")))
    return found


class Side:
    """One `berth run`, with its words."""

    def __init__(self, net, name, directory, fault=None, counters=None):
        environment = {**os.environ, "BERTH_DEBUGGABLE": "1"}
        if counters:
            environment.update(LD_PRELOAD=FAULT, BERTH_FAULT=fault or "", BERTH_FAULT_FILE=counters.path)
        self.name = name
        self.errors = tempfile.TemporaryFile(dir=directory)
        self.process = subprocess.Popen(
            [BERTH, "run", "--net", net, "--name", name, "--", TALK, name, net], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True)

    def await_ready(self):
        os.set_blocking(self.process.stdout.fileno(), False)
        end, text = time.monotonic() + LIMIT, b""
        while time.monotonic() < end:
            try:
                piece = os.read(self.process.stdout.fileno(), 100)
                text += piece
                if not piece or b"ready" in text:
                    return b"ready" in text
            except BlockingIOError:
                if self.process.poll() is not None:
                    return False
                time.sleep(0.005)
        raise Bad("%s does not begin" % self.name)

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")


def let_go_on(counters, sides):
    """Of a part that has stopped itself: others wait, and then all goes on."""
    end = time.monotonic() + LIMIT
    while not counters.fired():
        if time.monotonic() > end or all(side.wait(0) is not None for side in sides):
            return
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(counters.read()[2], signal.SIGCONT)
    for side in sides:  # a program that stops has stopped its front, as a shell wants to see it
        try:
            os.killpg(side.process.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def run_world(net, directory, kind, fault, where, counters):
    """Returns the two sides, ended."""
    server = Side(net, "server", directory, fault, counters if where == "server" else None)
    sides = [server]
    try:
        if kind == "stop" and where == "server":
            with concurrent.futures.ThreadPoolExecutor(1) as helper:
                continuing = helper.submit(let_go_on, counters, sides)
                ready = server.await_ready()
                if ready:
                    sides.append(Side(net, "client", directory))
                continuing.result()
        else:
            ready = server.await_ready()
            if ready:
                sides.append(Side(net, "client", directory, fault, counters if where == "client" else None))
                if kind == "stop":
                    let_go_on(counters, sides)
        if len(sides) == 2 and sides[1].wait(LIMIT) is None:
            raise Bad("the client hangs")
        # One who was not told to quit is told by us.
        if len(sides) == 2 and sides[1].wait(0) == 0:
            server.wait(3 * SLOW)
        if server.wait(0) is None:
            server.process.terminate()
        if server.wait(LIMIT) is None:
            raise Bad("the server hangs")
    except BaseException:
        for side in sides:
            side.process.kill()
        raise
    finally:
        for side in sides:
            side.process.stdout.close()
    return sides


def check_kill(part, where, fired, codes, said):
    # Front's steps are also those of the process that it starts a daemon by; the child may be as good as the program.
    allowed = {"front": {-9} | CLEAN, "supervisor": {125}, "child": {125, 137}, "program": {137, 4, 0, 143},
               "daemon": {0, 4, 125, 143}}
    for name, code in codes.items():
        good = allowed[part] if name == where and fired else CLEAN
        if part == "daemon":
            good = allowed[part]
        if code not in good:
            raise Bad("%s ended with %s" % (name, code))


def check_same(part, where, fired, codes, said):
    """What must not matter at all."""
    for name, code in codes.items():
        if code != 0:
            raise Bad("%s ended with %s" % (name, code))


def check_error(part, where, fired, codes, said):
    for name, code in codes.items():
        if code not in CLEAN:
            raise Bad("%s ended with %s" % (name, code))
    if "was killed by signal" in said or "daemon has ended" in said:
        raise Bad("something crashed, or gave up")


CHECKS = {"kill": check_kill, "stop": check_same, "wall": check_same, "monotonic": check_same}


def check(kind, part, where, fired, sides):
    codes = {side.name: side.wait(0) for side in sides}
    said = "".join(side.said() for side in sides)
    CHECKS.get(kind, check_error)(part, where, fired, codes, said)
    for side in sides:
        if codes[side.name] == 125 and not side.said():
            raise Bad("%s does not say why it ended with %s" % (side.name, codes[side.name]))


def check_nothing_left(net, counters=None):
    """counters: of a part that stops, and may do so when the programs have ended; then it goes on now."""
    path = os.path.join(os.environ["XDG_RUNTIME_DIR"], "berth", net)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        left = processes_of(net) + ([path] if os.path.exists(path) else [])
        if not left:
            return
        if counters and counters.fired():
            with contextlib.suppress(ProcessLookupError):
                os.kill(counters.read()[2], signal.SIGCONT)
        time.sleep(0.05)
    raise Bad("left: %s" % left)


def check_again(net):
    """Returns how long it took to use the name again."""
    start = time.monotonic()
    try:
        done = subprocess.run([BERTH, "run", "--net", net, "--name", "server", "--", "true"], timeout=LIMIT,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        raise Bad("berth run hangs afterwards") from None
    if done.returncode:
        raise Bad("berth run fails afterwards: %s" % done.stderr.decode())
    return time.monotonic() - start


def trial(number, kind, part, step, where, directory):
    """Returns (what was wrong or None, whether the fault came, the call that it came at)."""
    _, what, action = KINDS[kind]
    net = "f%dx%d" % (os.getpid(), number)
    counters = Counters(directory)
    sides = []
    try:
        sides = run_world(net, directory, kind, "%s:%s:%d:%s" % (part, what, step, action), where, counters)
        fired = counters.fired()
        check(kind, part, where, fired, sides)
        if kind == "kill" and part == "daemon":
            check_again(net)  # at once, whatever is still there
        if kind == "kill" and part == "front":
            # Killed between making the network's directory and using it: whoever lists networks takes it away.
            subprocess.run([BERTH, "net", "ls"], timeout=LIMIT, capture_output=True, check=False)
        check_nothing_left(net, counters if kind == "stop" else None)
        check_again(net)
        check_nothing_left(net)
        return None, fired, counters.read()[3]
    except Bad as bad:
        said = "".join("\n%s: %s" % (side.name, side.said().strip()) for side in sides)
        return "%s%s" % (bad, said), counters.fired(), counters.read()[3]
    finally:
        os.unlink(counters.path)


def count_steps(directory):
    """How many steps of what there are, in each part and side, when all is well."""
    counts = {}
    for where in ("server", "client"):
        counters = Counters(directory)
        sides = run_world("f%dx%s" % (os.getpid(), where), directory, "none", "", where, counters)
        check("stop", "", where, 0, sides)
        counts[where] = counters.read()[0]
    return counts


def plan(options, counts):
    """All trials: (kind, part, step, where)."""
    every = []
    for kind in options.kinds.split(","):
        parts, what, _ = KINDS[kind]
        for part in parts:
            for where in ("server", "client"):
                # A few more than there were: no two runs are the same.
                every += [(kind, part, step, where) for step in range(1, int(counts[where][part, what] * 1.05) + 1)]
    chance = random.Random(options.seed)
    if options.every:
        return every[chance.randrange(options.every)::options.every]
    # Of each kind and part as many, whether it has 40 steps or 4,000.
    groups = {}
    for one in every:
        groups.setdefault((one[0], one[1], one[3]), []).append(one)
    groups = [groups[key] for key in sorted(groups)]
    chosen = [chance.choice(groups[i % len(groups)]) for i in range(options.trials)]
    return chosen


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--every", type=int)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--one", help="KIND:PART:STEP:WHERE")
    options = parser.parse_args()
    failures = fired = 0
    calls = set()
    with tempfile.TemporaryDirectory(dir=os.environ.get("WORK")) as directory:
        if options.one:
            kind, part, step, where = options.one.split(":")
            trials = [(kind, part, int(step), where)]
        else:
            trials = plan(options, count_steps(directory))
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            work = {pool.submit(trial, i, *one, directory): one for i, one in enumerate(trials)}
            for done in concurrent.futures.as_completed(work):
                wrong, came, call = done.result()
                fired += bool(came)
                calls.add((work[done][1], call))
                if wrong:
                    failures += 1
                    print("--one %s:%s:%s:%s (%s): %s" % (*work[done], call, wrong), flush=True)
    print("%d trials, %d faults came, at %d kinds of calls, %d were bad; seed %d" %
          (len(trials), fired, len(calls), failures, options.seed))
    return 1 if failures or not fired else 0


if __name__ == "__main__":
    sys.exit(main())
