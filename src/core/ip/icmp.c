/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP and ICMPv6 as they arrive: echo requests are answered, errors about
 * packets of ours are told to their transport with the errno that Linux maps
 * them to (icmp_err_convert[], icmpv6_err_convert()).
 */
#include "core/ip/internal.h"
#include "core/group/group.h"
#include "core/neigh/neigh.h"
#include "core/ping/ping.h"
#include "wire/checksum.h"
#include "wire/group.h"
#include "wire/icmp.h"

#include <errno.h>

enum { QUOTED_MIN = 8 }; /* bytes of transport header that a quote must have. RFC 792 */

struct meaning {
	uint8_t error;
	bool hard;
};

static const struct meaning unreachable4[] = {
	{ ENETUNREACH, false },	 /* net unreachable */
	{ EHOSTUNREACH, false }, /* host */
	{ ENOPROTOOPT, true },	 /* protocol */
	{ ECONNREFUSED, true },	 /* port */
	{ EMSGSIZE, false },	 /* fragmentation needed */
	{ EOPNOTSUPP, false },	 /* source route failed */
	{ ENETUNREACH, true },	 /* net unknown */
	{ EHOSTDOWN, true },	 /* host unknown */
	{ ENONET, true },	 /* host isolated */
	{ ENETUNREACH, true },	 /* net prohibited */
	{ EHOSTUNREACH, true },	 /* host prohibited */
	{ ENETUNREACH, false },	 /* net unreachable for type of service */
	{ EHOSTUNREACH, false }, /* host, the same */
	{ EHOSTUNREACH, true },	 /* filtered */
	{ EHOSTUNREACH, true },	 /* precedence violation */
	{ EHOSTUNREACH, true },	 /* precedence cutoff */
};
static const struct meaning unreachable6[] = {
	{ ENETUNREACH, false },	 /* no route */
	{ EACCES, true },	 /* prohibited */
	{ EHOSTUNREACH, false }, /* beyond scope of source */
	{ EHOSTUNREACH, false }, /* address */
	{ ECONNREFUSED, true },	 /* port */
	{ EACCES, true },	 /* policy */
	{ EACCES, true },	 /* reject route */
};

static bool meaning4(uint8_t type, uint8_t code, struct meaning *ret_meaning)
{
	if (type == ICMP4_UNREACHABLE && code < COUNT_OF(unreachable4))
		*ret_meaning = unreachable4[code];
	else if (type == ICMP4_TIME_EXCEEDED)
		*ret_meaning = (struct meaning){ EHOSTUNREACH, false };
	else if (type == ICMP4_PARAMETER)
		*ret_meaning = (struct meaning){ EPROTO, true };
	else
		return false;
	return true;
}

static bool meaning6(uint8_t type, uint8_t code, struct meaning *ret_meaning)
{
	if (type == ICMP6_UNREACHABLE && code < COUNT_OF(unreachable6))
		*ret_meaning = unreachable6[code];
	else if (type == ICMP6_TOO_BIG)
		*ret_meaning = (struct meaning){ EMSGSIZE, false };
	else if (type == ICMP6_TIME_EXCEEDED)
		*ret_meaning = (struct meaning){ EHOSTUNREACH, false };
	else if (type == ICMP6_PARAMETER)
		*ret_meaning = (struct meaning){ EPROTO, true };
	else
		return false;
	return true;
}

/* Record route and timestamp go on in the answer, with us in them. RFC 1122 §3.2.2.6 */
static size_t echo_options(struct berth_stack *stack, const struct ip_arrival *arrival,
			   uint8_t options[WIRE_IP4_OPTIONS_MAX])
{
	size_t length = arrival->header_length - (size_t)WIRE_IP4_LENGTH;
	uint8_t received[WIRE_IP4_OPTIONS_MAX];

	if (!ip_is4(arrival->source) || !length)
		return 0;
	memcpy(received, arrival->packet->data - length, length);
	wire_ip4_options_record(received, length, arrival->destination, ip_option_time(stack->now));
	return wire_ip4_options_echo(received, length, options);
}

