#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A short part of CPython's own network tests; `make test-programs` runs them all, by both carriers.
. "$(dirname "$0")/lib.sh"

[ -z "${BERTH_SANITIZED:-}" ] || skip_all "run without sanitizers"
"$PYTHON" -c 'import test.test_socket' 2>/dev/null || skip_all "libpython3.11-testsuite is not installed"
"$PYTHON" "$PROGRAMS/cpython.py" --berth "$BERTH" --carrier wire --module test_epoll --module test_select \
	--module test_smtpd --module test_asyncio.test_sock_lowlevel --module test_asyncio.test_streams --module test_httplib >said 2>&1
status=$?
sed 's/^/# /' said
[ $status -eq 0 ]
ok $? "they come out as on the real kernel"
finish
