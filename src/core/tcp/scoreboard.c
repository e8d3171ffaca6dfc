/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/tcp/scoreboard.h"

#include "base/memory.h"
#include "base/seq.h"

#define POOL_MAX 256u /* free records that are kept: a busy conversation's worth */

static struct flight *flight_new(struct flight_pool *pool)
{
	struct flight *flight = pool->free;

	if (!flight)
		return memory_new(pool->allocator, sizeof(*flight));
	pool->free = flight->right;
	pool->count--;
	*flight = (struct flight){ .begin = 0 };
	return flight;
}

static void flight_free(struct flight_pool *pool, struct flight *flight)
{
	if (pool->count >= POOL_MAX) {
		memory_free(pool->allocator, flight, sizeof(*flight));
		return;
	}
	flight->right = pool->free;
	pool->free = flight;
	pool->count++;
}

void flight_pool_fini(struct flight_pool *pool)
{
	while (pool->free) {
		struct flight *flight = pool->free;

		pool->free = flight->right;
		memory_free(pool->allocator, flight, sizeof(*flight));
	}
	pool->count = 0;
}

static struct flight *next_of(const struct scoreboard *board, const struct flight *flight)
{
	return flight->order.next == &board->order ? NULL : LIST_ITEM(flight->order.next, struct flight, order);
}

static struct flight *previous_of(const struct scoreboard *board, const struct flight *flight)
{
	return flight->order.prev == &board->order ? NULL : LIST_ITEM(flight->order.prev, struct flight, order);
}

/* ---- the tree: bottom-up splaying (Sleator and Tarjan) ---- */

/* Put child, or nothing, where old hangs. */
static void replace(struct scoreboard *board, struct flight *old, struct flight *child)
{
	struct flight *parent = old->parent;

	if (!parent)
		board->root = child;
	else if (parent->left == old)
		parent->left = child;
	else
		parent->right = child;
	if (child)
		child->parent = parent;
}

static void rotate_up(struct scoreboard *board, struct flight *flight)
{
	struct flight *parent = flight->parent;

	replace(board, parent, flight);
	if (parent->left == flight) {
		parent->left = flight->right;
		if (parent->left)
			parent->left->parent = parent;
		flight->right = parent;
	} else {
		parent->right = flight->left;
		if (parent->right)
			parent->right->parent = parent;
		flight->left = parent;
	}
	parent->parent = flight;
}

static void splay(struct scoreboard *board, struct flight *flight)
{
	while (flight->parent) {
		struct flight *parent = flight->parent, *above = parent->parent;

		if (above)
			rotate_up(board, (above->left == parent) == (parent->left == flight) ? parent : flight);
		rotate_up(board, flight);
	}
}

/* The first record that ends behind seq, now at the root; NULL: there is none. */
static struct flight *find(struct scoreboard *board, uint32_t seq)
{
	struct flight *at = board->root, *last = NULL, *found = NULL;