/* Turn the request around, in its own packet. */
static void echo(struct berth_stack *stack, const struct ip_arrival *arrival, struct wire_icmp icmp)
{
	struct berth_packet *packet = arrival->packet;
	bool v4 = ip_is4(arrival->source);
	struct berth_link *link = arrival->link->loopback || ip_is_link_local(arrival->source) ? arrival->link : NULL;
	struct ip_path path;
	uint8_t options[WIRE_IP4_OPTIONS_MAX];
	size_t options_length = echo_options(stack, arrival, options);
	uint32_t sum = 0;

	if (ip_path_find(stack, arrival->source, arrival->group ? ip_any : arrival->destination, link, &path) < 0) {
		stack_drop(stack, packet, BERTH_EVENT_IP_DROP_NO_ROUTE);
		return;
	}
	icmp.type = v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	if (!v4)
		sum = ip_pseudo_sum(path.source, arrival->source, PROTOCOL_ICMP6, packet->length);
	wire_icmp_build(packet->data, packet->length, sum, &icmp);
	packet->segment_size = 0;
	stack_event(stack, BERTH_EVENT_ICMP_ECHO_ANSWERED);
	ip_send(stack, packet, &path,
		&(struct ip_send){ .source = path.source,
				   .destination = arrival->source,
				   .protocol = v4 ? PROTOCOL_ICMP4 : PROTOCOL_ICMP6,
				   .traffic_class = arrival->traffic_class & 0xfc, /* ECN is not the echo's */
				   .options = options,
				   .options_length = (uint8_t)options_length });
}

/* The packet that an error quotes. */
struct quote {
	const uint8_t *transport;
	size_t length;	    /* of transport */
	unsigned ip_length; /* what its IP header said the whole was */
	struct berth_ip_error error;
};

static int quote4(const uint8_t *bytes, size_t length, struct quote *quote)
{
	struct wire_ip4 ip4;
	int r = wire_ip4_parse_quoted(bytes, length, &ip4);

	if (r < 0)
		return r;
	if (ip4.offset)
		return -EMSGSIZE; /* the transport header is in another fragment */
	quote->error.source = ip4.source;
	quote->error.destination = ip4.destination;
	quote->error.protocol = ip4.protocol;
	quote->ip_length = ip4.total_length;
	return r;
}

static int quote6(const uint8_t *bytes, size_t length, struct quote *quote)
{
	struct wire_ip6 ip6;
	int r = wire_ip6_parse_quoted(bytes, length, &ip6);

	if (r >= 0)
		r = wire_ip6_find_transport(bytes, length, &quote->error.protocol);
	if (r < 0)
		return r;
	quote->error.source = ip6.source;
	quote->error.destination = ip6.destination;
	quote->ip_length = WIRE_IP6_LENGTH + ip6.payload_length;
	return r;
}

static void learn_mtu(struct berth_stack *stack, struct quote *quote, const struct wire_icmp *icmp)
{
	bool v4 = quote->error.icmp_version == 4;

	quote->error.mtu =
		pmtu_learn(stack, quote->error.destination, v4 ? icmp->value & 0xffff : icmp->value, quote->ip_length);
}

static void error_input(struct berth_stack *stack, const struct ip_arrival *arrival, const struct wire_icmp *icmp)
{
	struct berth_packet *packet = arrival->packet;
	const uint8_t *bytes = packet->data + WIRE_ICMP_LENGTH;
	size_t length = packet->length - WIRE_ICMP_LENGTH;
	bool v4 = ip_is4(arrival->source);
	struct quote quote = { .error = { .reporter = arrival->source,
					  .icmp_type = icmp->type,
					  .icmp_code = icmp->code,
					  .icmp_version = v4 ? 4 : 6 } };
	struct meaning meaning;
	int r = v4 ? quote4(bytes, length, &quote) : quote6(bytes, length, &quote);

	if (r < 0 || length - (size_t)r < QUOTED_MIN || !ip_is_local(stack, quote.error.source)) {
		stack_drop(stack, packet, BERTH_EVENT_ICMP_DROP_MALFORMED);
		return;
	}
	if (v4 ? !meaning4(icmp->type, icmp->code, &meaning) : !meaning6(icmp->type, icmp->code, &meaning)) {
		stack_drop(stack, packet, BERTH_EVENT_ICMP_DROP_TYPE);
		return;
	}
	quote.error.error = meaning.error;
	quote.error.hard = meaning.hard;
	if (meaning.error == EMSGSIZE)
		learn_mtu(stack, &quote, icmp);
	stack_event(stack, BERTH_EVENT_ICMP_ERROR_RECEIVED);
	ip_deliver_error(stack, &quote.error, bytes + r, length - (size_t)r);
	berth_packet_unref(packet);
}

