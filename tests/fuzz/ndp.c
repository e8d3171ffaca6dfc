/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbour discovery: limits hold; solicitations and advertisements survive being written. */
#include "tests/fuzz/fuzz.h"

#include "wire/icmp.h"
#include "wire/ndp.h"

static void check_neighbour(const struct wire_ndp *ndp)
{
	uint8_t bytes[WIRE_NDP_NEIGHBOUR_LENGTH + WIRE_NDP_LINK_OPTION_LENGTH] = { 0 };
	size_t length = wire_ndp_build(bytes, ndp);
	struct wire_ndp again;

	MUST(length <= sizeof(bytes));
	MUST(wire_ndp_parse(bytes, length, &again) == (int)length);
	MUST(again.type == ndp->type && ip_equal(again.target, ndp->target));
	MUST(again.router == ndp->router && again.solicited == ndp->solicited && again.override == ndp->override);
	MUST(again.has_link_address == ndp->has_link_address);
	MUST(!memcmp(again.link_address, ndp->link_address, 6));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct wire_ndp ndp;
	int r = wire_ndp_parse(bytes, size, &ndp);

	if (r < 0)
		return 0;
	MUST((size_t)r == size);
	MUST(ndp.type >= ICMP6_ROUTER_SOLICIT && ndp.type <= ICMP6_REDIRECT);
	MUST(ndp.server_count <= WIRE_NDP_SERVERS_MAX);
	MUST(ndp.prefix_count <= WIRE_NDP_PREFIXES_MAX);
	for (int i = 0; i < ndp.prefix_count; i++)
		MUST(ndp.prefixes[i].length <= 128 && !ip_is4(ndp.prefixes[i].prefix));
	if (ndp.type == ICMP6_NEIGHBOUR_SOLICIT || ndp.type == ICMP6_NEIGHBOUR_ADVERT)
		check_neighbour(&ndp);
	return 0;
}
