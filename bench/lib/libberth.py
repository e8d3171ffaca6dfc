# SPDX-License-Identifier: BSD-2-Clause
"""libberth beside the kernel's loopback and lwIP: measuring programs in turns."""
import os

import machine
import table
from figures import in_rounds

# What ten million endpoints might take; a machine with less is not driven into the ground for a figure.
NEEDS = {"memory-10000000": 14 << 30, "echo-1000000": 3 << 30}


def run(bench, lines):
    for line in lines:
        need = NEEDS.get(line.id, 0)
        if need > machine.available_bytes():
            bench.skip(line.what, "%.0f GiB of memory have to be free for it" % (need / 2**30), [line.id])
            continue
        if line.id.startswith("cores-") and (os.cpu_count() or 1) < 2:
            bench.skip(line.what, "there is one core", [line.id])
            continue
        if bench.quick and line.id in NEEDS:
            bench.skip(line.what, "left out of a quick run", [line.id])
            continue
        ways = {name: (lambda words=words: bench.measure(words, line.seconds)) for name, words in line.ways.items()}
        table.add(bench, "libberth", line, in_rounds(bench, line.what, ways, line.rounds, [line.id]))
