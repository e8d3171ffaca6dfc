#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The probe (probe/main.c) natively and under Berth: its lines are to be the same.

usage: semantics.py PROBE [--berth BERTH] [--carrier wire|express]... [SCENARIO...]

A line that differs is asked for again, alone, natively and under Berth; one
that stays different must be in semantics.expected, with its reason. Output is TAP.
"""
import argparse
import os
import subprocess
import sys

from differences import Expected, Report

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 280  # seconds for all scenarios
TRIES = 3


def lines_of(words):
    """{scenario: what it said} in the order that it was said."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False)
    said = {}
    for line in done.stdout.splitlines():
        name, colon, rest = line.partition(":")
        if colon:
            said[name] = rest.strip()
    return said, done.stderr


def under(options, carrier):
    return [options.berth, "run", "--net", "probe%d" % os.getpid()] + \
        (["--express"] if carrier == "express" else []) + ["--", options.probe]


def persists(options, carrier, name):
    """What natively and what under Berth, when they differ each time; else None."""
    for _ in range(TRIES):
        native, got = lines_of([options.probe, name])[0], lines_of(under(options, carrier) + [name])[0]
        if native.get(name) == got.get(name):
            return None
    return native.get(name), got.get(name)


def compare(options, expected, report, carrier, native):
    mine, errors = lines_of(under(options, carrier) + options.scenario)
    same = listed = 0
    for name, wanted in native.items():
        if mine.get(name) == wanted:
            same += 1
        elif expected.reason(carrier, name):
            listed += 1
        else:
            said = persists(options, carrier, name)
            same += said is None
            if said:
                report.say(False, "%s by %s as natively" % (name, carrier),
                           "#   natively: %s\n#   by %s: %s\n" % (said[0], carrier, said[1]))
    report.say(len(mine) > len(native) * 0.9, "by %s: %d of %d scenarios as natively, %d known to differ" %
               (carrier, same, len(native), listed), "" if mine else "# %s\n" % errors[-2000:].replace("\n", "\n# "))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("probe")
    parser.add_argument("scenario", nargs="*")
    parser.add_argument("--berth", default=os.environ.get("BERTH", "berth"))
    parser.add_argument("--carrier", action="append", choices=["wire", "express"])
    options = parser.parse_args()
    carriers = options.carrier or ["wire", "express"]
    expected, report = Expected(os.path.join(HERE, "semantics.expected")), Report()
    native = lines_of([options.probe] + options.scenario)[0]
    for carrier in carriers:
        compare(options, expected, report, carrier, native)
    for line in expected.vanished(carriers, native):
        print("# no longer different: %s" % line)
    print("1..%d" % report.number)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
