#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every option that there could be, on TCP and UDP sockets of both families, as this machine's Linux answers and as Berth
# does. What Berth has is as there, but for the list below; what it has not is ENOPROTOOPT, never taken and ignored.
. "$(dirname "$0")/lib.sh"

sweep=$PROGRAMS/option_sweep.py
"$PYTHON" "$sweep" >native
like "$(wc -l <native)" '^2[0-9]{4}$' "Linux was asked for every option"

# LEVEL OPTION: why Berth's answer may be another. Options that need a privilege on Linux need none here: a network of
# one's own is one's own.
cat >known <<'END'
SOCKET 1 SO_DEBUG: a privilege
SOCKET 12 SO_PRIORITY: a privilege above 6
SOCKET 16 SO_PASSCRED: taken and without effect, as on Linux until 6.15
SOCKET 34 SO_PASSSEC: the same
SOCKET 60 SO_ZEROCOPY: not there, so that programs copy
SOCKET 61 SO_TXTIME: a privilege
SOCKET 62 SO_BINDTOIFINDEX: no such interface
SOCKET 69 SO_PREFER_BUSY_POLL: a privilege
SOCKET 70 SO_BUSY_POLL_BUDGET: a privilege
SOCKET 74 SO_TXREHASH: not there
SOCKET 76 SO_PASSPIDFD: Linux until 6.15 took it
SOCKET 80 SO_DEVMEM_DONTNEED: not there
SOCKET 83 SO_PASSRIGHTS: Linux until 6.15 did not know it
IP 4 IP_OPTIONS: connections send none here
IP 19 IP_TRANSPARENT: a privilege
IP 41 IP_MSFILTER: another order of checks
TCP 31 TCP_ULP: not there
IPV6 16 IPV6_UNICAST_HOPS: 0 is not taken
IPV6 62 IPV6_DONTFRAG: an int is wanted
IPV6 75 IPV6_TRANSPARENT: a privilege
END
different() { # FILE: LEVEL OPTION what value sockets, where neither the answers are the same nor Berth's is that it has none
	paste -d ' ' native "$1" | awk '
		NR == FNR { known[$1 " " $2]; next }
		($5 != $11 && $11 != "ENOPROTOOPT") || ($6 != $12 && $12 != "ENOPROTOOPT") {
			if (!($2 " " $3 in known)) print $1, $2, $3, $4 ": set", $5, "get", $6 "; here set", $11, "get", $12
		}' known -
}
# "ok" of an option that Linux does not have would be one that is taken and ignored.
ignored() { paste -d ' ' native "$1" | awk '$5 == "ENOPROTOOPT" && $11 == "ok" { print $1, $2, $3, $4 }'; }

for way in wire express; do
	express=()
	[ $way = wire ] || express=(--express)
	"$BERTH" run --net "$NET" "${express[@]}" -- "$PYTHON" "$sweep" >berth 2>err
	is $? 0 "$way: the program comes to its end"
	is "$(wc -l <berth)" "$(wc -l <native)" "$way: Berth was asked the same"
	is "$(different berth | head -n 20)" "" "$way: what Berth has is as on Linux, but for what is listed"
	is "$(ignored berth | head -n 20)" "" "$way: nothing is taken that Linux does not know"
done
finish
