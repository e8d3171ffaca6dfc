#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What was built here is built again elsewhere, byte for byte.
cd "$(dirname "$0")/../.." || exit 1
echo 1..1
sentence="berth and libberth are the same bytes when they are built again elsewhere"
if [ -n "${BERTH_SANITIZED:-}" ]; then
	echo "ok 1 - $sentence # SKIP what is shipped is not sanitized"
	exit 0
fi
if said=$(tools/reproducible "${BUILD:-build}" 2>&1); then
	echo "ok 1 - $sentence"
else
	echo "not ok 1 - $sentence"
	sed 's/^/# /' <<<"$said"
fi
