/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly. Fragments are kept as they came, in order of offset; when none
 * is missing, they are copied into one packet that looks as if it had never
 * been cut. RFC 791 §3.2, RFC 815, RFC 8200 §4.5.
 *
 * Overlaps end a datagram, in both versions: RFC 5722 for v6, and because no
 * sender makes them for v4 (Linux does so, too). An exact duplicate is ignored.
 * What was given up stays known until its timer runs, so that its late fragments
 * don't begin a datagram anew.
 *
 * Limits: datagrams at once (limits.reassemblies), bytes in all, fragments in
 * one datagram. Over a limit, the oldest datagram goes.
 */
#include "core/ip/internal.h"
#include "wire/checksum.h"

#include <assert.h>
#include <errno.h>

#define TIMEOUT4 (30 * BERTH_SEC) /* Linux: ipfrag_time; RFC 1122 §3.3.2 says 60 to 120 but a fixed one */
#define TIMEOUT6 (60 * BERTH_SEC) /* RFC 8200 §4.5 */
enum { BYTES_MAX = 4 << 20, FRAGMENTS_MAX = 512 };

struct piece {
	struct piece *next;
	uint32_t offset, length;
	uint32_t data_at; /* where in packet */
	struct berth_packet *packet;
};

struct datagram {
	struct list node; /* in reassembly->all, oldest first */
	struct reassembly *reassembly;
	struct berth_link *link;
	struct berth_ip source, destination;
	uint32_t id;
	uint8_t protocol; /* v4: part of the name; v6: what the first fragment's header says comes next */
	bool given_up;
	bool trusted;		 /* every fragment's checksum is vouched for */
	bool congestion;	 /* a router marked a fragment. RFC 3168 §5.3 */
	struct ip_arrival whole; /* of the first fragment, offset 0 */
	unsigned count;
	size_t bytes;	      /* of memory */
	uint32_t have, total; /* bytes of payload; total 0: the last has not come */
	struct piece *first, *last;
	struct berth_timer timer;
};

struct reassembly {
	struct berth_stack *stack;
	struct list all;
	size_t count, bytes;
};

int reassembly_init(struct berth_stack *stack)
{
	struct reassembly *reassembly = stack_alloc(stack, sizeof(*reassembly));

	if (!reassembly)
		return -ENOMEM;
	reassembly->stack = stack;
	list_init(&reassembly->all);
	stack->reassembly = reassembly;
	return 0;
}

static void release_pieces(struct datagram *datagram)
{
	struct berth_stack *stack = datagram->reassembly->stack;

	while (datagram->first) {
		struct piece *piece = datagram->first;

		datagram->first = piece->next;
		berth_packet_unref(piece->packet);
		stack_free(stack, piece, sizeof(*piece));
	}
	datagram->last = NULL;
	datagram->reassembly->bytes -= datagram->bytes;
	datagram->bytes = 0;
	datagram->count = 0;
}

static void datagram_free(struct datagram *datagram)
{
	struct reassembly *reassembly = datagram->reassembly;

	release_pieces(datagram);
	timers_cancel(&reassembly->stack->timers, &datagram->timer);
	list_remove(&datagram->node);
	reassembly->count--;
	stack_free(reassembly->stack, datagram, sizeof(*datagram));
}

void reassembly_fini(struct berth_stack *stack)
{
	struct reassembly *reassembly = stack->reassembly;

	if (!reassembly)
		return;
	LIST_EACH_SAFE(&reassembly->all, node)
		datagram_free(LIST_ITEM(node, struct datagram, node));
	stack_free(stack, reassembly, sizeof(*reassembly));
	stack->reassembly = NULL;
}

void reassembly_forget_link(struct berth_stack *stack, struct berth_link *link)
{
	LIST_EACH_SAFE(&stack->reassembly->all, node) {
		struct datagram *datagram = LIST_ITEM(node, struct datagram, node);

		if (datagram->link == link)
			datagram_free(datagram);
	}
}

/* Its time is over. The sender is told if its first fragment is here to quote. RFC 792, RFC 4443 §3.3. */
static void datagram_timer(struct berth_timer *timer)
{
	struct datagram *datagram = CONTAINER_OF(timer, struct datagram, timer);
	struct berth_stack *stack = datagram->reassembly->stack;

	if (!datagram->given_up) {
		stack_event(stack, BERTH_EVENT_IP_DROP_FRAGMENT_TIMEOUT);
		if (datagram->first && datagram->first->offset == 0)
			icmp_send_error(stack, datagram->link, datagram->first->packet, ICMP_ERROR_REASSEMBLY, 0);
	}
	datagram_free(datagram);
}

