#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The Python client: others can use the control API. And /metrics, as Prometheus would read it.
. "$(dirname "$0")/lib.sh"

PYTHONPATH=$(dirname "$0")/../../clients/python
export PYTHONPATH
cat >test_net.py <<'END'
import itertools, os, time
import berth

def check(name, ok, detail=""):
    print(f"{'ok' if ok else 'BAD'} {name} {detail if not ok else ''}", flush=True)

def until(what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what(): return True
        time.sleep(0.02)
    return False

with berth.Network() as net:
    os.mkdir("files"); open("files/page", "w").write("hello")
    net.run("python3", "-m", "http.server", "80", "-d", "files", name="web", background=True, stdout=-3, stderr=-3)
    net.await_port("web", 80)
    stop = net.capture("x.pcapng", host="web")
    check("run", net.run("curl", "-s", "http://web/page").stdout == "hello")
    stop()
    check("capture", os.path.getsize("x.pcapng") > 1000)
    check("hosts", [h["name"] for h in net.hosts()] == ["web"])
    check("sockets", any(s["state"] == "LISTEN" and s["local"]["port"] == 80 for s in net.sockets("web")))
    net.link("web", delay="40ms", loss="0.5%")
    check("link", any(l["from"] == "web" and "delay 40ms" in l["conditions"] for l in net.links()))
    net.reset_links()
    check("reset", all(l["conditions"] == "perfect" for l in net.links()))
    net.run("sleep", "1000", name="other", background=True)
    until(lambda: len(net.hosts()) == 2)
    net.partition(["web"], ["other"])
    check("partition", sum("cut" in l["conditions"] for l in net.links()) == 2)
    net.heal()
    check("heal", not any("cut" in l["conditions"] for l in net.links()))
    check("events", any(e.get("what") == "connect" for e in net.events(kinds="call")))
    follower = net.events(follow=True, kinds="link")
    net.link("other", "web", direction="out", delay="1ms")
    check("follow", any(e["host"] == "other" and "1ms" in e["text"] for e in itertools.islice(follower, 20)))
    follower.close()
    check("counters", net.counters()["web"]["LINK_IN"] > 0)
    net.pause("web"); net.resume("web")
    check("reset_connections", net.reset_connections("web") == 0)
    for wrong in (lambda: net.link("nobody", delay="1ms"), lambda: net.link("web", delay="soon"), lambda: net.pause("nobody"),
                  lambda: list(net.events(kinds="bogus")), lambda: berth.Network("not-there").hosts(), lambda: net.run("false")):
        try:
            wrong(); check("error", False)
        except berth.Error as e:
            check("error", len(str(e)) > 10, e)
    text = net.metrics()
    open("metrics", "w").write(text)
check("ended", until(lambda: not os.path.exists(net._path())))
END
"$PYTHON" test_net.py >out 2>err
is "$?/$(grep -vc '^ok' out)/$(cat err)" "0/0/" "the client does what it says"
note "$(grep -v '^ok' out)"
is "$(grep -c '^ok' out)" 19 "… all of it"
like "$(cat out)" "^ok follow" "… following events"
is "$(tail -n 1 metrics)" "# EOF" "metrics: OpenMetrics ends so"
is "$("$PYTHON" - <<'END'
import re
types, seen, bad = {}, [], []
for line in open("metrics").read().splitlines():
    if line.startswith("# TYPE"):
        name, kind = line.split()[2:]
        if name in types: bad.append(line)
        types[name] = kind; seen.append(name)
    elif not line.startswith("#"):
        m = re.fullmatch(r'([a-z_]+)(\{([a-z]+="[^"\\]*",?)*\})? [0-9.]+', line)
        family = seen[-1]
        suffix = {"counter": "_total", "info": "_info", "gauge": ""}[types[family]]
        if not m or m.group(1) != family + suffix: bad.append(line)
print(bad, len(types) >= 7)
END
)" "[] True" "… each family once, with its samples below it"
if "$PYTHON" -c 'import pytest' 2>/dev/null; then
	echo 'from berth import berth_network' >conftest.py
	cat >test_it.py <<'END'
def test_two_hosts_talk(berth_network):
    berth_network.run("python3", "-m", "http.server", "80", name="web", background=True, stdout=-3, stderr=-3)
    berth_network.await_port("web", 80)
    assert "conftest.py" in berth_network.run("curl", "-s", "http://web/").stdout
END
	"$PYTHON" -m pytest -q -p no:cacheprovider test_it.py >out 2>&1
	is "$?" 0 "the pytest fixture"
else
	skip "the pytest fixture" "pytest is not installed"
fi
finish
