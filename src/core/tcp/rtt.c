/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/tcp/rtt.h"

#include "base/bytes.h"

void tcp_rtt_init(struct tcp_rtt *rtt)
{
	*rtt = (struct tcp_rtt){ .mean = 0 };
}

void tcp_rtt_sample(struct tcp_rtt *rtt, berth_time sample)
{
	sample = MAX(sample, 1);
	rtt->latest_us = (uint32_t)MIN(sample / BERTH_USEC, UINT32_MAX);
	rtt->backoff = 0;
	if (!rtt->mean) { /* RFC 6298 §2.2 */
		rtt->mean = rtt->smallest = sample;
		rtt->deviation = sample / 2;
	} else { /* §2.3: the deviation first */
		berth_time error = rtt->mean > sample ? rtt->mean - sample : sample - rtt->mean;

		rtt->deviation += (error - rtt->deviation) / 4;
		rtt->mean += (sample - rtt->mean) / 8;
		rtt->smallest = MIN(rtt->smallest, sample);
	}
}

void tcp_rtt_backoff(struct tcp_rtt *rtt)
{
	if (tcp_rtt_timeout(rtt) < TCP_RTO_MAX)
		rtt->backoff++;
}

berth_time tcp_rtt_timeout(const struct tcp_rtt *rtt)
{
	/* Linux: the minimum is on the deviation's part, so that a delayed ACK is no timeout. */
	berth_time timeout = rtt->mean ? rtt->mean + MAX(4 * rtt->deviation, TCP_RTO_MIN) : TCP_RTO_INITIAL;

	for (unsigned i = 0; i < rtt->backoff && timeout < TCP_RTO_MAX; i++)
		timeout *= 2;
	return MIN(timeout, TCP_RTO_MAX);
}

berth_time tcp_rtt_give_up(unsigned count)
{
	berth_time total = 0, timeout = TCP_RTO_MIN;

	for (unsigned i = 0; i <= count; i++, timeout = MIN(timeout * 2, TCP_RTO_MAX))
		total += timeout;
	return total;
}