static struct datagram *datagram_find(struct reassembly *reassembly, const struct ip_arrival *arrival, uint32_t id)
{
	/* Newest first, as fragments mostly come in a row; limits.reassemblies bounds the walk. */
	for (struct list *node = reassembly->all.prev; node != &reassembly->all; node = node->prev) {
		struct datagram *datagram = LIST_ITEM(node, struct datagram, node);

		if (datagram->id == id && ip_equal(datagram->source, arrival->source) &&
		    ip_equal(datagram->destination, arrival->destination) && datagram->link == arrival->link &&
		    (!ip_is4(arrival->source) || datagram->protocol == arrival->protocol))
			return datagram;
	}
	return NULL;
}

static void evict_oldest(struct reassembly *reassembly)
{
	struct datagram *oldest = LIST_FIRST(&reassembly->all, struct datagram, node);

	assert(oldest); /* both callers saw that one is there */
	stack_event(reassembly->stack, BERTH_EVENT_IP_DROP_FRAGMENT_LIMIT);
	datagram_free(oldest);
}

static struct datagram *datagram_new(struct reassembly *reassembly, const struct ip_arrival *arrival, uint32_t id)
{
	struct berth_stack *stack = reassembly->stack;
	struct datagram *datagram;
	berth_time timeout = ip_is4(arrival->source) ? TIMEOUT4 : TIMEOUT6;

	while (reassembly->count && reassembly->count >= stack->limits.reassemblies)
		evict_oldest(reassembly);
	datagram = stack_alloc(stack, sizeof(*datagram));
	if (!datagram)
		return NULL;
	datagram->reassembly = reassembly;
	datagram->link = arrival->link;
	datagram->source = arrival->source;
	datagram->destination = arrival->destination;
	datagram->protocol = arrival->protocol;
	datagram->id = id;
	datagram->trusted = true;
	datagram->timer.run = datagram_timer;
	if (timers_set(&stack->timers, &datagram->timer, stack->now + timeout) < 0) {
		stack_free(stack, datagram, sizeof(*datagram));
		return NULL;
	}
	list_append(&reassembly->all, &datagram->node);
	reassembly->count++;
	return datagram;
}

enum place { PLACE_OK, PLACE_DUPLICATE, PLACE_OVERLAP };

/* Where fragment goes: behind *ret_before (NULL: first). The common case is the end. */
static enum place find_place(const struct datagram *datagram, const struct fragment *fragment,
			     struct piece **ret_before)
{
	struct piece *before = NULL, *after = datagram->first;
	uint32_t end = fragment->offset + fragment->length;

	if (datagram->last && datagram->last->offset < fragment->offset) {
		before = datagram->last;
		after = NULL;
	}
	for (; after && after->offset < fragment->offset; after = after->next)
		before = after;
	*ret_before = before;
	if (after && after->offset == fragment->offset && after->length == fragment->length)
		return PLACE_DUPLICATE;
	if ((before && before->offset + before->length > fragment->offset) || (after && after->offset < end))
		return PLACE_OVERLAP;
	return PLACE_OK;
}

/* Does what fragment says of the datagram's end agree with what is known? */
static bool end_agrees(const struct datagram *datagram, const struct fragment *fragment)
{
	uint32_t end = fragment->offset + fragment->length;

	if (datagram->total)
		return fragment->more ? end <= datagram->total : end == datagram->total;
	return fragment->more || !datagram->last || datagram->last->offset + datagram->last->length <= end;
}

static int piece_insert(struct datagram *datagram, struct piece *before, const struct ip_arrival *arrival,
			const struct fragment *fragment)
{
	struct berth_stack *stack = datagram->reassembly->stack;
	struct piece *piece = stack_alloc(stack, sizeof(*piece));
	size_t memory = packet_truesize(arrival->packet) + sizeof(*piece);

	if (!piece)
		return -ENOMEM;
	piece->offset = fragment->offset;
	piece->length = fragment->length;
	piece->packet = arrival->packet;
	piece->data_at = arrival->packet->length - fragment->length;
	piece->next = before ? before->next : datagram->first;
	if (before)
		before->next = piece;
	else
		datagram->first = piece;
	if (!piece->next)
		datagram->last = piece;
	datagram->count++;
	datagram->have += fragment->length;
	datagram->bytes += memory;
	datagram->reassembly->bytes += memory;
	if (!fragment->more)
		datagram->total = fragment->offset + fragment->length;
	return 0;
}

static void give_up(struct datagram *datagram)
{
	release_pieces(datagram);
	datagram->given_up = true;
}

