/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is under way: a record for each transmission, from SND.UNA to snd_max
 * without gaps, for conversations that agreed on SACK. A record is a run of
 * segments (a superframe, or one segment) that was sent at one moment; it is
 * split where the peer or a loss takes it apart, at segment boundaries only,
 * and records that are SACKed grow together.
 *
 * A hostile peer is bounded by that: an ACK has at most four blocks, each
 * costs at most two splits and an amortised O(log n) search (a splay tree),
 * and a walk over SACKed data meets at most one record between two others.
 * Without memory for a split the SACK is taken for less than it says.
 *
 * Memory is held only while data is in flight. What the peer said in SACKs it
 * may take back (RFC 2018 §8): the send queue keeps every byte until it is
 * acknowledged, and a timeout may call scoreboard_renege().
 */
#ifndef CORE_TCP_SCOREBOARD_H
#define CORE_TCP_SCOREBOARD_H

#include "base/list.h"
#include "core/tcp/rate.h"

#include <berth/types.h>

enum flight_state {
	FLIGHT_SENT,   /* under way, as far as we know */
	FLIGHT_LOST,   /* given up, to be sent again */
	FLIGHT_SACKED, /* the peer says it has it */
};

struct flight {
	struct list order;   /* every record, by sequence number */
	struct list waiting; /* SENT: by time of sending; LOST: in the order found; SACKED: in no list */
	struct flight *left, *right, *parent;
	berth_time sent;
	uint64_t serial; /* of the transmission, ever rising: what time is too coarse to tell apart */
	uint32_t begin, end;
	uint16_t unit; /* bytes of each segment but the last */
	uint8_t state;
	bool again;   /* sent more than once */
	bool limited; /* there was nothing more to send behind it; see rate.h */
	struct rate_mark mark;
};

/* Records that are free, for all conversations of a stack. */
struct flight_pool {
	const struct berth_allocator *allocator;
	struct flight *free; /* through ->right */
	unsigned count;
};
void flight_pool_fini(struct flight_pool *pool);

struct scoreboard {
	struct flight_pool *pool;
	struct flight *root;
	struct list order, sent, lost;
	uint64_t serial;
	uint32_t pipe; /* bytes SENT. RFC 6675's pipe */
	uint32_t lost_bytes, sacked_bytes;
	uint32_t highest_sacked; /* end of the highest SACK; meaningless while sacked_bytes is 0 */
};

/* What one ACK brought word of, cumulative and selective together. */
struct delivery {
	berth_time now, least_rtt; /* in: a resent segment acknowledged faster than this was the first sending's */
	uint32_t original_end;	   /* in: see original */
	uint32_t echo_age_ms;	   /* in: how old the echoed timestamp is; UINT32_MAX: none */
	bool had_sacks;		   /* in: something was SACKed before … */
	uint32_t highest_before;   /* in: … up to here */
	uint32_t acked;		   /* SND.UNA moved by so much */
	uint32_t bytes;		   /* newly delivered */
	uint32_t sacked;	   /* of these, by SACK */
	bool original;		   /* a segment below original_end that was sent only once is among them */
	bool any;		   /* the next six are known */
	uint64_t serial;	   /* the latest transmission of them … */
	uint32_t end;
	berth_time sent;
	bool latest_again, limited;
	struct rate_mark mark;
	bool sampled;
	berth_time rtt; /* of the earliest one that was sent only once */
	bool resent;	/* it acknowledges a resending: rtt may be the time that a hole was open */
	bool reordered; /* one sent only once lay below what had been SACKed before */
};

void scoreboard_init(struct scoreboard *board, struct flight_pool *pool);
void scoreboard_clear(struct scoreboard *board);
/* New data was sent: [begin, end), behind everything. NULL: no memory. */
struct flight *scoreboard_add(struct scoreboard *board, uint32_t begin, uint32_t end, uint16_t unit, berth_time now);
/* Everything below una is acknowledged. */
void scoreboard_acknowledge(struct scoreboard *board, uint32_t una, struct delivery *delivery);
/* The peer has [begin, end); the caller knows that it lies within what was sent. */
void scoreboard_sack(struct scoreboard *board, uint32_t begin, uint32_t end, struct delivery *delivery);
/* It never had what it SACKed: that is lost, like all the rest. */
void scoreboard_renege(struct scoreboard *board);
void scoreboard_lose(struct scoreboard *board, struct flight *flight);
void scoreboard_lose_all(struct scoreboard *board);
/* What was given up but not sent again is under way after all. */
void scoreboard_find_again(struct scoreboard *board);
/*
 * The first lost run, at most most bytes of it (whole segments, at least one):
 * lost neighbours are joined to it, the rest is split off. NULL: none, or no memory.
 */
struct flight *scoreboard_take_lost(struct scoreboard *board, uint32_t most);
/* The last segment of all, by itself. NULL: all is SACKed, or no memory. */
struct flight *scoreboard_last(struct scoreboard *board);
/* flight was sent again. */
void scoreboard_resent(struct scoreboard *board, struct flight *flight, uint16_t unit, berth_time now);

static inline struct flight *scoreboard_first(const struct scoreboard *board)
{
	return LIST_FIRST(&board->order, struct flight, order);
}
static inline struct flight *scoreboard_first_lost(const struct scoreboard *board)
{
	return LIST_FIRST(&board->lost, struct flight, waiting);
}
static inline struct flight *scoreboard_oldest(const struct scoreboard *board)
{
	return LIST_FIRST(&board->sent, struct flight, waiting);
}

/* The record of all that is under way, when there is one and it was sent once; else NULL. And its end. */
static inline struct flight *scoreboard_only(const struct scoreboard *board)
{
	struct flight *flight = board->root;

	return flight && board->order.next == board->order.prev && flight->state == FLIGHT_SENT && !flight->again
		       ? flight
		       : NULL;
}
void scoreboard_end_only(struct scoreboard *board, struct flight *flight);

#endif
