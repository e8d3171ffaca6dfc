# SPDX-License-Identifier: BSD-2-Clause
"""Figures: taken in rounds by all rivals in turns, and what is told of them."""
import contextlib
import os
import signal
import statistics
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LONGEST = 60  # seconds, of one measurement
VERY_LONGEST = 150  # of one with millions of connections, on a busy machine
ALL_OF_IT = 570  # seconds: ten minutes less what writing takes
ENOUGH = 3  # rounds, if they differ by less than
SMALL = 0.04  # of their median


class Missing(Exception):
    """It can't be measured here; the text says what is missing and what to do about it."""


@contextlib.contextmanager
def at_most(seconds, what):
    """RuntimeError when what is within takes longer, whatever it waits for. May be nested: the first to be over counts."""
    begun, before = time.monotonic(), signal.getitimer(signal.ITIMER_REAL)[0]

    def over(*_):
        raise RuntimeError("%s: no end within %.0f s" % (what, seconds))

    old = signal.signal(signal.SIGALRM, over if not before or seconds < before else signal.getsignal(signal.SIGALRM))
    signal.setitimer(signal.ITIMER_REAL, min(seconds, before) if before else seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, max(0.001, before - (time.monotonic() - begun)) if before else 0)
        signal.signal(signal.SIGALRM, old)


class Bench:
    """One run: where the programs are, how thorough to be, and what was found."""

    def __init__(self, build, quick=False, seconds=ALL_OF_IT):
        self.build = os.path.abspath(build)
        self.quick = quick
        self.begun, self.seconds, self.share = time.monotonic(), seconds, seconds
        self.lines, self.curves, self.skipped, self.links, self.limits = [], [], [], [], {}

    def left(self):
        """Seconds of the part under way: after them no more rounds are begun than one."""
        return self.begun + self.share - time.monotonic()

    def over(self):
        """Whether there is time for nothing more."""
        return time.monotonic() > self.begun + self.seconds

    def program(self, name):
        path = os.path.join(self.build, name)
        if not os.access(path, os.X_OK):
            need = " (it needs liblwip-dev: apt-get install liblwip-dev, then build again)" if "lwip" in name else ""
            raise Missing("%s was not built%s" % (name, need))
        return path

    @property
    def berth(self):
        return self.program("src/cli/berth")

    def rounds(self, many):
        return min(many, 1) if self.quick else many

    def measure(self, command, seconds=None):
        """What a measuring program prints: `berth bulk mtu=1500` is measure_berth's bulk."""
        words = command.split()
        words[0] = self.program("bench/measure_" + words[0])
        if seconds:
            words.append("seconds=%g" % (0.05 if self.quick else seconds))
        return float(said(words, VERY_LONGEST if "000000" in command else LONGEST))

    def skip(self, what, why, lines=()):
        """lines: whose ids have no figure for that reason."""
        self.skipped.append({"what": what, "why": str(why), "lines": list(lines)})
        print("  %s: not measured: %s" % (what, why), flush=True)


def said(words, timeout=LONGEST, **options):
    """Standard output of a command that has to succeed."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, **options)
    except FileNotFoundError:
        raise Missing("%s is not installed" % words[0])
    except subprocess.TimeoutExpired:
        raise RuntimeError("%s: no end within %d s" % (" ".join(words), timeout))
    if done.returncode:
        words = [os.path.basename(words[0])] + list(words[1:])
        raise RuntimeError("%s: %s" % (" ".join(words), done.stderr.strip()[-300:] or "exit code %d" % done.returncode))
    return done.stdout


def in_rounds(bench, what, ways, rounds, ids=()):
    """
    ways: name to a function that measures. Rounds of figures by name; who can't is left out, and it is told why.
    Rounds end early where they hardly differ, or where their part's time is over; when all time is, none is begun.
    """
    taken = {name: [] for name in ways}
    if bench.over():
        bench.skip(what, "the %d s for all of it were over" % bench.seconds, ids)
        return {}
    for number in range(bench.rounds(rounds)):
        if number and (bench.left() < 0 or number >= ENOUGH and all(map(steady, taken.values()))):
            break
        for name in [name for name in ways if name in taken]:
            try:
                with at_most(min(VERY_LONGEST, max(20, bench.begun + bench.seconds - time.monotonic())), what):
                    taken[name].append(ways[name]())
            except (Missing, RuntimeError, OSError, ValueError, subprocess.SubprocessError) as why:
                bench.skip("%s, %s" % (what, name), why, ids if name == "berth" else ())
                del taken[name]
    return taken


def steady(figures):
    return max(figures) - min(figures) <= SMALL * abs(statistics.median(figures))


def summary(figures):
    return {"median": statistics.median(figures), "least": min(figures), "most": max(figures), "rounds": figures}


def ratio(ours, theirs):
    """Of a round each: what disturbs a round disturbs both."""
    return statistics.median(a / b for a, b in zip(ours, theirs) if b)


def percent(share):
    return "%d%%" % round(100 * share) if share >= 0.01 else "%.1g%%" % (100 * share)


def short(value):
    if value is None:
        return "-"
    if value == 0 or 1e-3 <= abs(value) < 10:
        return "%.3g" % value
    return "{:,.0f}".format(value) if abs(value) >= 1000 else "%.3g" % value if abs(value) < 10 else "%.1f" % value
