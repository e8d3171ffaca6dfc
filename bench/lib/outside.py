# SPDX-License-Identifier: BSD-2-Clause
"""Linux's TCP at the other end of a device: TAP and veth, beside slirp4netns, pasta, and the kernel on a veth.

All of it happens in network namespaces of our own, so it is for root. The
machine's side is namespace "home" with a sink and a source of bulk (peer.c).
"""
import os
import shutil
import subprocess
import time

import table
from figures import Missing, in_rounds, said

SINK, SOURCE = 7501, 7502
SECONDS = 0.8
LONGEST = 15  # seconds, of one conversation that does not get on
PATIENCE = 100  # tenths of a second


class World:
    """Namespaces and what runs in them; close() ends all of it."""

    def __init__(self, bench):
        self.bench, self.made, self.processes = bench, [], []
        self.peer, self.device = bench.program("bench/peer"), bench.program("bench/device")

    def name(self, which):
        return "berth-bench-%d-%s" % (os.getpid(), which)

    def space(self, which):
        said(["ip", "netns", "add", self.name(which)])
        self.made.append(self.name(which))
        said(["ip", "-n", self.name(which), "link", "set", "lo", "up"])

    def at(self, which, *words):
        return ["ip", "netns", "exec", self.name(which), *words]

    def do(self, which, text):
        said(self.at(which, *text.split()))

    def background(self, which, *words):
        process = subprocess.Popen(self.at(which, *words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def serve(self, which):
        self.background(which, self.peer, "sink", str(SINK))
        self.background(which, self.peer, "source", str(SOURCE))

    def kernel(self, which, direction, address):
        return float(said(self.at(which, self.peer, direction, address, str(SINK if direction == "up" else SOURCE),
                                  str(SECONDS)), LONGEST))

    def berth(self, which, direction, device, mtu, address, peer, plain=False):
        return float(said(self.at(which, self.device, direction, device, address, peer,
                                  str(SINK if direction == "up" else SOURCE), str(SECONDS), str(mtu),
                                  *(["plain"] if plain else [])), LONGEST))

    def wait_for(self, which, device):
        """Until somebody has given the namespace a device that is up."""
        for _ in range(PATIENCE):
            text = subprocess.run(self.at(which, "ip", "-4", "-br", "address", "show", "up"), capture_output=True, text=True)
            if device + " " in text.stdout:
                return
            time.sleep(0.1)
        raise RuntimeError("%s does not come up" % device)

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def tap(world, mtu):
    name = "tap%d" % mtu
    world.do("home", "ip tuntap add dev %s mode tap" % name)
    subnet = "10.98.%d" % (mtu % 256)
    world.do("home", "ip address add %s.1/24 dev %s" % (subnet, name))
    world.do("home", "ip link set dev %s mtu %d up" % (name, mtu))
    return lambda direction, plain=False: world.berth("home", direction, "tap:" + name, mtu, subnet + ".2/24", subnet + ".1", plain)


def slirp4netns(world, mtu):
    if not shutil.which("slirp4netns"):
        raise Missing("slirp4netns is not installed: apt-get install slirp4netns")
    space = "slirp%d" % mtu
    world.space(space)
    world.background("home", "slirp4netns", "--configure", "--mtu=%d" % mtu, "--netns-type=path",
                     "/run/netns/" + world.name(space), "tap0")
    world.wait_for(space, "tap0")
    return lambda direction, plain=False: world.kernel(space, direction, "10.0.2.2")


def pasta(world, mtu):
    if not shutil.which("pasta"):
        raise Missing("pasta is not installed: apt-get install passt")
    space = "pasta%d" % mtu
    world.space(space)
    world.background("home", "pasta", "-f", "-q", "--runas", "0", "--config-net", "-m", str(mtu), "-t", "none", "-u", "none",
                     "-T", "none", "-U", "none", "--netns", "/run/netns/" + world.name(space))
    world.wait_for(space, "out0")
    return lambda direction, plain=False: world.kernel(space, direction, "192.0.2.1")


def taps(bench, wanted):
    """A world for TAP and its rivals; pasta takes its addresses from a device with a default route."""
    world = World(bench)
    try:
        world.space("home")
        world.serve("home")
        for text in ("add out0 type veth peer name out1", "set out1 up", "set out0 up"):
            world.do("home", "ip link " + text)
        world.do("home", "ip address add 192.0.2.2/24 dev out0")
        world.do("home", "ip route add default via 192.0.2.1")
        for mtu in (1500, 65520):
            lines = [line for line in wanted if line.id.split("-")[2] == str(mtu)]
            ways = {}
            for rival, make in (("berth", tap), ("slirp4netns", slirp4netns), ("pasta", pasta)) if lines else ():
                try:
                    ways[rival] = make(world, mtu)
                except (Missing, RuntimeError) as why:
                    bench.skip("MTU %d, %s" % (mtu, rival), why, [line.id for line in lines] if rival == "berth" else ())
            for line in lines:
                one = {rival: (lambda way=way: way(line.id.split("-")[1], line.id.endswith("plain"))) for rival, way in ways.items()}
                table.add(bench, "outside", line, in_rounds(bench, line.what, one, 3, [line.id]))
    finally:
        world.close()


def make_veth(world):
    """Between home, 10.99.0.1, and other, 10.99.0.2."""
    world.space("home")
    world.space("other")
    world.do("home", "ip link add veth0 type veth peer name veth0 netns " + world.name("other"))
    for number, space in enumerate(("home", "other"), 1):
        world.do(space, "ip address add 10.99.0.%d/24 dev veth0" % number)
        world.do(space, "ip link set veth0 up")


def offloads(world, on):
    if not shutil.which("ethtool"):
        raise Missing("ethtool is not installed: apt-get install ethtool")
    for space in ("home", "other"):
        world.do(space, "ethtool -K veth0 tso {0} gso {0} gro {0} tx {0} rx {0}".format("on" if on else "off"))


def veths(bench, wanted):
    """Berth's AF_PACKET, or AF_XDP, at one end of a veth, the kernel at the other; and the kernel at both."""
    world = World(bench)
    try:
        make_veth(world)
        world.serve("home")
        for line in wanted:
            _, direction, kind = line.id.split("-")
            offloads(world, kind == "offloads")
            by = lambda driver: world.berth("other", direction, driver + ":veth0", 1500, "10.99.0.3/24", "10.99.0.1",  # noqa: E731
                                            kind != "offloads")
            ways = {"berth": lambda: by("xdp" if kind == "xdp" else "packet"),
                    "veth": lambda: world.kernel("other", direction, "10.99.0.1")}
            if kind == "xdp":
                ways["AF_PACKET"] = lambda: by("packet")
            table.add(bench, "outside", line, in_rounds(bench, line.what, ways, 3, [line.id]))
    finally:
        world.close()


def run(bench, lines):
    if os.geteuid() != 0:
        bench.skip("TAP and veth", "making devices and namespaces is for root: run make bench as root", [line.id for line in lines])
        return
    for kind, part in (("tap", taps), ("veth", veths)):
        wanted = [line for line in lines if line.id.startswith(kind)]
        if wanted:
            try:
                part(bench, wanted)
            except (Missing, RuntimeError, OSError) as why:
                bench.skip(kind + ", berth", why, [line.id for line in wanted])
