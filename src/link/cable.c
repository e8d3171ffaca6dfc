/* SPDX-License-Identifier: BSD-2-Clause */
/* The in-memory cable: cable.h. What each condition means is tc-netem(8)'s word. */
#include "link/cable.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "link/conditions.h"
#include "link/distribution.h"
#include "link/frame.h"

#define LIMIT_DEFAULT 1000 /* packets; netem's */

void cable_init(struct cable *cable, const struct berth_allocator *allocator, uint64_t seed)
{
	*cable = (struct cable){ .perfect = true, .allocator = allocator };
	random_init(&cable->random, seed);
}

void cable_fini(struct cable *cable)
{
	if (!cable)
		return;
	berth_trace_unref(cable->conditions.trace);
	cable->conditions.trace = NULL;
	packet_queue_clear(&cable->queue);
	for (size_t i = 0; i < cable->late_count; i++)
		berth_packet_unref(cable->heap[i].packet);
	memory_free(cable->allocator, cable->heap, cable->late_room * sizeof(*cable->heap));
	cable->heap = NULL;
	cable->late_count = cable->late_room = 0;
}

void cable_set_conditions(struct cable *cable, const struct berth_conditions *conditions)
{
	struct berth_trace *before = cable->conditions.trace;

	cable->perfect = conditions_are_none(conditions);
	cable->conditions = *conditions;
	if (conditions->trace)
		berth_trace_ref(conditions->trace);
	if (conditions->trace != before)
		cable->trace_place = (struct trace_place){ .begun = false };
	berth_trace_unref(before);
	cable->busy_until = conditions->rate ? cable->busy_until : 0;
	cable->bad = cable->bad && conditions->bursts;
}

/* A draw of which correlation's share is the draw before. netem: get_crandom(). */
static uint32_t draw(struct cable *cable, uint32_t *last, berth_chance correlation)
{
	uint32_t fresh = (uint32_t)(random_u64(&cable->random) >> 32);

	if (correlation) {
		uint64_t share = (uint64_t)correlation + 1;

		fresh = (uint32_t)(((uint64_t)fresh * ((UINT64_C(1) << 32) - share) + *last * share) >> 32);
	}
	return *last = fresh;
}

static bool happens(struct cable *cable, berth_chance chance, uint32_t *last, berth_chance correlation)
{
	if (!chance)
		return false;
	return draw(cable, last, correlation) < chance || chance == BERTH_ALWAYS;
}

static bool plainly(struct cable *cable, berth_chance chance)
{
	uint32_t unused;

	return happens(cable, chance, &unused, 0);
}

/* Gilbert (1960), Elliott (1963): the chance of loss is the state's, and the state changes by chance. */
static bool lost_in_burst(struct cable *cable)
{
	const struct berth_conditions *conditions = &cable->conditions;

	if (plainly(cable, cable->bad ? conditions->to_good : conditions->to_bad))
		cable->bad = !cable->bad;
	return plainly(cable, cable->bad ? conditions->loss_in_bad : conditions->loss_in_good);
}

static bool lost(struct cable *cable)
{
	const struct berth_conditions *conditions = &cable->conditions;

	if (conditions->bursts)
		return lost_in_burst(cable);
	return happens(cable, conditions->loss, &cable->last_loss, conditions->loss_correlation);
}

static void drop(struct cable *cable, struct berth_packet *packet, enum cable_drop reason)
{
	cable->counters.dropped[reason]++;
	berth_packet_unref(packet);
}

/* ---- what is under way ---- */

static bool late_before(const struct late *a, const struct late *b)
{
	if (a->packet->stamp != b->packet->stamp)
		return a->packet->stamp < b->packet->stamp;
	return a->sequence < b->sequence;
}

static bool late_push(struct cable *cable, struct berth_packet *packet)
{
	struct late late = { packet, cable->sequence++ };
	size_t at = cable->late_count;

	if (at == cable->late_room) {
		size_t room = at ? at * 2 : 64;
		struct late *heap =
			memory_grow(cable->allocator, cable->heap, at * sizeof(*heap), room * sizeof(*heap));

		if (!heap)
			return false;
		cable->heap = heap;
		cable->late_room = room;
	}
	for (cable->late_count++; at && late_before(&late, &cable->heap[(at - 1) / 2]); at = (at - 1) / 2)
		cable->heap[at] = cable->heap[(at - 1) / 2];
	cable->heap[at] = late;
	return true;
}

