#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The demo itself, as make demo runs it.
keep_root=1 # the demo drops what it does not need
. "$(dirname "$0")/lib.sh"
need curl nginx redis-server redis-benchmark

began=$SECONDS
"$lib_top/demo/demo.sh" "${BUILD:-$lib_top/build}" >demo.log 2>&1
status=$?
ok $status "make demo shows what it says, and every check in it holds"
sed 's/^/# /' demo.log
[ $((SECONDS - began)) -lt $((60 * slow)) ]
ok $? "in under a minute ($((SECONDS - began)) s)"
finish
