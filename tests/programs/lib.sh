# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What the tests of programs share, beyond tests/e2e/lib.sh. A test says in
# its head what it is about, for tools/test-programs and docs/compatibility.md:
#
#	# Program: what docs/compatibility.md calls it
#	# Needs: tools without which it is skipped
#	# Packages: Debian's, which bring them
#	# Shows: what is looked at
#	# CI: yes, when `make test` runs it, too: short, and worth it ("yes, with sanitizers": twice)
#
# BERTH_CARRIER=express runs everything by express.
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"

PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')
# shellcheck disable=SC2046 # a list of words
need $(sed -n 's/^# Needs: //p' "$PROGRAMS/$(basename "$0")")

# A web server on `web`: index.html, and `big`, 2 MB of which $sum is the hash. POST and PUT answer with the body's.
start_web() {
	mkdir -p files
	echo "from the server" >files/index.html
	head -c 2000000 /dev/urandom >files/big
	sum=$(sha256sum <files/big | cut -d' ' -f1)
	start web "$PYTHON" -u "$PROGRAMS/web.py" 80 "$WORK/files"
	await_port web 80
}
