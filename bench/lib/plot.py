# SPDX-License-Identifier: BSD-2-Clause
"""Curves as SVG, written by hand: no library, readable on light and on dark."""
import html
import math
import os

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
COLOURS = ("#2a7de1", "#e0662f", "#2f9e5b", "#a855c7", "#b8860b", "#d6336c")

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 }
.title { font-size: 14px; font-weight: 600 }
.grid { stroke: #ddd }
.axis { stroke: #888 }
@media (prefers-color-scheme: dark) { text { fill: #ccc } .grid { stroke: #3a3a3a } .axis { stroke: #888 } }
"""


class Axis:
    """From values to pixels; by decades when log is set."""

    def __init__(self, values, log, begin, end):
        self.log, self.begin, self.end = log, begin, end
        if log:
            positive = [value for value in values if value > 0] or [1]
            self.low = math.floor(math.log10(min(positive)) + 1e-9)
            self.high = max(self.low + 1, math.ceil(math.log10(max(positive)) - 1e-9))
        else:
            self.low, self.high = 0.0, (max(values) * 1.05 or 1.0)

    def at(self, value):
        place = math.log10(max(value, 10 ** self.low)) if self.log else value
        return self.begin + (self.end - self.begin) * (place - self.low) / (self.high - self.low)

    def ticks(self):
        if self.log:
            step = max(1, (self.high - self.low) // 8)
            return [10.0 ** power for power in range(self.low, self.high + 1, step)]
        step = 10 ** math.floor(math.log10(self.high))
        while self.high / step < 4:
            step /= 2
        return [step * number for number in range(int(self.high / step) + 1)]


def label(value):
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return "%g%s" % (round(value / size, 3), letter)
    return "%g" % round(value, 6)


def frame(curve, x, y):
    out = ['<text class="title" x="%d" y="22">%s</text>' % (LEFT, html.escape(curve["title"]))]
    for value in x.ticks():
        out.append('<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>' % (x.at(value), x.at(value), TOP, HEIGHT - BOTTOM))
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (x.at(value), HEIGHT - BOTTOM + 16, label(value)))
    for value in y.ticks():
        out.append('<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>' % (LEFT, WIDTH - RIGHT, y.at(value), y.at(value)))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (LEFT - 6, y.at(value) + 4, label(value)))
    out.append('<path class="axis" fill="none" d="M%d %d V%d H%d"/>' % (LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT))
    out.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' % ((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 12, html.escape(curve["x"])))
    out.append('<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>' % (
        (TOP + HEIGHT - BOTTOM) // 2, html.escape(curve["y"])))
    return out


def series(name, points, colour, x, y, number):
    dots = ["%.1f,%.1f" % (x.at(a), y.at(b)) for a, b in points]
    out = ['<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (colour, " ".join(dots))]
    for dot, (a, b) in zip(dots, points):
        cx, cy = dot.split(",")
        out.append('<circle cx="%s" cy="%s" r="3" fill="%s"><title>%s: %s at %s</title></circle>' % (
            cx, cy, colour, html.escape(name), label(b), label(a)))
    row = TOP + 12 + 20 * number
    out.append('<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="%s" stroke-width="3"/>' % (
        WIDTH - RIGHT + 12, WIDTH - RIGHT + 28, row - 4, row - 4, colour))
    out.append('<text x="%d" y="%d">%s</text>' % (WIDTH - RIGHT + 34, row, html.escape(name)))
    return out


def draw(curve):
    """One SVG: {"title", "x", "y", "log_x", "log_y", "series": {name: [[x, y], ...]}}."""
    points = [point for each in curve["series"].values() for point in each]
    x = Axis([point[0] for point in points], curve.get("log_x", True), LEFT, WIDTH - RIGHT)
    y = Axis([point[1] for point in points], curve.get("log_y", True), HEIGHT - BOTTOM, TOP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">' % (WIDTH, HEIGHT),
           "<title>%s</title>" % html.escape(curve["title"]), "<style>%s</style>" % STYLE] + frame(curve, x, y)
    for number, (name, each) in enumerate(curve["series"].items()):
        out += series(name, each, COLOURS[number % len(COLOURS)], x, y, number)
    return "\n".join(out + ["</svg>"]) + "\n"


def write_all(directory, curves):
    os.makedirs(directory, exist_ok=True)
    for curve in curves:
        if any(curve["series"].values()):
            with open(os.path.join(directory, curve["id"] + ".svg"), "w", encoding="utf-8") as file:
                file.write(draw(curve))
