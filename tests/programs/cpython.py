#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""CPython's own network tests: on the real kernel, and under Berth by wire and by express, test by test.

usage: cpython.py [--berth BERTH] [--carrier wire|express]... [--module NAME]... [--jobs N] [--results FILE]

What comes out otherwise than natively is tried again, natively and under
Berth, the one test alone; what stays different must be in cpython.expected,
with its reason, or it is a failure. What is listed there and no longer differs
is said, so that the list can shrink. Output is TAP, one line a module and
carrier. Debian has the tests in libpython3.11-testsuite.
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from differences import Expected, Report, tail

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
LIMIT = 600  # seconds a module, beyond what the slowest takes natively
TRIES = 3

MODULES = """
test_socket test_ssl test_timeout test_select test_selectors test_poll test_epoll test_socketserver test_httplib
test_httpservers test_ftplib test_smtplib test_smtpd test_asyncore test_asynchat test_urllib2_localnet test_xmlrpc
test_docxmlrpc test_poplib test_imaplib test_nntplib test_telnetlib test_wsgiref test_logging test_eintr test_signal
test_asyncio.test_events test_asyncio.test_streams test_asyncio.test_server test_asyncio.test_sslproto
test_asyncio.test_ssl test_asyncio.test_sock_lowlevel test_asyncio.test_sendfile test_asyncio.test_unix_events
test_asyncio.test_base_events test_asyncio.test_selector_events test_asyncio.test_buffered_proto
test_asyncio.test_subprocess test_multiprocessing_fork test_multiprocessing_forkserver test_multiprocessing_spawn
""".split()


class Module:
    """What one run of one module said: {test: "ok", "failed", "skipped"}, and the output, for a look at it.
    Cut: it took too long and was ended; what was to come is not there."""

    def __init__(self, tests, output, cut):
        self.tests = tests
        self.output = output
        self.cut = cut


class Runner:
    def __init__(self, berth, network, directory):
        self.berth = berth
        self.network = network
        self.directory = directory

    def command(self, carrier, words):
        if carrier == "native":
            return words
        options = ["--express"] if carrier == "express" else []
        return [self.berth, "run", "--net", self.network] + options + ["--"] + words

    def run(self, carrier, module, only=None):
        """Only: one test's name. Each run has a directory of its own: the tests leave files."""
        directory = tempfile.mkdtemp(prefix=module + ".", dir=self.directory)
        report = os.path.join(directory, "report")
        cut = False
        words = [PYTHON, os.path.join(HERE, "cpython_module.py"), report, "test." + module] + ([only] if only else [])
        environment = {**os.environ, "TMPDIR": directory, "HOME": directory}
        with subprocess.Popen(self.command(carrier, words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, errors="replace", cwd=directory,
                              env=environment, start_new_session=True) as process:
            try:
                output = process.communicate(timeout=LIMIT)[0]
            except subprocess.TimeoutExpired:
                cut = True
                os.killpg(process.pid, signal.SIGKILL)
                output = process.communicate()[0] + "\n(took longer than %d s)" % LIMIT
        tests = read_report(report)
        shutil.rmtree(directory, ignore_errors=True)
        return Module(tests, output, cut)


def read_report(path):
    """{test: outcome}, or None when not even one has ended. What was to come after a sudden end is not there."""
    tests = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                outcome, _, name = line.rstrip("\n").partition(" ")
                if name and tests.get(name) != "failed":
                    tests[name] = outcome
    except OSError:
        pass
    return tests or None


def differences(native, other):
    """Tests of which the results differ. One that is not there at all has not been run; what a native run
    that was cut short has not come to is not compared."""
    return sorted(test for test in native.tests if other.tests.get(test, "not run") != native.tests[test]) + \
        sorted(test for test in other.tests if test not in native.tests and not native.cut)


def persists(runner, carrier, module, test):
    """Does it still differ, alone, each of a few times? Returns what was seen last, or None."""
    said = None
    for _ in range(TRIES):
        native = (runner.run("native", module, test).tests or {}).get(test, "not run")
        mine = runner.run(carrier, module, test)
        got = (mine.tests or {}).get(test, "not run")
        if got == native:
            return None
        said = "natively %s, by %s %s" % (native, carrier, got), mine.output
    return said


def compare(runner, expected, report, carrier, module, native, mine):
    """One module by one carrier."""
    if native.tests is None:
        report.say(True, "%s by %s # SKIP it does not end natively either" % (module, carrier))
        return
    if mine.tests is None:
        reason = expected.reason(carrier, module)
        report.say(bool(reason), "%s by %s gives a result" % (module, carrier),
                   tail(mine.output, 0 if reason else 40))
        return
    different, listed, flaky, more = 0, 0, 0, ""
    if native.cut:
        more = "#   natively it was still running after %d s and was ended: what was to come is not compared\n" % LIMIT
    for test in differences(native, mine):
        if expected.reason(carrier, test):
            listed += 1
            continue
        said = persists(runner, carrier, module, test)
        if said is None:
            flaky += 1
            more += "#   not the second time: %s\n" % test
            continue
        different += 1
        more += "#   %s: %s\n%s" % (test, said[0], tail(said[1], 30))
    same = len(native.tests) - different - listed - flaky
    report.results.append({"module": module, "carrier": carrier, "tests": len(native.tests), "same": same,
                           "expected": listed, "unsteady": flaky, "different": different})
    report.say(not different, "%s by %s: %d of %d as natively, %d known to differ, %d at the second time" %
               (module, carrier, same, len(native.tests), listed, flaky), more)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--berth", default=os.environ.get("BERTH", "berth"))
    parser.add_argument("--carrier", action="append", choices=["wire", "express"])
    parser.add_argument("--module", action="append")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--results")
    options = parser.parse_args()
    carriers = options.carrier or ["wire", "express"]
    if subprocess.run([PYTHON, "-c", "import test.test_socket"], capture_output=True, check=False).returncode:
        print("1..0 # SKIP CPython's tests are not installed (libpython3.11-testsuite)")
        return 0
    expected, report = Expected(os.path.join(HERE, "cpython.expected")), Report()
    names = set()
    with tempfile.TemporaryDirectory(prefix="berth-cpython.") as directory, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runner = Runner(options.berth, "py%d" % os.getpid(), directory)
        waiting = {(module, how): pool.submit(runner.run, how, module)
                   for module in options.module or MODULES for how in ["native"] + carriers}
        for module in options.module or MODULES:
            native = waiting[module, "native"].result()
            names.update(native.tests or {})
            names.add(module)
            for carrier in carriers:
                compare(runner, expected, report, carrier, module, native, waiting[module, carrier].result())
    for line in expected.vanished(carriers, names):
        print("# no longer different: %s" % line)
    print("1..%d" % report.number)
    if options.results:
        with open(options.results, "w", encoding="utf-8") as file:
            json.dump(report.results, file, indent=1)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
