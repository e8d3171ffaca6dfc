/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast a path delivers (draft-cheng-iccrg-delivery-rate-estimation), and
 * how fast we send into it. Allocated when a conversation first has more than
 * a segment under way, or must pace: an idle one has none.
 *
 * Each transmission remembers what had been delivered when it left. When it is
 * delivered, what came through since then, divided by the longer of the time
 * it took to send that and the time it took to acknowledge it, is the rate: a
 * burst of acknowledgments makes the one short and leaves the other.
 */
#ifndef CORE_TCP_RATE_H
#define CORE_TCP_RATE_H

#include <berth/types.h>

#include <stdbool.h>

/* What a transmission remembers. */
struct rate_mark {
	uint64_t delivered;	 /* bytes, when it left */
	berth_time delivered_at; /* and when the last of them were acknowledged; 0: not known */
	berth_time first_at;	 /* when the earliest left of those that were under way */
};

struct tcp_rate {
	uint64_t delivered; /* bytes since the beginning */
	berth_time delivered_at, first_at;
	uint64_t limited_until; /* nothing to send: samples say little until delivered is there. 0: no */
	/* The last sample that says something, for TCP_INFO. */
	uint64_t bytes;
	berth_time interval;
	bool limited;
	/* Pacing, see pace.c. */
	bool paced;
	uint64_t pacing_rate; /* bytes a second, by the congestion control; 0: from cwnd and round trip time */
	berth_time next;      /* when the next burst may go */
	uint32_t burst_left;
	/* The most that was under way in this round trip and in the last. */
	uint32_t round_end, most, last_most;
};

/* What an ACK says of the path. */
struct rate_sample {
	bool valid;
	bool limited;		  /* we had too little to send: the path may be faster */
	uint64_t rate;		  /* bytes a second; of paced conversations */
	uint64_t prior_delivered; /* when the latest delivered transmission left */
	berth_time rtt;		  /* of that transmission; 0: unknown */
	bool delayed;		  /* the ACK may have waited for more to acknowledge */
	uint32_t bytes, lost;	  /* newly delivered, newly given up */
	uint32_t prior_pipe;	  /* under way before */
};

#endif
