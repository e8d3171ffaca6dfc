# SPDX-License-Identifier: BSD-2-Clause
"""A line's result: made of rounds, kept for JSON, shown on the terminal."""
import limits
from figures import percent, ratio, short, summary

RIVALS = {"kernel": "kernel", "lwip": "lwIP", "slirp4netns": "slirp4netns", "pasta": "pasta", "veth": "veth"}


def met(bar, result):
    value = result["figures"]["berth"]["median"] if bar.to is None else result["ratios"].get(bar.to)
    if value is None:
        return None
    return value <= bar.value if result["less"] else value >= bar.value


def result_of(bench, part, line, taken):
    """taken: rival to its rounds; "berth" is ours."""
    figures = {name: summary(rounds) for name, rounds in taken.items() if rounds}
    if "berth" not in figures:
        return None
    result = {"id": line.id, "part": part, "what": line.what, "unit": line.unit, "less": line.less, "figures": figures,
              "ratios": {name: ratio(taken["berth"], taken[name]) for name in figures if name != "berth" and any(taken[name])}}
    if line.bar:
        result["bar"] = {"text": line.bar.text, "to": line.bar.to, "value": line.bar.value}
        result["bar"]["met"] = met(line.bar, result)
    limit = limits.of(bench, line.limit)
    if limit:
        ours = figures["berth"]["median"]
        share = (limit[0] / ours if ours > 0 else None) if line.less else ours / limit[0]
        result["limit"] = {"figure": limit[0], "what": limit[1], "share": share}
    return result


def rivals_of(result):
    return ", ".join("%s %s (%s)" % (RIVALS.get(name, name), short(figure["median"]), "%.2f" % result["ratios"][name]
                                     if name in result["ratios"] else "-")
                     for name, figure in result["figures"].items() if name != "berth")


def verdict(result):
    bar = result.get("bar")
    return "" if not bar else {True: "met", False: "MISSED", None: "?"}[bar["met"]]


def show_head(title):
    print("\n%s\n  %-46s %-7s %10s %21s  %-44s %-32s %-7s %s" %
          (title, "", "", "Berth", "(least - most)", "rivals (ratio)", "bar", "", "of the limit"), flush=True)


def show(result):
    figure = result["figures"]["berth"]
    limit = result.get("limit")
    share = percent(limit["share"]) if limit and limit["share"] else ""
    print("  %-46s %-7s %10s %21s  %-44s %-32s %-7s %s" %
          (result["what"][:46], result["unit"], short(figure["median"]),
           "%s - %s" % (short(figure["least"]), short(figure["most"])), rivals_of(result)[:60],
           result.get("bar", {}).get("text", ""), verdict(result), share), flush=True)


def add(bench, part, line, taken):
    result = result_of(bench, part, line, taken)
    if result:
        bench.lines.append(result)
        show(result)