static struct berth_packet *late_pop(struct cable *cable)
{
	struct berth_packet *first = cable->heap[0].packet;
	struct late last = cable->heap[--cable->late_count];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < cable->late_count) {
		if (child + 1 < cable->late_count && late_before(&cable->heap[child + 1], &cable->heap[child]))
			child++;
		if (!late_before(&cable->heap[child], &last))
			break;
		cable->heap[at] = cable->heap[child];
		at = child;
	}
	cable->heap[at] = last;
	return first;
}

static berth_time queue_end(const struct cable *cable)
{
	return CONTAINER_OF(cable->queue.tail, struct berth_packet, next)->stamp;
}

static void put_failed(struct cable *cable, struct berth_packet *packet)
{
	cable->bytes_under_way -= packet->length;
	drop(cable, packet, CABLE_DROP_MEMORY);
}

/* In order most go into the queue; what overtakes goes into the heap. */
static void put(struct cable *cable, struct berth_packet *packet, berth_time due)
{
	packet->stamp = due;
	cable->bytes_under_way += packet->length;
	if (!cable->queue.head || due >= queue_end(cable))
		packet_queue_push(&cable->queue, packet);
	else if (!late_push(cable, packet))
		put_failed(cable, packet);
}

void cable_lose(struct cable *cable)
{
	struct berth_packet *packet;

	while ((packet = packet_queue_pop(&cable->queue)))
		put_failed(cable, packet);
}

static size_t under_way(const struct cable *cable)
{
	return cable->queue.count + cable->late_count;
}

/* ---- going in ---- */

static berth_time jittered(struct cable *cable)
{
	const struct berth_conditions *conditions = &cable->conditions;
	int64_t delay = conditions->delay;

	if (conditions->jitter)
		delay += distribution_draw(conditions->distribution,
					   draw(cable, &cable->last_delay, conditions->delay_correlation),
					   conditions->jitter);
	return MAX(delay, 0);
}

static bool overtakes(struct cable *cable)
{
	const struct berth_conditions *conditions = &cable->conditions;

	if (!conditions->reorder || ++cable->since_reorder < MAX(conditions->reorder_gap, 1u))
		return false;
	if (!happens(cable, conditions->reorder, &cable->last_reorder, conditions->reorder_correlation))
		return false;
	cable->since_reorder = 0;
	cable->counters.reordered++;
	return true;
}

/* netem: packet_time_ns(). */
static uint64_t bits(const struct berth_conditions *conditions, size_t length)
{
	int64_t bytes = MAX((int64_t)length + conditions->rate_overhead, 0);
	int64_t cell = conditions->rate_cell;

	if (cell)
		bytes = (bytes + cell - 1) / cell * MAX(cell + conditions->rate_cell_overhead, 0);
	return (uint64_t)bytes * 8;
}

/* The time at which the last bit has left the sender, at the rate. */
static berth_time serialized(struct cable *cable, const struct berth_packet *packet, berth_time now)
{
	const struct berth_conditions *conditions = &cable->conditions;
	uint64_t size;

	if (conditions->rate) {
		size = bits(conditions, packet->length);
		cable->busy_until = MAX(cable->busy_until, now) +
				    (berth_time)((unsigned __int128)size * 1000000000 / conditions->rate);
		now = cable->busy_until;
	}
	return conditions->trace ? trace_carry(conditions->trace, &cable->trace_place, packet->length, now) : now;
}

static void damage(struct cable *cable, struct berth_packet *packet)
{
	const struct berth_conditions *conditions = &cable->conditions;
	uint64_t bit;

	if (!happens(cable, conditions->corrupt, &cable->last_corrupt, conditions->corrupt_correlation))
		return;
	frame_checksum(packet);
	bit = random_below(&cable->random, (uint64_t)packet->length * 8);
	packet->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	cable->counters.corrupted++;
}

static void enter(struct cable *cable, struct berth_packet *packet, berth_time now)
{
	uint32_t limit = cable->conditions.limit ? cable->conditions.limit : LIMIT_DEFAULT;
	uint32_t bytes = cable->conditions.limit_bytes;
	berth_time sent;

	if (under_way(cable) >= limit || (bytes && cable->bytes_under_way + packet->length > bytes)) {
		drop(cable, packet, CABLE_DROP_LIMIT);
		return;
	}
	damage(cable, packet);
	sent = serialized(cable, packet, now);
	put(cable, packet, overtakes(cable) ? sent : sent + jittered(cable));
}

