#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Frames for a host that did nothing to deserve them.

usage: attack.py DEVICE SEED SECONDS [FRAMES]

Valid frames of every kind (ARP, NDP, IPv4 and IPv6, TCP, UDP, ICMP, fragments
that overlap) for 10.66.0.2 and fd66::2, most of them then damaged: bits turned,
bytes changed, lengths made large or small, ends cut off or added; checksums
repaired for half of them, so that parsers further in get to see it. The same
seed gives the same frames. Prints how many were sent.

Two things are left out, because nobody on an Ethernet can defend himself there:
frames that claim the honest client's address by ARP or NDP.
"""
import random
import socket
import struct
import sys
import time

US4, US6 = socket.inet_aton("10.66.0.2"), socket.inet_pton(socket.AF_INET6, "fd66::2")
CLIENT4, CLIENT6 = socket.inet_aton("10.66.0.1"), socket.inet_pton(socket.AF_INET6, "fd66::1")
PORTS = (80, 80, 80, 7, 7, 0, 1, 22, 81, 65535)


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Maker:
    def __init__(self, seed, device_mac):
        self.random = random.Random(seed)
        self.mac = device_mac
        self.target = bytes.fromhex("02be27480002")  # attacked.c's
        self.kinds = [self.arp, self.tcp, self.tcp, self.tcp, self.udp, self.icmp, self.fragments, self.extensions,
                      self.neighbours, self.groups, self.noise]

    def bytes(self, most):
        return self.random.randbytes(self.random.choice((0, 1, 8, 40, self.random.randrange(most))))

    def source(self, six):
        number = self.random.randrange(0x80, 0x100)
        if six:
            return CLIENT6[:14] + bytes((self.random.randrange(1, 4), number))
        return bytes((10, 66, self.random.choice((0, 0, 7)), number))

    def ethernet(self, kind, payload, to=None):
        return (to or self.target) + self.mac + struct.pack("!H", kind) + payload

    def ip4(self, protocol, payload, source=None, ident=None, fragment=0, options=b""):
        words = 5 + len(options) // 4
        ident = self.random.randrange(65536) if ident is None else ident
        header = struct.pack("!BBHHHBBH", 0x40 | words, self.random.choice((0, 0, 1, 2, 3, 255)),
                             words * 4 + len(payload), ident, fragment,
                             self.random.choice((64, 64, 64, 1, 0, 255)), protocol, 0)
        header += (source or self.source(False)) + US4 + options
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        return self.ethernet(0x0800, header + payload)

    def ip6(self, protocol, payload, source=None, destination=US6, hops=64):
        header = struct.pack("!IHBB", 6 << 28 | self.random.randrange(1 << 28), len(payload), protocol, hops)
        return self.ethernet(0x86DD, header + (source or self.source(True)) + destination + payload)

    def summed(self, six, protocol, segment, at, destination=None, hops=64):
        """segment in an IP packet, its checksum, at offset at, computed."""
        source = self.source(six)
        there = destination or (US6 if six else US4)
        pseudo = source + there
        pseudo += struct.pack("!II", len(segment), protocol) if six else struct.pack("!HH", protocol, len(segment))
        segment = segment[:at] + b"\0\0" + segment[at + 2:]
        segment = segment[:at] + struct.pack("!H", checksum(pseudo + segment)) + segment[at + 2:]
        if six:
            return self.ip6(protocol, segment, source, there, hops)
        return self.ip4(protocol, segment, source)

    def arp(self):
        operation = self.random.choice((1, 1, 2, 2, 0, 9))
        sender = self.random.choice((self.source(False), US4, b"\0" * 4, b"\xff" * 4))
        target = self.random.choice((US4, US4, self.source(False), sender))
        message = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + self.random.randbytes(6) + sender
        return self.ethernet(0x0806, message + self.random.randbytes(6) + target, b"\xff" * 6)

    def tcp_options(self):
        kinds = (b"\1", b"\2\4\5\xb4", b"\2\4\0\0", b"\3\3\xff", b"\4\2", b"\x08\x0a" + b"\0" * 8,
                 b"\5\x0a" + self.random.randbytes(8), b"\x22\x0a" + b"c" * 8, b"\x05\2",
                 bytes((self.random.randrange(256), self.random.randrange(42))))
        options = b"".join(self.random.choice(kinds) for _ in range(self.random.randrange(5)))[:40]
        return options + b"\0" * (-len(options) % 4)

    def tcp(self):
        options = self.tcp_options()
        flags = self.random.choice((0x02, 0x02, 0x10, 0x18, 0x04, 0x14, 0x11, 0x29, 0x3F, 0, 0xC2,
                                    self.random.randrange(512)))
        segment = struct.pack("!HHIIHHHH", self.random.choice((1024, self.random.randrange(65536))),
                              self.random.choice(PORTS), self.random.randrange(1 << 32), self.random.randrange(1 << 32),
                              (5 + len(options) // 4) << 12 | flags, self.random.choice((0, 1, 65535)), 0,
                              self.random.randrange(3)) + options
        return self.summed(self.random.random() < 0.4, 6, segment + self.bytes(1400), 16)

    def udp(self):
        data = self.bytes(1400)
        header = struct.pack("!HHHH", self.random.randrange(65536), self.random.choice(PORTS + (67, 68, 53)),
                             8 + len(data), 0)
        return self.summed(self.random.random() < 0.4, 17, header + data, 6)

    def quoted(self, six):
        """A packet of ours that an error message would bring back."""
        inner = struct.pack("!HHI", self.random.choice((80, 7, 5000)), self.random.randrange(65536),
                            self.random.randrange(1 << 32))
        frame = self.ip6(6, inner, US6, CLIENT6) if six else self.ip4(6, inner, US4)
        return frame[14:] + self.bytes(60)

    def icmp(self):
        six = self.random.random() < 0.5
        kinds = (128, 128, 1, 2, 3, 4, 137, 100, 255) if six else (8, 8, 0, 3, 3, 4, 5, 11, 12, 13, 17, 200)
        kind = self.random.choice(kinds)
        body = self.random.randbytes(4) + (self.bytes(1200) if kind in (8, 128) else self.quoted(six))
        message = bytes((kind, self.random.choice((0, 0, 1, 3, 4, 255)), 0, 0)) + body
        if six:
            return self.summed(True, 58, message, 2)
        return self.ip4(1, message[:2] + struct.pack("!H", checksum(message)) + message[4:])

    def fragments(self):
        """Some of few datagrams, at any place: many overlap, few are ever whole."""
        offset = self.random.choice((0, 0, 1, 2, 3, 10, 8189, self.random.randrange(8192)))
        more, ident = self.random.randrange(2), self.random.randrange(40)
        data = self.random.randbytes(8 * self.random.randrange(1, 150))
        if self.random.random() < 0.5:
            header = struct.pack("!BBHI", self.random.choice((6, 17, 58, 44)), 0, offset << 3 | more, ident)
            return self.ip6(44, header + data, CLIENT6[:15] + b"\x99")
        source = bytes((10, 66, 0, 0x99))
        return self.ip4(self.random.choice((1, 6, 17)), data, source, ident, more << 13 | offset)

    def extensions(self):
        """IPv6 headers in chains; IPv4 options."""
        if self.random.random() < 0.5:
            options = bytes((self.random.choice((7, 68, 131, 137, 148, 1, 0)), self.random.randrange(42)))
            options = (options + self.random.randbytes(38))[:4 * self.random.randrange(1, 11)]
            return self.ip4(self.random.choice((1, 6, 17)), self.bytes(200), options=options)
        count, chain = self.random.randrange(1, 12), b""
        kinds = [self.random.choice((0, 43, 44, 60, 60, 135, 59)) for _ in range(count)]
        for index, kind in enumerate(kinds):
            following = kinds[index + 1] if index + 1 < len(kinds) else 6
            chain += bytes((following, self.random.choice((0, 0, 0, 1, 255)))) + self.random.randbytes(6)
        return self.ip6(kinds[0], chain + self.bytes(200))

    def neighbours(self):
        """NDP: solicitations, advertisements, routers and redirects that nobody asked for."""
        kind = self.random.choice((133, 134, 135, 135, 136, 137))
        body = self.random.randbytes(4)
        if kind in (135, 136, 137):
            body += self.random.choice((US6, self.source(True)))
        elif kind == 134:
            body += self.random.randbytes(8)
        for _ in range(self.random.randrange(4)):
            body += bytes((self.random.randrange(1, 26), self.random.choice((1, 1, 1, 0, 4))))
            body += self.random.randbytes(6)
        group = socket.inet_pton(socket.AF_INET6, "ff02::1")
        return self.summed(True, 58, bytes((kind, 0, 0, 0)) + body, 2, self.random.choice((US6, group)), 255)

    def groups(self):
        """IGMP and MLD."""
        if self.random.random() < 0.5:
            message = bytes((self.random.choice((0x11, 0x16, 0x17, 0x22)), self.random.randrange(256), 0, 0))
            message += self.bytes(100)
            return self.ip4(2, message[:2] + struct.pack("!H", checksum(message)) + message[4:])
        message = bytes((self.random.choice((130, 131, 132, 143)), 0, 0, 0)) + self.bytes(100)
        return self.summed(True, 58, message, 2, hops=1)

    def noise(self):
        kind = self.random.choice((0x0800, 0x86DD, 0x0806, 0x8100, 0x88CC, 0, 46, 1500))
        return self.ethernet(kind, self.bytes(1400))

    def damage(self, frame):
        frame = bytearray(frame)
        for _ in range(self.random.choice((0, 1, 1, 2, 4, 8))):
            at = self.random.randrange(12, max(13, min(len(frame), self.random.choice((34, 54, 74, 1500)))))
            turned = frame[at] ^ 1 << self.random.randrange(8)
            frame[at] = self.random.choice((turned, 0, 255, self.random.randrange(256)))
        if self.random.random() < 0.2:
            frame = frame[:self.random.randrange(14, len(frame) + 1)]
        elif self.random.random() < 0.1:
            frame += self.random.randbytes(self.random.randrange(1, 100))
        return self.repair(frame) if self.random.random() < 0.5 else bytes(frame)

    @staticmethod
    def repair(frame):
        """The IPv4 header's checksum again, and TCP's or UDP's where it can be found."""
        if len(frame) < 34 or frame[12:14] != b"\x08\0":
            return bytes(frame)
        length = (frame[14] & 15) * 4
        if length < 20 or len(frame) < 14 + length:
            return bytes(frame)
        frame[24:26] = b"\0\0"
        frame[24:26] = struct.pack("!H", checksum(bytes(frame[14:14 + length])))
        at = 14 + length + {6: 16, 17: 6, 1: 2, 2: 2}.get(frame[23], 1 << 16)
        if len(frame) >= at + 2:
            body = frame[14 + length:14 + max(length, frame[16] << 8 | frame[17])]
            pseudo = b""
            if frame[23] in (6, 17):
                pseudo = bytes(frame[26:34]) + struct.pack("!HH", frame[23], len(body))
            frame[at:at + 2] = b"\0\0"
            body = bytes(frame[14 + length:14 + length + len(body)])
            frame[at:at + 2] = struct.pack("!H", checksum(pseudo + body))
        return bytes(frame)

    def claims_client(self, frame):
        if frame[12:14] == b"\x08\x06":
            return CLIENT4 in frame
        return frame[12:14] == b"\x86\xdd" and CLIENT6 in frame and frame[20:21] == b"\x3a"

    def frame(self):
        frame = self.random.choice(self.kinds)()
        if self.random.random() < 0.8:
            frame = self.damage(frame)
        return None if len(frame) < 14 or self.claims_client(frame) else frame[:1514]


def main():
    device, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    most = int(sys.argv[4]) if len(sys.argv) > 4 else 1 << 62
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((device, 0))
    maker, sent, end = Maker(seed, wire.getsockname()[4]), 0, time.monotonic() + seconds
    while sent < most and time.monotonic() < end:
        frame = maker.frame()
        try:
            if frame:
                sent += wire.send(frame) > 0
        except OSError:  # the device's queue is full
            time.sleep(0.001)
    print(sent)


main()
