/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors that we send. Seldom, and never in answer to what could make a
 * storm: RFC 1122 §3.2.2, RFC 4443 §2.4(e). A token bucket with a random price
 * bounds them, so that nobody can count them from outside (the SAD DNS attack).
 */
#include "core/ip/internal.h"
#include "wire/icmp.h"

enum { TOKENS_A_SECOND = 1000, TOKENS_MAX = 50 };	      /* Linux: icmp_msgs_per_sec, icmp_msgs_burst */
enum { QUOTE_TOTAL4 = 576, QUOTE_TOTAL6 = WIRE_IP6_MTU_MIN }; /* RFC 1812 §4.3.2.3, RFC 4443 §2.4(c) */
enum { TRAFFIC_CLASS4 = 0xc0 };				      /* internetwork control: RFC 1812 §4.3.2.5 */

static bool take_token(struct berth_stack *stack)
{
	struct icmp *icmp = stack->icmp;
	berth_time grain = BERTH_SEC / TOKENS_A_SECOND, passed = stack->now - icmp->tokens_at;
	unsigned price = 1 + (unsigned)random_below(&stack->random, 2);

	if (passed >= grain * TOKENS_MAX) {
		icmp->error_tokens = TOKENS_MAX;
		icmp->tokens_at = stack->now;
	} else if (passed >= grain) {
		icmp->error_tokens = MIN(icmp->error_tokens + (unsigned)(passed / grain), (unsigned)TOKENS_MAX);
		icmp->tokens_at += passed / grain * grain;
	}
	if (icmp->error_tokens == 0)
		return false;
	icmp->error_tokens -= MIN(price, icmp->error_tokens);
	return true;
}

/* What must be known of a packet to complain about it. */
struct subject {
	struct berth_ip source, destination;
	uint8_t protocol;
	int transport_at; /* negative: not in this packet */
	bool later_fragment;
};

static bool subject_parse(const struct berth_packet *packet, struct subject *subject)
{
	struct wire_ip4 ip4;
	struct wire_ip6 ip6;

	*subject = (struct subject){ 0 };
	subject->transport_at = wire_ip4_parse_quoted(packet->data, packet->length, &ip4);
	if (subject->transport_at >= 0) {
		subject->source = ip4.source;
		subject->destination = ip4.destination;
		subject->protocol = ip4.protocol;
		subject->later_fragment = ip4.offset != 0;
		return true;
	}
	if (wire_ip6_parse_quoted(packet->data, packet->length, &ip6) < 0)
		return false;
	subject->source = ip6.source;
	subject->destination = ip6.destination;
	subject->transport_at = wire_ip6_find_transport(packet->data, packet->length, &subject->protocol);
	return true;
}

static bool about_icmp_error(const struct subject *subject, const struct berth_packet *packet)
{
	uint8_t type;

	if (subject->transport_at < 0 || (uint32_t)subject->transport_at >= packet->length)
		return false;
	type = packet->data[subject->transport_at];
	if (ip_is4(subject->source))
		return subject->protocol == PROTOCOL_ICMP4 && icmp4_is_error(type);
	return subject->protocol == PROTOCOL_ICMP6 && (icmp6_is_error(type) || type == ICMP6_REDIRECT);
}

static bool silence(struct berth_stack *stack, const struct berth_link *link, const struct subject *subject,
		    const struct berth_packet *packet, bool for_groups_too)
{
	struct berth_ip source = subject->source;

	if (subject->later_fragment || about_icmp_error(subject, packet))
		return true;
	if (!for_groups_too && (ip_is_multicast(subject->destination) || ip_is_broadcast(stack, subject->destination)))
		return true;
	if (ip_is_any(source) || ip_is_multicast(source) || ip_is_broadcast(stack, source))
		return true;
	if (ip_is4(source) && (ip_u32(source) == 0 || ip_u32(source) >= 0xf0000000))
		return true;
	return ip_is_loopback(source) && !link->loopback;
}

