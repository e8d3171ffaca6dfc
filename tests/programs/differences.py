# SPDX-License-Identifier: BSD-2-Clause
"""What cpython.py and semantics.py share: differences that are known, with their reasons, and TAP."""
import collections
import fnmatch


class Expected:
    """Lines of "CARRIER PATTERN REASON": what matches may come out differently there. CARRIER: wire, express, both."""

    def __init__(self, path):
        self.lines = []
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    carrier, pattern, reason = line.rstrip("\n").split(None, 2)
                    self.lines.append((carrier, pattern, reason))
        self.seen = collections.Counter()

    def reason(self, carrier, test):
        for line in self.lines:
            if line[0] in (carrier, "both") and fnmatch.fnmatchcase(test, line[1]):
                self.seen[carrier, line] += 1
                return line[2]
        return None

    def vanished(self, carriers, tests):
        """Lines of which nothing was seen, though the tests they name were run."""
        for line in self.lines:
            for carrier in carriers if line[0] == "both" else [line[0]]:
                if carrier in carriers and not self.seen[carrier, line] and \
                        any(fnmatch.fnmatchcase(test, line[1]) for test in tests):
                    yield "%s: %s" % (carrier, line[1])


def tail(text, count):
    return "".join("#     %s\n" % line for line in text.splitlines()[-count:])


class Report:
    def __init__(self):
        self.number = 0
        self.failed = 0
        self.failures = []
        self.results = []

    def say(self, good, sentence, more=""):
        self.number += 1
        self.failed += not good
        self.failures += [] if good else [sentence]
        print("%sok %d - %s\n%s" % ("" if good else "not ", self.number, sentence, more), end="", flush=True)
