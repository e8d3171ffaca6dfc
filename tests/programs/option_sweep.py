# SPDX-License-Identifier: BSD-2-Clause
"""Every number of an option at every level, set to five values and asked for: says what came of each, a line each."""
import errno
import socket

SOCKETS = {
    "tcp4": (socket.AF_INET, socket.SOCK_STREAM),
    "udp4": (socket.AF_INET, socket.SOCK_DGRAM),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM),
}
LEVELS = {"SOCKET": 1, "IP": 0, "IPV6": 41, "TCP": 6, "UDP": 17, "MPTCP": 284, "TLS": 282, "RAW": 255, "ICMPV6": 58}
VALUES = (b"\0\0\0\0", b"\1\0\0\0", b"\xef\1\1\1\0\0\0\0", b"", b"\1")
# The kernel has these load a program of the caller's or take a descriptor for one: nothing to be tried at random.
LEFT_OUT = {(1, 26), (1, 27), (1, 36)}


def outcome(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "ok"


for kind, arguments in SOCKETS.items():
    for name, level in LEVELS.items():
        for option in range(128):
            for value in VALUES if (level, option) not in LEFT_OUT else ():
                with socket.socket(*arguments) as s:
                    was_set = outcome(s.setsockopt, level, option, value)
                    print(kind, name, option, value.hex() or "-", was_set, outcome(s.getsockopt, level, option, 64))
