# SPDX-License-Identifier: BSD-2-Clause
"""What is asked of etcd here, by its HTTP gateway; standard library only.

write    put k1, k2, … for ever, to whoever answers; print each one that was acknowledged
leaders  print each member that answers, and who leads as it sees it ("none")
leader   print the leader, when all three agree who it is; else fail
keys N   print the keys from k1 on that member eN has of its own (no questions to the others)
"""
import base64
import itertools
import json
import sys
import time
import urllib.request

MEMBERS = ["e1", "e2", "e3"]


def ask(member, what, body, timeout=2):
    request = urllib.request.Request("http://%s:2379/v3/%s" % (member, what), json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


def coded(text):
    return base64.b64encode(text.encode()).decode()


def write():
    """Stay with a member as long as it answers. A key may be put twice, which does no harm."""
    member = 0
    for number in itertools.count(1):
        key = "k%d" % number
        while True:
            try:
                ask(MEMBERS[member], "kv/put", {"key": coded(key), "value": coded(key)}, 1)
                break
            except OSError:
                member = (member + 1) % len(MEMBERS)
                time.sleep(0.05)
        print(key, MEMBERS[member])
        time.sleep(0.02)


def views():
    """Who leads, as each sees it."""
    names, seen = {}, {}
    for member in MEMBERS:
        try:
            status = ask(member, "maintenance/status", {})
        except OSError:
            continue
        names[status["header"]["member_id"]] = member
        seen[member] = status.get("leader", "0")
    return {member: names.get(number, "none") for member, number in seen.items()}


def leaders():
    for member, name in views().items():
        print(member, name)


def leader():
    seen = views()
    if len(seen) < len(MEMBERS) or len(set(seen.values())) > 1 or "none" in seen.values():
        sys.exit("no leader that all agree on: %s" % seen)
    print(seen[MEMBERS[0]])


def keys(member):
    found = ask(member, "kv/range", {"key": coded("k"), "range_end": coded("l"), "serializable": True}, 10)
    for pair in found.get("kvs", []):
        print(base64.b64decode(pair["key"]).decode())


{"write": write, "leaders": leaders, "leader": leader, "keys": keys}[sys.argv[1]](*sys.argv[2:])