static struct berth_packet *make_error(struct berth_stack *stack, const struct berth_packet *about,
				       const struct ip_path *path, struct berth_ip to, const struct wire_icmp *icmp)
{
	bool v4 = ip_is4(to);
	size_t quote = v4 ? QUOTE_TOTAL4 - WIRE_IP4_LENGTH : QUOTE_TOTAL6 - WIRE_IP6_LENGTH;
	struct berth_packet *packet;
	size_t length;
	uint8_t *bytes;

	quote = MIN(quote - WIRE_ICMP_LENGTH, about->length);
	length = WIRE_ICMP_LENGTH + quote;
	packet = berth_packet_new(stack->packets, PACKET_HEADROOM, length);
	if (!packet) {
		stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return NULL;
	}
	bytes = berth_packet_put(packet, length);
	memcpy(bytes + WIRE_ICMP_LENGTH, about->data, quote);
	wire_icmp_build(bytes, length, v4 ? 0 : ip_pseudo_sum(path->source, to, PROTOCOL_ICMP6, length), icmp);
	return packet;
}

void icmp_send_raw_error(struct berth_stack *stack, struct berth_link *link, const struct berth_packet *packet,
			 uint8_t type, uint8_t code, uint32_t value)
{
	struct wire_icmp icmp = { .type = type, .code = code, .value = value };
	bool for_groups_too = type == ICMP6_PARAMETER && code == ICMP6_BAD_OPTION; /* §2.4(e.3) */
	struct subject subject;
	struct berth_packet *error;
	struct berth_ip source;
	struct ip_path path;

	if (!subject_parse(packet, &subject) || silence(stack, link, &subject, packet, for_groups_too))
		return;
	if (!link->loopback && !take_token(stack)) { /* Linux: no limit by loopback */
		stack_event(stack, BERTH_EVENT_ICMP_ERROR_LIMITED);
		return;
	}
	/* From where it was sent to, if that is us: loopback answers for anyone (BERTH_DIVERT). */
	source = link->loopback || ip_is_local(stack, subject.destination) ? subject.destination : ip_any;
	if (ip_is_multicast(source) || ip_is_broadcast(stack, source))
		source = ip_any;
	if (!link->loopback && !ip_is_link_local(subject.source))
		link = NULL; /* any way there will do */
	if (ip_path_find(stack, subject.source, source, link, &path) < 0)
		return;
	error = make_error(stack, packet, &path, subject.source, &icmp);
	if (!error)
		return;
	stack_event(stack, BERTH_EVENT_ICMP_ERROR_SENT);
	ip_send(stack, error, &path,
		&(struct ip_send){ .source = path.source,
				   .destination = subject.source,
				   .protocol = ip_is4(subject.source) ? PROTOCOL_ICMP4 : PROTOCOL_ICMP6,
				   .traffic_class = ip_is4(subject.source) ? TRAFFIC_CLASS4 : 0 });
}

struct error_words {
	uint8_t type4, code4, type6, code6;
};

void icmp_send_error(struct berth_stack *stack, struct berth_link *link, const struct berth_packet *packet,
		     enum icmp_error error, uint32_t pointer)
{
	static const struct error_words words[] = {
		[ICMP_ERROR_HOST] = { ICMP4_UNREACHABLE, ICMP4_HOST_UNREACHABLE, ICMP6_UNREACHABLE,
				      ICMP6_ADDRESS_UNREACHABLE },
		[ICMP_ERROR_PORT] = { ICMP4_UNREACHABLE, ICMP4_PORT_UNREACHABLE, ICMP6_UNREACHABLE,
				      ICMP6_PORT_UNREACHABLE },
		[ICMP_ERROR_PROTOCOL] = { ICMP4_UNREACHABLE, ICMP4_PROTOCOL_UNREACHABLE, ICMP6_PARAMETER,
					  ICMP6_BAD_NEXT_HEADER },
		[ICMP_ERROR_TTL] = { ICMP4_TIME_EXCEEDED, ICMP_TTL_EXCEEDED, ICMP6_TIME_EXCEEDED, ICMP_TTL_EXCEEDED },
		[ICMP_ERROR_REASSEMBLY] = { ICMP4_TIME_EXCEEDED, ICMP_REASSEMBLY_EXCEEDED, ICMP6_TIME_EXCEEDED,
					    ICMP_REASSEMBLY_EXCEEDED },
		[ICMP_ERROR_PARAMETER] = { ICMP4_PARAMETER, 0, ICMP6_PARAMETER, 0 },
	};
	const struct error_words *w = &words[error];
	bool v4 = packet->length && packet->data[0] >> 4 == 4;
	bool parameter = v4 ? w->type4 == ICMP4_PARAMETER : w->type6 == ICMP6_PARAMETER;
	uint32_t value = !parameter ? 0 : v4 ? pointer << 24 : pointer;

	icmp_send_raw_error(stack, link, packet, v4 ? w->type4 : w->type6, v4 ? w->code4 : w->code6, value);
}
