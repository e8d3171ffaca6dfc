#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: Chromium, headless
# Needs: chromium
# Packages: chromium
# Shows: a page from a host by name, with its script run and what it fetches
. "$(dirname "$0")/lib.sh"

start_web
cat >files/index.html <<'END'
<!doctype html><title>t</title><p id=p>not yet</p>
<script>fetch('/data.txt').then((r) => r.text()).then((t) => { document.getElementById('p').textContent = 'fetched ' + t; });</script>
END
echo "by the page" >files/data.txt
said=$(timeout -k 5 $((90 * slow)) "$BERTH" run --net "$NET" --name browser ${CARRIER[@]+"${CARRIER[@]}"} -- chromium --headless --no-sandbox \
	--disable-gpu --disable-dev-shm-usage --user-data-dir="$WORK/profile" --virtual-time-budget=10000 --dump-dom http://web/ 2>chromium.err)
like "$said" "fetched by the page" "the page is loaded, and what its script fetches"
finish
