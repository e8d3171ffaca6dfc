/* SPDX-License-Identifier: BSD-2-Clause */
/* What congestion controls are, and what each keeps in a conversation. All counts are bytes. */
#ifndef CORE_TCP_CONGESTION_H
#define CORE_TCP_CONGESTION_H

#include "core/tcp/rate.h"

struct tcp_conn;

/* A congestion control. */
struct tcp_congestion {
	const char *name;
	bool paced; /* it can't do without */
	/* It is in charge from now on: at the beginning of a conversation, or in its middle. May be NULL. */
	void (*on_begin)(struct tcp_conn *conn);
	/* Data goes out and none is under way. May be NULL: then a pause shrinks the window (RFC 5681 §4.1). */
	void (*on_start)(struct tcp_conn *conn);
	/*
	 * An ACK was taken, in recovery or not. With it cwnd is the control's own, on_ack() is not called, and no
	 * reduction is made for it; needs SACK, and tcp_newreno acts where that was not agreed on. May be NULL.
	 */
	void (*on_sample)(struct tcp_conn *conn, const struct rate_sample *sample);
	/* New data was acknowledged outside of recovery while cwnd was what limited us. */
	void (*on_ack)(struct tcp_conn *conn, uint32_t acked);
	/* What ssthresh shall be, now that something was lost with flight bytes under way. */
	uint32_t (*on_loss)(struct tcp_conn *conn, uint32_t flight);
	/* The last loss was none: cwnd and ssthresh are restored. May be NULL. */
	void (*on_undo)(struct tcp_conn *conn);
};
extern const struct tcp_congestion tcp_newreno, tcp_cubic, tcp_bbr;

/* HyStart++, RFC 9406; see cubic.c. */
struct tcp_hystart {
	bool begun, cautious; /* cautious: CSS */
	uint8_t samples, rounds_left;
	uint32_t round_end;
	berth_time least, last_least, baseline; /* round trip times; BERTH_NEVER: none yet */
};

/* One curve of CUBIC's: from a reduction to the next. */
struct tcp_cubic_epoch {
	bool begun;
	berth_time began;
	uint32_t plateau;		       /* W_max; 0: from where it begins */
	uint32_t k_ms;			       /* K: when the curve reaches the plateau */
	uint32_t estimate;		       /* W_est: Reno's window */
	uint64_t cwnd_credit, estimate_credit; /* what division left over */
};

struct tcp_cubic {
	struct tcp_cubic_epoch now, previous;
	uint32_t before_loss;
	berth_time last_ack;
	struct tcp_hystart hystart;
};

/* The most of the last rounds: the best sample, and the best ones after it. */
struct tcp_bbr_max {
	uint64_t value[3];
	uint32_t round[3];
};

/* BBR; see bbr.c. Rates are bytes a second. */
struct tcp_bbr {
	uint8_t mode, was, cycle, full_rounds, aggregate_rounds, aggregate_slot;
	bool round_start, full, conserving, restarting, probe_round_done, seen_rtt;
	uint32_t round, prior_cwnd;
	uint64_t round_end; /* in bytes delivered */
	struct tcp_bbr_max bandwidth;
	uint64_t full_bandwidth;
	berth_time least_rtt, least_at, probe_done_at, cycle_at;
	berth_time epoch_at; /* ACK aggregation: what came beyond the bandwidth since then */
	uint64_t epoch_acked;
	uint32_t aggregated[2];
};

#endif
