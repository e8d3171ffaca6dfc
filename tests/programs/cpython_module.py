#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run one of CPython's test modules and say of each test how it went, as it ends.

usage: cpython_module.py REPORT MODULE [TEST]

What REPORT says of tests already is kept, and those are passed over: so a
module goes on after a test that hung and was ended with its process.

Done here and not by `python3 -m test`, whose report is empty when one test's
thread ends badly, and which does not know the modules of test_asyncio.
"""
import sys
import unittest

from test import support


class Result(unittest.TestResult):
    """A line "OUTCOME NAME" for each test, after a line "begins NAME"; the worst that was said of it counts."""

    def __init__(self, report):
        super().__init__()
        self.report = report
        self.outcome = "ok"

    def startTest(self, test):
        super().startTest(test)
        self.outcome = "ok"
        self.say("begins", test)

    def stopTest(self, test):
        super().stopTest(test)
        self.say(self.outcome, test)

    def say(self, outcome, test):
        self.report.write("%s %s\n" % (outcome, test.id()))
        self.report.flush()

    def bad(self, test, error):
        self.outcome = "failed"
        print(test.id(), self._exc_info_to_string(error, test), sep="\n")
        if not isinstance(test, unittest.TestCase):  # a class or a module that can't be set up
            self.say("failed", test)

    def addError(self, test, err):
        self.bad(test, err)

    def addFailure(self, test, err):
        self.bad(test, err)

    def addSubTest(self, test, subtest, err):
        if err:
            self.bad(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if self.outcome == "ok":
            self.outcome = "skipped"
        if not isinstance(test, unittest.TestCase):
            self.say("skipped", test)

    def addUnexpectedSuccess(self, test):
        self.outcome = "failed"


def each(tests):
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def said_already(report):
    try:
        with open(report, encoding="utf-8", errors="replace") as file:
            return {line.rstrip("\n").partition(" ")[2] for line in file}
    except OSError:
        return set()


def main():
    report, module = sys.argv[1:3]
    support.use_resources = {"network": None, "cpu": None}
    loaded, known = unittest.defaultTestLoader.loadTestsFromName(module), said_already(report)
    if sys.argv[3:] or known:
        loaded = unittest.TestSuite(test for test in each(loaded)
                                    if test.id() not in known and test.id() in (sys.argv[3:] or [test.id()]))
    with open(report, "a", encoding="utf-8") as file:
        loaded.run(Result(file))
        file.write("end\n")


if __name__ == "__main__":
    main()
