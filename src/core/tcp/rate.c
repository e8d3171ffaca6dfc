/* SPDX-License-Identifier: BSD-2-Clause */
/* Delivery rate samples; the idea is in rate.h. Linux: tcp_rate.c */
#include "core/tcp/tcp.h"

/* The conversation's, made now if it has none. NULL: no memory, and then there are no samples. */
struct tcp_rate *tcp_rate_need(struct tcp_conn *conn)
{
	struct tcp_rate *rate = conn->rate;

	if (rate)
		return rate;
	rate = conn->rate = stack_alloc(tcp_stack_of(conn), sizeof(*rate));
	if (!rate)
		return NULL;
	*rate = (struct tcp_rate){ .round_end = conn->snd_max };
	rate->delivered_at = rate->first_at = tcp_stack_of(conn)->now;
	return rate;
}

void tcp_rate_drop(struct tcp_conn *conn)
{
	stack_free(tcp_stack_of(conn), conn->rate, sizeof(*conn->rate));
	conn->rate = NULL;
}

/* [flight] leaves; pipe: what was under way before. */
void tcp_rate_sent(struct tcp_conn *conn, struct flight *flight, uint32_t pipe)
{
	struct tcp_rate *rate = conn->rate;

	if (!rate && (pipe || flight->end - flight->begin > conn->mss)) /* one segment at a time needs no rate */
		rate = tcp_rate_need(conn);
	if (!rate)
		return;
	if (!pipe) /* after a pause the clock begins anew: silence is not slowness */
		rate->first_at = rate->delivered_at = flight->sent;
	flight->mark = (struct rate_mark){ rate->delivered, rate->delivered_at, rate->first_at };
	flight->limited = rate->limited_until;
}

/*
 * The application has given all it had, and there was room for more. Linux:
 * tcp_rate_check_app_limited(). Differs: a full send buffer is not for want of
 * data, or BBR would never find the bandwidth that the buffer allows.
 */
void tcp_rate_starved(struct tcp_conn *conn)
{
	struct tcp_rate *rate = conn->rate;

	if (rate && tcp_data_end(conn) - conn->snd_nxt < conn->mss && conn->sent->board.pipe < conn->cwnd &&
	    !conn->sent->board.lost_bytes && tcp_buffer_writeable(conn))
		rate->limited_until = rate->delivered + conn->sent->board.pipe + 1;
}

static void keep(struct tcp_rate *rate, uint64_t bytes, berth_time interval, bool limited)
{
	/* A sample that is too low, for want of data, does not push out a better one. */
	if (limited && rate->interval &&
	    (double)bytes * (double)rate->interval < (double)rate->bytes * (double)interval)
		return;
	rate->bytes = bytes;
	rate->interval = interval;
	rate->limited = limited;
}

void tcp_rate_sample(struct tcp_conn *conn, const struct delivery *delivery, struct rate_sample *sample)
{
	struct tcp_rate *rate = conn->rate;
	berth_time send_time, ack_time, interval;
	uint64_t bytes;

	sample->bytes = delivery->bytes;
	sample->delayed = delivery->bytes < conn->mss;
	if (delivery->any && !delivery->latest_again)
		sample->rtt = MAX(delivery->now - delivery->sent, 1);
	if (!rate)
		return;
	rate->delivered += delivery->bytes;
	if (rate->limited_until && rate->delivered > rate->limited_until)
		rate->limited_until = 0;
	if (delivery->bytes)
		rate->delivered_at = delivery->now;
	if (!delivery->any || !delivery->mark.delivered_at)
		return;
	rate->first_at = delivery->sent;
	sample->prior_delivered = delivery->mark.delivered;
	send_time = delivery->sent - delivery->mark.first_at;
	ack_time = delivery->now - delivery->mark.delivered_at;
	interval = MAX(send_time, ack_time);
	bytes = rate->delivered - delivery->mark.delivered;
	if (interval <= 0 || interval < conn->rtt.smallest)
		return; /* faster than the path: something was acknowledged that had been resent */
	sample->valid = true;
	sample->limited = delivery->limited;
	if (rate->paced) /* nobody else asks */
		sample->rate = (uint64_t)((double)bytes * BERTH_SEC / (double)interval);
	keep(rate, bytes, interval, delivery->limited);
}

/* Bytes a second; 0: not known. */
uint64_t tcp_rate_delivery(const struct tcp_conn *conn)
{
	const struct tcp_rate *rate = conn->rate;

	if (!rate || !rate->interval)
		return 0;
	return (uint64_t)((double)rate->bytes * BERTH_SEC / (double)rate->interval);
}
