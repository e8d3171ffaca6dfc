/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Round-trip time and retransmission timeout. RFC 6298, with Linux's limits:
 * 1 s before the first sample, never less than 200 ms above the mean, at most
 * 120 s. Retransmitted segments give no sample (Karn) unless a timestamp says
 * which transmission was acknowledged (RFC 7323 §4).
 */
#ifndef CORE_TCP_RTT_H
#define CORE_TCP_RTT_H

#include <berth/types.h>

#define TCP_RTO_INITIAL (1 * BERTH_SEC)
#define TCP_RTO_MIN (200 * BERTH_MSEC)
#define TCP_RTO_MAX (120 * BERTH_SEC)

struct tcp_rtt {
	berth_time mean, deviation; /* SRTT, RTTVAR; 0: no sample yet */
	berth_time smallest;
	uint32_t latest_us;
	uint8_t backoff; /* of the timeout: doublings */
};

void tcp_rtt_init(struct tcp_rtt *rtt);
/* A segment took sample ns there and back. Ends the backoff. */
void tcp_rtt_sample(struct tcp_rtt *rtt, berth_time sample);
void tcp_rtt_backoff(struct tcp_rtt *rtt);
/* The timeout as of now, backoff included. */
berth_time tcp_rtt_timeout(const struct tcp_rtt *rtt);
/*
 * How long retransmissions go on before count of them have failed, when the
 * timeout starts at 200 ms: Linux measures tcp_retries2 in time, not in
 * segments. 15 gives 924.6 s.
 */
berth_time tcp_rtt_give_up(unsigned count);

#endif
