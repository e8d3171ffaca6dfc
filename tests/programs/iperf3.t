#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: iperf3
# Needs: iperf3
# Packages: iperf3
# Shows: TCP, three streams, reverse, both ways, UDP with little loss
. "$(dirname "$0")/lib.sh"

start server iperf3 -s
await_port server 5201
ask() { # EXPRESSION OPTIONS…
	on "i$RANDOM" iperf3 -c server -t 1 -J "${@:2}" | "$PYTHON" -c "import json, sys; e = json.load(sys.stdin)['end']; print($1)"
}
is "$(ask 'e["sum_received"]["bytes"] > 1e7')" True "one stream"
is "$(ask 'len(e["streams"]) == 3 and e["sum_received"]["bytes"] > 1e7' -P 3)" True "three"
is "$(ask 'e["sum_received"]["bytes"] > 1e7' -R)" True "reverse"
is "$(ask 'e["sum_received"]["bytes"] > 1e6 and e["sum_received_bidir_reverse"]["bytes"] > 1e6' --bidir)" True "both ways"
is "$(ask 'e["sum"]["lost_percent"] < 5 and e["sum"]["packets"] > 100' -u -b 20M)" True "UDP"
is "$(ask 'e["sum"]["packets"] > 100' -u -b 20M -R)" True "UDP in reverse"
finish
