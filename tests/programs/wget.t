#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: wget
# Needs: wget
# Packages: wget
# Shows: a download by hash, a site mirrored
. "$(dirname "$0")/lib.sh"

start_web
mkdir -p files/a/b && echo one >files/a/one && echo two >files/a/b/two
is "$(on w1 wget -q -O - http://web/big | sha256sum | cut -d' ' -f1)" "$sum" "a download is whole"
on w2 wget -q -r -np -nH -P mirror http://web/a/ 2>/dev/null
is "$(cat mirror/a/one mirror/a/b/two | tr '\n' ' ')" "one two " "a site is mirrored"
finish
