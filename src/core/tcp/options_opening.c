/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options at level IPPROTO_TCP that are about opening a conversation: Fast
 * Open's, and TCP_DEFER_ACCEPT. tcp(7); Linux: do_tcp_setsockopt().
 */
#include "core/tcp/tcp.h"

#include <linux/tcp.h>

#define TIMEOUT_MAX 120 /* seconds between two SYN-ACKs. Linux: TCP_RTO_MAX */
#define DEFER_MAX 255	/* timeouts */

/* How many SYN-ACKs fit into seconds, and the seconds that so many take. Linux: secs_to_retrans() and back */
static uint8_t timeouts_in(int seconds)
{
	int timeouts = 0, step = 1, period = 1;

	if (seconds <= 0)
		return 0;
	for (timeouts = 1; seconds > period && timeouts < DEFER_MAX; timeouts++) {
		step = MIN(2 * step, TIMEOUT_MAX);
		period += step;
	}
	return (uint8_t)timeouts;
}

static int seconds_of(uint8_t timeouts)
{
	int period = 0;

	for (int step = 1; timeouts; timeouts--, step = MIN(2 * step, TIMEOUT_MAX))
		period += step;
	return period;
}

static bool unconnected(const struct tcp_conn *conn)
{
	return conn->state == TCP_CLOSED || conn->state == TCP_LISTEN;
}

static int set_queue(struct tcp_conn *conn, int value)
{
	if (value < 0 || !unconnected(conn))
		return -EINVAL;
	conn->settings->fastopen_queue = (uint32_t)MIN(value, TCP_BACKLOG_MAX);
	return 0;
}

static int set_connect(struct tcp_conn *conn, int value)
{
	if (value < 0 || value > 1)
		return -EINVAL;
	if (!(tcp_stack_of(conn)->limits.fastopen & BERTH_FASTOPEN_CLIENT))
		return -EOPNOTSUPP;
	if (conn->state != TCP_CLOSED)
		return -EINVAL;
	conn->settings->fastopen_connect = value;
	return 0;
}

static int set_no_cookie(struct tcp_conn *conn, int value)
{
	if (value < 0 || value > 1 || !unconnected(conn))
		return -EINVAL;
	conn->settings->fastopen_no_cookie = value;
	return 0;
}

/* A listener's own, or one that will be a listener's. */
static int set_key(struct tcp_conn *conn, const void *value, socklen_t length)
{
	struct fastopen_keys keys;
	int r = fastopen_keys_set(&keys, value, length);

	if (r < 0)
		return r;
	if (conn->rare->listener) {
		conn->rare->listener->fastopen_keys = keys;
		return 0;
	}
	if (!tcp_rare_need(conn))
		return -ENOMEM;
	if (!conn->rare->keys_to_be)
		conn->rare->keys_to_be = stack_alloc(tcp_stack_of(conn), sizeof(keys));
	if (!conn->rare->keys_to_be)
		return -ENOMEM;
	*conn->rare->keys_to_be = keys;
	return 0;
}

int tcp_opening_set(struct tcp_conn *conn, int name, const void *value, socklen_t length)
{
	int number;

	if (name == TCP_FASTOPEN_KEY)
		return set_key(conn, value, length);
	if (name != TCP_FASTOPEN && name != TCP_FASTOPEN_CONNECT && name != TCP_FASTOPEN_NO_COOKIE &&
	    name != TCP_DEFER_ACCEPT)
		return -ENOPROTOOPT;
	memcpy(&number, value, sizeof(number));
	switch (name) {
	case TCP_FASTOPEN:
		return set_queue(conn, number);
	case TCP_FASTOPEN_CONNECT:
		return set_connect(conn, number);
	case TCP_FASTOPEN_NO_COOKIE:
		return set_no_cookie(conn, number);
	}
	conn->settings->defer_accept = timeouts_in(number);
	return 0;
}

static int get_number(struct tcp_conn *conn, int name, int *ret_number)
{
	switch (name) {
	case TCP_FASTOPEN:
		*ret_number = (int)conn->settings->fastopen_queue;
		return 0;
	case TCP_FASTOPEN_CONNECT:
		*ret_number = conn->settings->fastopen_connect;
		return 0;
	case TCP_FASTOPEN_NO_COOKIE:
		*ret_number = conn->settings->fastopen_no_cookie;
		return 0;
	case TCP_DEFER_ACCEPT:
		*ret_number = seconds_of(conn->settings->defer_accept);
		return 0;
	}
	return -ENOPROTOOPT;
}

int tcp_opening_get(struct tcp_conn *conn, int name, void *value, socklen_t *length)
{
	static const struct fastopen_keys none;
	const struct fastopen_keys *keys = conn->rare->listener	    ? &conn->rare->listener->fastopen_keys
					   : conn->rare->keys_to_be ? conn->rare->keys_to_be
								    : &none;
	uint8_t bytes[32];
	int number, r = 0;

	if (name == TCP_FASTOPEN_KEY) {
		*length = (socklen_t)MIN(*length, fastopen_keys_get(tcp_stack_of(conn), keys, bytes));
		memcpy(value, bytes, *length);
		return 0;
	}
	r = get_number(conn, name, &number);
	if (r < 0)
		return r;
	*length = (socklen_t)MIN(*length, sizeof(number));
	memcpy(value, &number, *length);
	return 0;
}
