#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tools/check-layers: the tree obeys the layer rule, and a violation would be found.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
number=0

ok() { # STATUS SENTENCE
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}

# A tiny tree that obeys, with one line added to one file; must be refused, naming file and line.
refused() { # FILE LINE SENTENCE
	rm -rf "$scratch/tree"
	mkdir -p "$scratch/tree"/{tools,src/{base,wire,core/tcp,os,cli,run},examples,include/berth}
	cp "$top/tools/layers.txt" "$scratch/tree/tools/"
	echo '#include <stdint.h>' | tee "$scratch/tree/src"/{base/a.h,wire/b.h,core/tcp/c.c,os/d.h,cli/e.c,run/run.h,run/f.h} \
		>"$scratch/tree/examples/g.c"
	if ! "$top/tools/check-layers" "$scratch/tree" >"$scratch/out"; then
		sed 's/^/# /' "$scratch/out"
		ok 1 "$3 (the clean tree passes)"
		return
	fi
	echo "$2" >>"$scratch/tree/$1"
	if "$top/tools/check-layers" "$scratch/tree" >"$scratch/out"; then
		ok 1 "$3"
	else
		sed 's/^/# /' "$scratch/out"
		grep -q "^$1:2: " "$scratch/out"
		ok $? "$3"
	fi
}

"$top/tools/check-layers" >"$scratch/out"
status=$?
sed 's/^/# /' "$scratch/out"
ok $status "the tree obeys tools/layers.txt"

refused src/base/a.h '#include "wire/b.h"' "base may not include wire"
refused src/core/tcp/c.c '#include "os/d.h"' "core may not include os, from any depth"
refused src/core/tcp/c.c '#include <unistd.h>' "core may not include a system-call header"
refused src/wire/b.h '#include <sys/epoll.h>' "wire may not include a system-call header"
refused src/core/tcp/c.c 'void f(void) { printf("x"); }' "core may not print"
refused src/cli/e.c '#include "run/f.h"' "cli may include run/run.h and nothing else of run"
refused src/os/d.h '#include "nosuch/x.h"' "a folder without a rule is found"
refused examples/g.c '#include "base/a.h"' "an example may include only <berth/...>"
echo "1..$number"
