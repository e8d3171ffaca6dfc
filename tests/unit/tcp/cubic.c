/* SPDX-License-Identifier: BSD-2-Clause */
/* src/core/tcp: cubic.c, and the window after a pause */
#include "tests/test.h"

#include "core/tcp/tcp.h"

#include <berth/berth.h>

static struct berth_stack *stack;

/* A conversation that has its window full all the time: segments of 1000 bytes, rtt 100 ms. */
static struct tcp_conn *begin(uint32_t cwnd, uint32_t ssthresh)
{
	struct tcp_conn *conn;

	stack = berth_stack_new(&(struct berth_stack_config){ .seed = 1, .now = 1000 * BERTH_SEC });
	conn = tcp_conn_of(socket_get(stack, berth_socket(stack, AF_INET, SOCK_STREAM, 0)));
	conn->mss = 1000;
	conn->cwnd = cwnd;
	conn->ssthresh = ssthresh;
	tcp_rtt_sample(&conn->rtt, 100 * BERTH_MSEC);
	return conn;
}

static void pass_round(struct tcp_conn *conn, berth_time rtt)
{
	uint32_t cwnd = conn->cwnd;

	stack->now += rtt;
	conn->snd_max += cwnd;
	for (uint32_t acked = 0; acked < cwnd; acked += 1000) {
		conn->snd_una += 1000;
		tcp_rtt_sample(&conn->rtt, rtt);
		tcp_cubic.on_ack(conn, 1000);
	}
}

TEST(tcp_cubic, a_loss_takes_three_tenths)
{
	struct tcp_conn *conn = begin(100000, 50000);

	CHECK_EQ(tcp_cubic.on_loss(conn, 100000), 70000);
	CHECK_EQ(tcp_cubic.on_loss(conn, 1000), 2000);
	berth_stack_free(stack);
}

/* RFC 9438 §4.2: K is the cube root of 300/0.4, which is 9.09 s. */
TEST(tcp_cubic, the_curve_is_back_where_the_loss_was_after_k)
{
	struct tcp_conn *conn = begin(1000000, 500000);
	uint32_t middle;

	conn->ssthresh = conn->cwnd = tcp_cubic.on_loss(conn, conn->cwnd);
	for (int i = 0; i < 45; i++)
		pass_round(conn, 100 * BERTH_MSEC);
	middle = conn->cwnd;
	CHECK(middle > 940000 && middle < 980000); /* 1000 - 0.4 * 4.59³ is 961 */
	for (int i = 0; i < 46; i++)
		pass_round(conn, 100 * BERTH_MSEC);
	CHECK(conn->cwnd > 990000 && conn->cwnd < 1010000);
	for (int i = 0; i < 50; i++)
		pass_round(conn, 100 * BERTH_MSEC);
	CHECK(conn->cwnd > 1040000 && conn->cwnd < 1070000); /* 1000 + 0.4 * 5³ is 1050 */
	berth_stack_free(stack);
}

/* RFC 9438 §4.3: a small window grows like Reno's. */
TEST(tcp_cubic, is_never_slower_than_reno)
{
	struct tcp_conn *conn = begin(10000, 5000);

	conn->ssthresh = conn->cwnd = tcp_cubic.on_loss(conn, conn->cwnd);
	for (int i = 0; i < 20; i++)
		pass_round(conn, 10 * BERTH_MSEC);
	CHECK(conn->cwnd >= 17000 && conn->cwnd <= 27000); /* 7 and half a segment for each of six rounds, then one */
	berth_stack_free(stack);
}

TEST(tcp_cubic, fast_convergence_leaves_room_for_others)
{
	struct tcp_conn *conn = begin(100000, 50000);

	tcp_cubic.on_loss(conn, 100000);
	tcp_cubic.on_loss(conn, 80000);
	CHECK_EQ(conn->own->cubic.now.plateau, 68000);
	tcp_cubic.on_undo(conn);
	CHECK_EQ(conn->own->cubic.now.plateau, 100000);
	berth_stack_free(stack);
}

/* RFC 9406 */
TEST(tcp_cubic, slow_start_ends_when_the_round_trip_gets_longer)
{
	struct tcp_conn *conn = begin(10000, UINT32_MAX);
	uint32_t before;

	for (int i = 0; i < 3; i++)
		pass_round(conn, 100 * BERTH_MSEC);
	CHECK(conn->cwnd >= 79000);
	pass_round(conn, 120 * BERTH_MSEC);
	before = conn->cwnd;
	pass_round(conn, 120 * BERTH_MSEC);
	CHECK(conn->cwnd > before && conn->cwnd <= before + before / 4 + 1000);
	for (int i = 0; i < 6; i++)
		pass_round(conn, 120 * BERTH_MSEC);
	CHECK(conn->ssthresh != UINT32_MAX);
	berth_stack_free(stack);
}

TEST(tcp_cubic, jitter_does_not_end_slow_start)
{
	struct tcp_conn *conn = begin(10000, UINT32_MAX);

	for (int i = 0; i < 3; i++)
		pass_round(conn, 100 * BERTH_MSEC);
	pass_round(conn, 120 * BERTH_MSEC);
	for (int i = 0; i < 8; i++)
		pass_round(conn, 100 * BERTH_MSEC);
	CHECK_EQ(conn->ssthresh, UINT32_MAX);
	berth_stack_free(stack);
}

TEST(tcp_congestion, a_pause_halves_the_window_for_each_timeout)
{
	struct tcp_conn *conn = begin(100000, UINT32_MAX);

	conn->last_sent = stack->now;
	stack->now += 5 * tcp_rtt_timeout(&conn->rtt) / 2;
	tcp_congestion_idle(conn);
	CHECK_EQ(conn->cwnd, 25000);
	stack->now += 3600 * BERTH_SEC;
	tcp_congestion_idle(conn);
	CHECK_EQ(conn->cwnd, 10000);
	berth_stack_free(stack);
}