/* The destination that is redirected is the quoted packet's, which must be ours. RFC 1122 §3.2.2.2 */
static void redirect4_input(struct berth_stack *stack, const struct ip_arrival *arrival, const struct wire_icmp *icmp)
{
	struct berth_packet *packet = arrival->packet;
	struct quote quote = { .length = 0 };
	int r = quote4(packet->data + WIRE_ICMP_LENGTH, packet->length - WIRE_ICMP_LENGTH, &quote);

	if (r < 0 || icmp->code > 3 || !ip_is_local(stack, quote.error.source)) {
		stack_drop(stack, packet, BERTH_EVENT_ICMP_DROP_MALFORMED);
		return;
	}
	ip_redirect(arrival->link, arrival->source, quote.error.destination, ip_from_u32(icmp->value));
	berth_packet_unref(packet);
}

static bool message_ok(struct berth_stack *stack, const struct ip_arrival *arrival, struct wire_icmp *icmp)
{
	struct berth_packet *packet = arrival->packet;
	bool v4 = ip_is4(arrival->source);
	uint32_t sum = v4 ? 0 : ip_pseudo_sum(arrival->source, arrival->destination, PROTOCOL_ICMP6, packet->length);

	if (wire_icmp_parse(packet->data, packet->length, icmp) < 0) {
		stack_drop(stack, packet, BERTH_EVENT_ICMP_DROP_MALFORMED);
		return false;
	}
	if (!ip_trusted(arrival->link, packet) &&
	    checksum_finish(checksum_add(sum, packet->data, packet->length)) != 0) {
		stack_drop(stack, packet, BERTH_EVENT_ICMP_DROP_CHECKSUM);
		return false;
	}
	return true;
}

void icmp4_input(struct berth_stack *stack, const struct ip_arrival *arrival, const struct berth_ip_info *info)
{
	struct wire_icmp icmp;

	if (!message_ok(stack, arrival, &icmp))
		return;
	/* A request to everyone goes unanswered. RFC 1122 §3.2.2.6 allows it; Linux: icmp_echo_ignore_broadcasts */
	if (icmp.type == ICMP4_ECHO && !arrival->group && ip_u32(arrival->source) != 0)
		echo(stack, arrival, icmp);
	else if (icmp.type == ICMP4_ECHO_REPLY)
		ping_input(stack, arrival->packet, info);
	else if (icmp.type == ICMP4_REDIRECT && !arrival->group)
		redirect4_input(stack, arrival, &icmp);
	else if (icmp4_is_error(icmp.type) && !arrival->group)
		error_input(stack, arrival, &icmp);
	else
		stack_drop(stack, arrival->packet, BERTH_EVENT_ICMP_DROP_TYPE);
}

static bool is_mld(uint8_t type)
{
	return type == MLD_QUERY || type == MLD_REPORT1 || type == MLD_DONE || type == MLD_REPORT2;
}

/* RFC 3810 §6.2, RFC 2710 §5: from a neighbour, and meant for routers' eyes. */
static void mld_message(struct berth_stack *stack, const struct ip_arrival *arrival)
{
	bool nobody = ip_is_any(arrival->source) && arrival->packet->data[0] != MLD_QUERY;

	if (arrival->ttl != 1 || !arrival->router_alert || (!nobody && !ip_is_link_local(arrival->source)))
		stack_drop(stack, arrival->packet, BERTH_EVENT_GROUP_DROP_MALFORMED);
	else
		mld_input(arrival->link, arrival->packet);
}

void icmp6_input(struct berth_stack *stack, const struct ip_arrival *arrival, const struct berth_ip_info *info)
{
	struct wire_icmp icmp;

	if (!message_ok(stack, arrival, &icmp))
		return;
	if (icmp.type >= ICMP6_ROUTER_SOLICIT && icmp.type <= ICMP6_REDIRECT) {
		struct wire_ip6 ip6 = { .source = arrival->source,
					.destination = arrival->destination,
					.hop_limit = arrival->ttl };

		ndp_input(arrival->link, arrival->packet, &ip6);
	} else if (is_mld(icmp.type)) {
		mld_message(stack, arrival);
	} else if (icmp.type == ICMP6_ECHO && !ip_is_any(arrival->source)) {
		echo(stack, arrival, icmp);
	} else if (icmp.type == ICMP6_ECHO_REPLY) {
		ping_input(stack, arrival->packet, info);
	} else if (icmp6_is_error(icmp.type) && !arrival->group) {
		error_input(stack, arrival, &icmp);
	} else {
		stack_drop(stack, arrival->packet, BERTH_EVENT_ICMP_DROP_TYPE);
	}
}
