#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""CPython's own network tests: on the real kernel, and under Berth by wire and by express, test by test.

usage: cpython.py [--berth BERTH] [--carrier wire|express]... [--module NAME]... [--jobs N] [--results FILE]

A module is run natively first: what fails or hangs there is said, and what
hangs there is not compared. What comes out otherwise than natively is tried
again, natively and under Berth, the one test alone; what stays different must be
in cpython.expected, with its reason, or it is a failure. What is listed there
and no longer differs is said, so that the list can shrink. Output is TAP, one
line a module and carrier. Debian has the tests in libpython3.11-testsuite.

A test that says nothing for STALL seconds hangs: it is ended, with all that its
module has started, and the module goes on after it. So this comes to its end.
"""
import argparse
import concurrent.futures
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from differences import Expected, Report, tail

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
STALL = 90  # seconds without a word; the longest test takes 20 natively
LIMIT = 600  # seconds a module; the longest takes 70
HANGS = 3  # so many, and the module is given up
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
    """What one run of one module said: {test: "ok", "failed", "skipped", "hangs"}, or None when not even one
    has begun, and the output, for a look at it. Cut: it was given up; what was to come is not there."""

    def __init__(self, tests, output, cut):
        self.tests = tests
        self.output = output
        self.cut = cut

    def those(self, outcome):
        return sorted(test for test, came in (self.tests or {}).items() if came == outcome)


def marked(mark):
    """Processes whose environment has mark: whatever session or parent they have by now."""
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with open("/proc/%s/environ" % entry.name, "rb") as file:
                    if mark.encode() in file.read():
                        yield int(entry.name)


def end_marked(mark):
    for _ in range(20):
        found = list(marked(mark))
        if not found:
            return
        for process in found:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)


class Runner:
    def __init__(self, berth, network, directory):
        self.berth = berth
        self.network = network
        self.directory = directory

    def command(self, carrier, words, directory):
        """Each run has a network of its own: what hangs is ended with its daemon."""
        if carrier == "native":
            return words
        options = ["--express"] if carrier == "express" else []
        network = self.network + os.path.basename(directory)[-8:].replace("_", "x")
        return [self.berth, "run", "--net", network] + options + ["--"] + words

    def once(self, command, directory, report):
        """Until it ends, or hangs. Returns whether it ended by itself."""
        began = heard = time.monotonic()
        size = 0
        environment = {**os.environ, "TMPDIR": directory, "HOME": directory}
        with open(os.path.join(directory, "output"), "ab") as output:
            with subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                  cwd=directory, env=environment, start_new_session=True) as process:
                while process.poll() is None and time.monotonic() - heard < STALL and time.monotonic() - began < LIMIT:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.2)
                    now = os.path.getsize(report) if os.path.exists(report) else 0
                    if now != size:
                        heard, size = time.monotonic(), now
                ended = process.poll() is not None
                end_marked("TMPDIR=" + directory)
        return ended

    def run(self, carrier, module, only=None):
        """Only: one test's name. Each run has a directory of its own, as the tests leave files, with a short name:
        they make AF_UNIX sockets below it, and with a path that is too long many fail and some hang."""
        directory = tempfile.mkdtemp(prefix="", dir=self.directory)
        report = os.path.join(directory, "report")
        words = [PYTHON, os.path.join(HERE, "cpython_module.py"), report, "test." + module] + ([only] if only else [])
        for _ in range(HANGS):
            ended = self.once(self.command(carrier, words, directory), directory, report)
            unfinished, whole = note_unfinished(report, "failed" if ended else "hangs")
            if whole or only or not unfinished:
                break
        tests = read_report(report)
        with open(os.path.join(directory, "output"), encoding="utf-8", errors="replace") as file:
            output = file.read()
        if not ended:
            output += "\n(no word for %d s, or %d s in all: ended)" % (STALL, LIMIT)
        shutil.rmtree(directory, ignore_errors=True)
        return Module(tests, output, not whole)


def lines(path):
    """(word, test) of each line of a report."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            word, _, name = line.rstrip("\n").partition(" ")
            yield word, name


def note_unfinished(path, outcome):
    """Tests that began and did not end came out so: write it down. Returns how many, and whether the module is done."""
    begun, word = {}, ""
    for word, name in lines(path):
        begun[name] = word
    unfinished = [name for name, last in begun.items() if last == "begins"]
    if unfinished:
        with open(path, "a", encoding="utf-8") as file:
            file.write("".join("%s %s\n" % (outcome, name) for name in unfinished))
    return len(unfinished), word == "end"


def read_report(path):
    """{test: outcome}, or None when not even one has begun. What was to come after a sudden end is not there."""
    tests = {}
    for word, name in lines(path):
        if name and word != "begins" and tests.get(name) != "failed":
            tests[name] = word
    return tests or None


def differences(native, other):
    """Tests of which the results differ. One that is not there at all has not been run; what hangs natively, or
    was to come after a native run was given up, is not compared."""
    hung = native.those("hangs")
    return sorted(test for test in native.tests
                  if test not in hung and other.tests.get(test, "not run") != native.tests[test]) + \
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
    hung = len(native.those("hangs"))
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
    same = len(native.tests) - hung - different - listed - flaky
    report.results.append({"module": module, "carrier": carrier, "tests": len(native.tests) - hung, "same": same,
                           "expected": listed, "unsteady": flaky, "different": different})
    report.say(not different, "%s by %s: %d of %d as natively, %d known to differ, %d at the second time" %
               (module, carrier, same, len(native.tests) - hung, listed, flaky), more)


def say_native(report, module, native):
    """What fails or hangs without Berth."""
    failed, hung = native.those("failed"), native.those("hangs")
    for test in failed:
        print("# natively fails: %s" % test)
    for test in hung:
        print("# natively hangs, not compared: %s" % test)
    if native.cut:
        print("# natively given up: %s; what was to come is not compared" % module)
    report.results.append({"module": module, "carrier": "native", "tests": len(native.tests or {}), "failed": failed,
                           "hangs": hung, "cut": native.cut})


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
    with tempfile.TemporaryDirectory(prefix="py-") as directory, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runner = Runner(os.path.abspath(shutil.which(options.berth) or options.berth), "py%d" % os.getpid(),
                        directory)
        waiting = {(module, how): pool.submit(runner.run, how, module)
                   for module in options.module or MODULES for how in ["native"] + carriers}
        for module in options.module or MODULES:
            native = waiting[module, "native"].result()
            names.update(native.tests or {})
            names.add(module)
            say_native(report, module, native)
            for carrier in carriers:
                compare(runner, expected, report, carrier, module, native, waiting[module, carrier].result())
    for line in expected.vanished(carriers, names):
        print("# no longer different: %s" % line)
    print("1..%d" % report.number)
    if options.results:
        with open(options.results, "w", encoding="utf-8") as file:
            json.dump({"modules": report.results, "failed": report.failures}, file, indent=1)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