static bool marked(struct cable *cable, struct berth_packet *packet)
{
	if (!cable->conditions.ecn || !frame_mark(packet))
		return false;
	cable->counters.marked++;
	return true;
}

static void send_one(struct cable *cable, struct berth_packet *packet, berth_time now)
{
	const struct berth_conditions *conditions = &cable->conditions;
	struct berth_packet *copy = NULL;

	cable->counters.packets_in++;
	cable->counters.bytes_in += packet->length;
	if (conditions->cut) {
		drop(cable, packet, CABLE_DROP_CUT);
		return;
	}
	if (happens(cable, conditions->duplicate, &cable->last_duplicate, conditions->duplicate_correlation)) {
		copy = packet_clone(packet);
		cable->counters.duplicated += copy != NULL;
	}
	if (lost(cable) && !marked(cable, packet))
		drop(cable, packet, CABLE_DROP_LOSS);
	else
		enter(cable, packet, now);
	if (copy)
		enter(cable, copy, now);
}

void cable_send(struct cable *cable, struct berth_packet *packet, berth_time now)
{
	struct packet_queue pieces = { 0 };

	if (cable->perfect) {
		cable->counters.packets_in++;
		cable->counters.bytes_in += packet->length;
		put(cable, packet, now);
		return;
	}
	if (frame_cut(packet, &pieces) < 0)
		cable->counters.dropped[CABLE_DROP_MEMORY]++;
	while ((packet = packet_queue_pop(&pieces)))
		send_one(cable, packet, now);
}

/* ---- coming out ---- */

static bool heap_is_next(const struct cable *cable)
{
	if (!cable->late_count)
		return false;
	return !cable->queue.head || cable->heap[0].packet->stamp < cable->queue.head->stamp;
}

/* When the first is due, slots apart. */
static berth_time first_due(const struct cable *cable)
{
	if (heap_is_next(cable))
		return cable->heap[0].packet->stamp;
	return cable->queue.head ? cable->queue.head->stamp : BERTH_NEVER;
}

berth_time cable_deadline(const struct cable *cable)
{
	berth_time due = first_due(cable);

	return cable->conditions.slot_max && due != BERTH_NEVER ? MAX(due, cable->slot) : due;
}

static void next_slot(struct cable *cable, berth_time from)
{
	const struct berth_conditions *conditions = &cable->conditions;
	uint64_t spread = (uint64_t)(conditions->slot_max - conditions->slot_min);

	cable->slot = from + conditions->slot_min + (berth_time)(spread ? random_below(&cable->random, spread + 1) : 0);
	cable->slot_packets = cable->slot_bytes = 0;
}

/* Is a slot open at now for what is due? netem: one that opened before there was anything to carry is over. */
static bool slot_is_open(struct cable *cable, berth_time now)
{
	if (!cable->conditions.slot_max)
		return true;
	if (cable->slot < first_due(cable))
		next_slot(cable, first_due(cable));
	return cable->slot <= now;
}

/* Count packet in its slot, which is over when it is full. */
static void use_slot(struct cable *cable, const struct berth_packet *packet)
{
	const struct berth_conditions *conditions = &cable->conditions;

	if (!conditions->slot_max)
		return;
	cable->slot_packets++;
	cable->slot_bytes += (uint32_t)packet->length;
	if ((conditions->slot_packets && cable->slot_packets >= conditions->slot_packets) ||
	    (conditions->slot_bytes && cable->slot_bytes >= conditions->slot_bytes))
		next_slot(cable, cable->slot);
}

struct berth_packet *cable_take_due(struct cable *cable, berth_time now)
{
	struct berth_packet *packet;

	if (cable_deadline(cable) > now || !slot_is_open(cable, now))
		return NULL;
	packet = heap_is_next(cable) ? late_pop(cable) : packet_queue_pop(&cable->queue);
	cable->bytes_under_way -= packet->length;
	use_slot(cable, packet);
	cable->counters.packets_out++;
	cable->counters.bytes_out += packet->length;
	return packet;
}
