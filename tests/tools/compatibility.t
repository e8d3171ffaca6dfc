#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# docs/compatibility.md has every test of tests/programs, and no other.
cd "$(dirname "$0")/../.." || exit 1
echo 1..2
said=$(/usr/bin/python3 tools/compatibility-page --check)
status=$?
[ $status -eq 0 ] && echo "ok 1 - the page and the tests agree" || { echo "not ok 1 - the page and the tests agree"; sed 's/^/# /' <<<"$said"; }
# And would it see it?
copy=$(mktemp -d) && cp -r docs tools tests "$copy" 2>/dev/null
printf '# Program: a\n# Needs: b\n# Packages: c\n# Shows: d\n' >"$copy/tests/programs/new.t"
/usr/bin/python3 "$copy/tools/compatibility-page" --check >/dev/null
[ $? -eq 1 ] && echo "ok 2 - a test that is not on the page is seen" || echo "not ok 2 - a test that is not on the page is seen"
rm -rf "$copy"
