#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bench/bench measures, says why what it can't measure is left out, and tools/performance-page makes the page of it.
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
number=0

ok() { # STATUS SENTENCE
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; sed 's/^/# /' "$scratch/out" | tail -20; fi
}

json() { # EXPRESSION of found, true or not
	/usr/bin/python3 -c 'import json, sys; found = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' \
		"$scratch/json" "$1" >>"$scratch/out" 2>&1
}

/usr/bin/python3 bench/bench --build "$build" --quick --json "$scratch/json" --plots "$scratch/plots" \
	bulk-superframes echo-1 memory tick >"$scratch/out" 2>&1
ok $? "a few lines are measured"
json '{line["id"] for line in found["lines"]} >= {"bulk-superframes", "echo-1", "memory"} and found["machine"]["cores"] > 0'
ok $? "JSON has the lines that were asked for, and the machine"
json 'all(line["figures"]["berth"]["least"] <= line["figures"]["berth"]["median"] <= line["figures"]["berth"]["most"] and line["figures"]["berth"]["median"] > 0 for line in found["lines"])'
ok $? "every line has a median between its least and its most"
json '[line for line in found["lines"] if line["id"] == "bulk-superframes"][0]["ratios"]["kernel"] > 0 and found["limits"]["copy"]["median"] > 0'
ok $? "beside the kernel, with the limits of the machine"

! /usr/bin/python3 bench/bench --build "$build" nonsense >"$scratch/out" 2>&1 && grep -q 'no part nonsense; there are libberth' "$scratch/out"
ok $? "a part that is not there is refused, and those that are there are named"

cat >"$scratch/notes" <<'END'
bulk-superframes bulk-plain: Because of the moon.
END
/usr/bin/python3 - "$scratch/json" <<'END'
import json, sys
found = json.load(open(sys.argv[1]))
for line in found["lines"]:
    if line["id"] == "bulk-superframes":
        line["bar"]["met"] = False
found["curves"] = [{"id": "made-up", "title": "A <curve>", "x": "x", "y": "y", "series": {"Berth": [[1, 2], [10, 3], [1000, 70]]}},
                   {"id": "flat", "title": "Flat", "x": "x", "y": "y", "log_y": False, "series": {"Berth": [[1, 0.0]]}}]
found["skipped"] = [{"what": "pasta", "why": "apt-get install passt"}]
json.dump(found, open(sys.argv[1], "w"))
END
/usr/bin/python3 tools/performance-page --page "$scratch/page.md" --notes "$scratch/notes" "$scratch/json" >"$scratch/out" 2>&1 &&
	/usr/bin/python3 tools/performance-page --check --page "$scratch/page.md" >>"$scratch/out" 2>&1
ok $? "a page is made of it, that names every line of the table, measured or not"
grep -q 'Because of the moon' "$scratch/page.md" && grep -q 'apt-get install passt' "$scratch/page.md"
ok $? "it says what stops a bar that was missed, and what was left out"
/usr/bin/python3 -c 'import sys, xml.dom.minidom; [xml.dom.minidom.parse(path) for path in sys.argv[1:]]' "$scratch"/performance/*.svg \
	>"$scratch/out" 2>&1 && grep -q '(performance/made-up.svg)' "$scratch/page.md"
ok $? "curves are drawn as SVG, and shown"
grep -v 'MTU 1500, no checksums' "$scratch/page.md" >"$scratch/less.md"
! /usr/bin/python3 tools/performance-page --check --page "$scratch/less.md" >"$scratch/out" && grep -q 'no checksums' "$scratch/out"
ok $? "a page that lacks a line is seen"
echo 'nosuch: a note.' >"$scratch/notes"
! /usr/bin/python3 tools/performance-page --page "$scratch/page.md" --notes "$scratch/notes" "$scratch/json" >"$scratch/out" 2>&1 &&
	grep -q 'there is no line nosuch' "$scratch/out"
ok $? "a note on a line that is not there is refused"
/usr/bin/python3 bench/bench --build "$build" --quick --seconds 0 --json "$scratch/json" echo-1 >"$scratch/out" 2>&1
json 'not found["lines"] and any("echo-1" in one["lines"] for one in found["skipped"])' &&
	/usr/bin/python3 tools/performance-page --page "$scratch/page.md" "$scratch/json" >>"$scratch/out" 2>&1 &&
	grep -q '1-byte echo, 1 connection | not measured: the 0 s for all of it were over' "$scratch/page.md"
ok $? "when time is over nothing is begun, and the page says so in the line"
/usr/bin/python3 -c 'import sys; sys.path.insert(0, "bench/lib"); import figures, time
try:
	with figures.at_most(60, "outer"), figures.at_most(0.2, "inner"): time.sleep(30)
except RuntimeError as why:
	sys.exit(str(why) != "inner: no end within 0 s")
sys.exit(1)' >"$scratch/out" 2>&1
ok $? "what hangs is ended"
/usr/bin/python3 tools/performance-page --check >"$scratch/out" 2>&1
ok $? "docs/performance.md names every line of the table"
echo "1..$number"
