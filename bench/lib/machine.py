# SPDX-License-Identifier: BSD-2-Clause
"""The machine that figures are of, and whether it has other things to do."""
import os
import platform
import re
import time

BUSY = 0.10  # of all its cores, while we do nothing


def first(path, pattern, other="?"):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(pattern, file.read(), re.M)
    except OSError:
        found = None
    return found.group(1).strip() if found else other


def busy_and_all():
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def busy_share(seconds=1.0):
    before = busy_and_all()
    time.sleep(seconds)
    after = busy_and_all()
    return (after[0] - before[0]) / max(1, after[1] - before[1])


def describe():
    return {
        "processor": first("/proc/cpuinfo", r"^model name\s*:\s*(.*)$"),
        "cores": os.cpu_count(),
        "memory_gib": round(int(first("/proc/meminfo", r"^MemTotal:\s*(\d+)", "0")) / 2**20, 1),
        "kernel": platform.release(),
        "system": first("/etc/os-release", r'^PRETTY_NAME="(.*)"'),
        "root": os.geteuid() == 0,
        "load": os.getloadavg()[0],
        "busy": round(busy_share(), 3),
    }


def available_bytes():
    return int(first("/proc/meminfo", r"^MemAvailable:\s*(\d+)", "0")) * 1024


def warning(machine):
    """A sentence if its figures deserve doubt, or None."""
    if machine["busy"] <= BUSY:
        return None
    return ("The machine is busy: %d%% of its %d cores before anything was measured. Ratios still say something; "
            "absolute figures don't." % (100 * machine["busy"], machine["cores"]))