/* Take fragment into datagram. 0, or the drop's name, negative: packet is still the caller's. */
static int datagram_add(struct datagram *datagram, const struct ip_arrival *arrival, const struct fragment *fragment)
{
	struct piece *before;
	enum place place;

	if (datagram->given_up)
		return -BERTH_EVENT_IP_DROP_FRAGMENT_OVERLAP;
	place = find_place(datagram, fragment, &before);
	if (place == PLACE_DUPLICATE)
		return -BERTH_EVENT_IP_DROP_FRAGMENT_DUPLICATE;
	if (place == PLACE_OVERLAP || !end_agrees(datagram, fragment)) {
		give_up(datagram);
		return -BERTH_EVENT_IP_DROP_FRAGMENT_OVERLAP;
	}
	if (datagram->count >= FRAGMENTS_MAX) {
		give_up(datagram);
		return -BERTH_EVENT_IP_DROP_FRAGMENT_LIMIT;
	}
	if (piece_insert(datagram, before, arrival, fragment) < 0)
		return -BERTH_EVENT_LINK_DROP_NO_MEMORY;
	datagram->trusted &= arrival->packet->checksum == PACKET_CHECKSUM_TRUSTED;
	datagram->congestion |= (arrival->traffic_class & 3) == 3;
	if (fragment->offset == 0) {
		datagram->whole = *arrival;
		if (!ip_is4(arrival->source)) /* the fragment header's first byte */
			datagram->protocol = arrival->packet->data[arrival->header_length];
	}
	return 0;
}

/* Bytes of the headers that the whole keeps, and of the packet that its length field counts. */
static bool whole_fits(const struct datagram *datagram)
{
	size_t uncounted = ip_is4(datagram->source) ? 0 : WIRE_IP6_LENGTH;

	return datagram->whole.header_length + datagram->total - uncounted <= IP_TOTAL_MAX;
}

/* Make the first fragment's headers, copied to bytes, those of the whole. */
static void fix_headers(const struct datagram *datagram, uint8_t *bytes)
{
	uint32_t header_length = datagram->whole.header_length;

	if (ip_is4(datagram->source)) {
		put_be16(bytes + 2, (uint16_t)(header_length + datagram->total));
		put_be16(bytes + 6, 0);
		put_be16(bytes + 10, 0);
		put_be16(bytes + 10, checksum_finish(checksum_add(0, bytes, header_length)));
	} else {
		put_be16(bytes + 4, (uint16_t)(header_length - WIRE_IP6_LENGTH + datagram->total));
		bytes[datagram->whole.protocol_at] = datagram->protocol;
	}
}

/* All pieces in one packet. NULL: no memory. */
static struct berth_packet *put_together(const struct datagram *datagram)
{
	struct berth_stack *stack = datagram->reassembly->stack;
	uint32_t header_length = datagram->whole.header_length;
	size_t length = header_length + datagram->total;
	struct berth_packet *packet = berth_packet_new(stack->packets, PACKET_HEADROOM, length);
	uint8_t *bytes;

	if (!packet)
		return NULL;
	bytes = berth_packet_put(packet, length);
	memcpy(bytes, datagram->first->packet->data, header_length);
	for (const struct piece *piece = datagram->first; piece; piece = piece->next)
		memcpy(bytes + header_length + piece->offset, piece->packet->data + piece->data_at, piece->length);
	fix_headers(datagram, bytes);
	packet->link = datagram->link;
	packet->checksum = datagram->trusted ? PACKET_CHECKSUM_TRUSTED : PACKET_CHECKSUM_PRESENT;
	return packet;
}

static int finish(struct berth_stack *stack, struct datagram *datagram, struct ip_arrival *arrival)
{
	struct berth_packet *packet = NULL;

	if (!whole_fits(datagram))
		stack_event(stack, BERTH_EVENT_IP_DROP_MALFORMED);
	else if (!(packet = put_together(datagram)))
		stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
	if (packet) {
		*arrival = datagram->whole;
		arrival->packet = packet;
		arrival->protocol = datagram->protocol;
		if (datagram->congestion)
			arrival->traffic_class |= 3;
		stack_event(stack, BERTH_EVENT_IP_REASSEMBLED);
	}
	datagram_free(datagram);
	return packet != NULL;
}

static bool fragment_makes_sense(const struct fragment *fragment)
{
	if (fragment->length == 0 || fragment->offset + fragment->length > IP_TOTAL_MAX)
		return false;
	return !fragment->more || fragment->length % 8 == 0;
}

int reassembly_add(struct berth_stack *stack, struct ip_arrival *arrival, const struct fragment *fragment)
{
	struct reassembly *reassembly = stack->reassembly;
	struct datagram *datagram;
	int r;

	if (!fragment_makes_sense(fragment)) {
		stack_drop(stack, arrival->packet, BERTH_EVENT_IP_DROP_MALFORMED);
		return 0;
	}
	while (reassembly->bytes && reassembly->bytes + packet_truesize(arrival->packet) > BYTES_MAX)
		evict_oldest(reassembly);
	datagram = datagram_find(reassembly, arrival, fragment->id);
	if (!datagram)
		datagram = datagram_new(reassembly, arrival, fragment->id);
	r = datagram ? datagram_add(datagram, arrival, fragment) : -BERTH_EVENT_LINK_DROP_NO_MEMORY;
	if (r < 0) {
		stack_drop(stack, arrival->packet, (enum berth_event) - r);
		return 0;
	}
	if (!datagram->total || datagram->have != datagram->total)
		return 0;
	return finish(stack, datagram, arrival);
}