	while (at) {
		last = at;
		if (seq_gt(at->end, seq)) {
			found = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	if (last) /* the depth walked is what must be paid for */
		splay(board, last);
	if (found)
		splay(board, found);
	return found;
}

/* The first record leaves the tree: it has none to its left. */
static void tree_remove_first(struct scoreboard *board, struct flight *flight)
{
	replace(board, flight, flight->right);
}

/* after follows before in the order, and is not in the tree yet. */
static void tree_add_after(struct scoreboard *board, struct flight *before, struct flight *after)
{
	splay(board, before);
	after->right = before->right;
	if (after->right)
		after->right->parent = after;
	after->left = NULL;
	after->parent = before;
	before->right = after;
}

/* after follows before: with before at the root, it has none to its left. */
static void tree_remove_after(struct scoreboard *board, struct flight *before, struct flight *after)
{
	splay(board, before);
	replace(board, after, after->right);
}

/* ---- states ---- */

static uint32_t size_of(const struct flight *flight)
{
	return flight->end - flight->begin;
}

static uint32_t *total_of(struct scoreboard *board, enum flight_state state)
{
	return state == FLIGHT_SENT ? &board->pipe : state == FLIGHT_LOST ? &board->lost_bytes : &board->sacked_bytes;
}

static void set_state(struct scoreboard *board, struct flight *flight, enum flight_state state)
{
	*total_of(board, flight->state) -= size_of(flight);
	*total_of(board, state) += size_of(flight);
	flight->state = (uint8_t)state;
	list_remove(&flight->waiting);
	if (state != FLIGHT_SACKED)
		list_append(state == FLIGHT_SENT ? &board->sent : &board->lost, &flight->waiting);
}

void scoreboard_init(struct scoreboard *board, struct flight_pool *pool)
{
	*board = (struct scoreboard){ .pool = pool };
	list_init(&board->order);
	list_init(&board->sent);
	list_init(&board->lost);
}

void scoreboard_clear(struct scoreboard *board)
{
	if (!board->pool)
		return;
	LIST_EACH_SAFE(&board->order, node)
		flight_free(board->pool, LIST_ITEM(node, struct flight, order));
	scoreboard_init(board, board->pool);
}

struct flight *scoreboard_add(struct scoreboard *board, uint32_t begin, uint32_t end, uint16_t unit, berth_time now)
{
	struct flight *flight = flight_new(board->pool);

	if (!flight)
		return NULL;
	flight->begin = begin;
	flight->end = end;
	flight->unit = unit;
	flight->sent = now;
	flight->serial = ++board->serial;
	list_append(&board->order, &flight->order);
	list_append(&board->sent, &flight->waiting);
	board->pipe += end - begin;
	flight->left = board->root; /* highest of all: a root with everything to its left */
	if (flight->left)
		flight->left->parent = flight;
	board->root = flight;
	return flight;
}

/* Cut flight at seq, within it; the part behind is a record of its own. NULL: no memory. */
static struct flight *split(struct scoreboard *board, struct flight *flight, uint32_t seq)
{
	struct flight *rest = flight_new(board->pool);

	if (!rest)
		return NULL;
	rest->begin = seq;
	rest->end = flight->end;
	rest->sent = flight->sent;
	rest->serial = flight->serial;
	rest->unit = flight->unit;
	rest->state = flight->state;
	rest->again = flight->again;
	rest->limited = flight->limited;
	rest->mark = flight->mark;
	flight->end = seq;
	list_prepend(&flight->order, &rest->order);
	list_init(&rest->waiting);
	if (flight->state != FLIGHT_SACKED)
		list_prepend(&flight->waiting, &rest->waiting);
	tree_add_after(board, flight, rest);
	return rest;
}

/* The next record in order, of the same state, becomes a part of flight. */
static void join(struct scoreboard *board, struct flight *flight, struct flight *next)
{
	tree_remove_after(board, flight, next);
	flight->end = next->end;
	flight->again |= next->again;
	list_remove(&next->order);
	list_remove(&next->waiting);
	flight_free(board->pool, next);
}

/* ---- what ACKs say ---- */

/* RFC 8985 §6.2 step 2: was a resent segment acknowledged too early for that? Then it says nothing. */
static bool ambiguous(const struct flight *flight, const struct delivery *delivery)
{
	berth_time elapsed = delivery->now - flight->sent;

	return flight->again && (elapsed < delivery->least_rtt ||
				 (delivery->echo_age_ms != UINT32_MAX &&
				  (berth_time)delivery->echo_age_ms * BERTH_MSEC > elapsed + BERTH_MSEC));
}

static void delivered(const struct flight *flight, struct delivery *delivery)
{
	delivery->bytes += size_of(flight);
	if (!flight->again) {
		berth_time rtt = delivery->now - flight->sent;

		delivery->rtt = delivery->sampled ? MAX(delivery->rtt, rtt) : rtt;
		delivery->sampled = true;
		delivery->original |= seq_le(flight->end, delivery->original_end);
		delivery->reordered |= delivery->had_sacks && seq_lt(flight->end, delivery->highest_before);
	}
	if (ambiguous(flight, delivery))
		return;
	if (!delivery->any || flight->serial > delivery->serial ||
	    (flight->serial == delivery->serial && seq_gt(flight->end, delivery->end))) {
		delivery->any = true;
		delivery->serial = flight->serial;
		delivery->end = flight->end;
		delivery->sent = flight->sent;
		delivery->latest_again = flight->again;
		delivery->limited = flight->limited;
		delivery->mark = flight->mark;
	}
}

/* The first of a run's segments. Half of one tells nothing of time. */
static void delivered_until(const struct flight *flight, uint32_t una, struct delivery *delivery)
{
	struct flight part = *flight;

	part.end = una;
	if (size_of(&part) >= part.unit)
		delivered(&part, delivery);
	else
		delivery->bytes += size_of(&part);
}

void scoreboard_acknowledge(struct scoreboard *board, uint32_t una, struct delivery *delivery)
{
	struct flight *flight;

	while ((flight = scoreboard_first(board)) && seq_lt(flight->begin, una)) {
		bool whole = seq_le(flight->end, una);

		delivery->resent |= flight->again;
		if (flight->state != FLIGHT_SACKED && whole)
			delivered(flight, delivery);
		else if (flight->state != FLIGHT_SACKED)
			delivered_until(flight, una, delivery);
		*total_of(board, flight->state) -= (whole ? flight->end : una) - flight->begin;
		if (!whole) {
			flight->begin = una;
			return;
		}
		tree_remove_first(board, flight);
		list_remove(&flight->order);
		list_remove(&flight->waiting);
		flight_free(board->pool, flight);
	}
}

void scoreboard_end_only(struct scoreboard *board, struct flight *flight)
{
	board->root = NULL;
	list_init(&board->order);
	list_init(&board->sent);
	board->pipe = 0;
	flight_free(board->pool, flight);
}

/* The part of flight, in whole segments, that lies in [begin, end), as a record of its own. NULL: none. */
static struct flight *part_within(struct scoreboard *board, struct flight *flight, uint32_t begin, uint32_t end)
{
	if (seq_lt(flight->begin, begin)) {
		uint32_t before = begin - flight->begin, cut = before + flight->unit - 1;

		cut -= cut % flight->unit;
		if (cut >= size_of(flight))
			return NULL;
		flight = split(board, flight, flight->begin + cut);
		if (!flight)
			return NULL;
	}
	if (seq_gt(flight->end, end)) {
		uint32_t cut = seq_gt(end, flight->begin) ? end - flight->begin : 0;

		cut -= cut % flight->unit;
		if (!cut || !split(board, flight, flight->begin + cut))
			return NULL;
	}
	return flight;
}

static struct flight *join_sacked(struct scoreboard *board, struct flight *flight)
{
	struct flight *before = previous_of(board, flight), *after = next_of(board, flight);

	if (after && after->state == FLIGHT_SACKED)
		join(board, flight, after);
	if (before && before->state == FLIGHT_SACKED) {
		join(board, before, flight);
		flight = before;
	}
	return flight;
}

void scoreboard_sack(struct scoreboard *board, uint32_t begin, uint32_t end, struct delivery *delivery)
{
	struct flight *flight = find(board, begin);

	for (; flight && seq_lt(flight->begin, end); flight = next_of(board, flight)) {
		struct flight *part;

		if (flight->state == FLIGHT_SACKED)
			continue;
		part = part_within(board, flight, begin, end);
		if (!part)
			continue;
		delivered(part, delivery);
		delivery->sacked += size_of(part);
		if (!board->sacked_bytes || seq_gt(part->end, board->highest_sacked))
			board->highest_sacked = part->end;
		set_state(board, part, FLIGHT_SACKED);
		flight = join_sacked(board, part);
	}
}

void scoreboard_renege(struct scoreboard *board)
{
	LIST_EACH(&board->order, node) {
		struct flight *flight = LIST_ITEM(node, struct flight, order);

		if (flight->state == FLIGHT_SACKED)
			set_state(board, flight, FLIGHT_LOST);
	}
}

/* ---- losses ---- */

void scoreboard_lose(struct scoreboard *board, struct flight *flight)
{
	set_state(board, flight, FLIGHT_LOST);
}

void scoreboard_lose_all(struct scoreboard *board)
{
	LIST_EACH(&board->order, node) {
		struct flight *flight = LIST_ITEM(node, struct flight, order);

		if (flight->state != FLIGHT_SACKED)
			set_state(board, flight, FLIGHT_LOST); /* those lost before, too: in order from now on */
	}
}

void scoreboard_find_again(struct scoreboard *board)
{
	/* Given up earlier means sent earlier: they go before the rest. */
	while (!list_empty(&board->lost)) {
		struct flight *flight = LIST_ITEM(board->lost.prev, struct flight, waiting);

		set_state(board, flight, FLIGHT_SENT);
		list_remove(&flight->waiting);
		list_prepend(&board->sent, &flight->waiting);
	}
}

struct flight *scoreboard_take_lost(struct scoreboard *board, uint32_t most)
{
	struct flight *flight = scoreboard_first_lost(board), *next;

	while (flight && size_of(flight) < most && (next = next_of(board, flight)) && next->state == FLIGHT_LOST)
		join(board, flight, next);
	if (flight && size_of(flight) > most && !split(board, flight, flight->begin + most))
		return NULL;
	return flight;
}

struct flight *scoreboard_last(struct scoreboard *board)
{
	struct flight *flight = list_empty(&board->sent) ? NULL : LIST_ITEM(board->sent.prev, struct flight, waiting);
	uint32_t size, last;

	if (!flight)
		return NULL;
	size = size_of(flight);
	last = size % flight->unit ? size % flight->unit : flight->unit;
	return size > last ? split(board, flight, flight->end - last) : flight;
}

void scoreboard_resent(struct scoreboard *board, struct flight *flight, uint16_t unit, berth_time now)
{
	set_state(board, flight, FLIGHT_SENT);
	flight->sent = now;
	flight->serial = ++board->serial;
	flight->unit = unit;
	flight->again = true;
}
