/* SPDX-License-Identifier: BSD-2-Clause */
/* src/core/tcp/bbr.c */
#include "tests/test.h"

#include "core/tcp/tcp.h"

#include <berth/berth.h>

#define RTT (100 * BERTH_MSEC)

static struct berth_stack *stack;

/* Segments of 1000 bytes, rtt 100 ms. The path is what each round says it is. */
static struct tcp_conn *begin(void)
{
	struct tcp_conn *conn;

	stack = berth_stack_new(&(struct berth_stack_config){ .seed = 1, .now = 1000 * BERTH_SEC });
	conn = tcp_conn_of(socket_get(stack, berth_socket(stack, AF_INET, SOCK_STREAM, 0)));
	conn->mss = 1000;
	conn->cwnd = 10000;
	conn->ssthresh = UINT32_MAX;
	tcp_sack_begin(conn);
	CHECK(tcp_sent_need(conn));
	CHECK(tcp_rate_need(conn) != NULL);
	CHECK_EQ(tcp_settings_own(conn), 0);
	conn->settings->congestion = &tcp_bbr;
	tcp_rtt_sample(&conn->rtt, RTT);
	tcp_congestion_begin(conn);
	return conn;
}

static void end(void)
{
	berth_stack_free(stack);
}

struct path {
	uint64_t rate; /* bytes a second */
	berth_time rtt;
	bool limited;
	uint32_t lost;
};

/* A round trip in ten ACKs; everything that arrives was under way. */
static void round_of(struct tcp_conn *conn, const struct path *path)
{
	uint64_t left = conn->rate->delivered;
	uint32_t bytes = (uint32_t)(path->rate / 10 * (uint64_t)path->rtt / BERTH_SEC);

	for (int i = 0; i < 10; i++) {
		struct rate_sample sample = { .valid = true,
					      .limited = path->limited,
					      .rate = path->rate,
					      .prior_delivered = left,
					      .rtt = path->rtt,
					      .bytes = bytes,
					      .lost = i ? 0 : path->lost,
					      .prior_pipe = MAX(conn->sent->board.pipe, bytes) };

		stack->now += path->rtt / 10;
		conn->rate->delivered += bytes;
		conn->rate->delivered_at = stack->now;
		tcp_bbr.on_sample(conn, &sample);
	}
}

static void rounds_of(struct tcp_conn *conn, int count, struct path path)
{
	for (int i = 0; i < count; i++)
		round_of(conn, &path);
}

/* STARTUP is over, and DRAIN. */
static void settle(struct tcp_conn *conn, uint64_t rate)
{
	conn->sent->board.pipe = 0;
	rounds_of(conn, 6, (struct path){ .rate = rate, .rtt = RTT });
}

TEST(tcp_bbr, startup_sends_almost_three_times_as_fast_as_the_path_delivers)
{
	struct tcp_conn *conn = begin();

	CHECK_EQ(conn->rate->pacing_rate, 288500);
	rounds_of(conn, 1, (struct path){ .rate = 1000000, .rtt = RTT });
	CHECK_EQ(conn->rate->pacing_rate, 2856150);
	rounds_of(conn, 1, (struct path){ .rate = 2000000, .rtt = RTT });
	CHECK_EQ(conn->rate->pacing_rate, 5712300);
	end();
}

TEST(tcp_bbr, startup_ends_when_three_rounds_bring_no_quarter_more)
{
	struct tcp_conn *conn = begin();

	rounds_of(conn, 1, (struct path){ .rate = 1000000, .rtt = RTT });
	conn->sent->board.pipe = 1000000; /* so that DRAIN lasts */
	rounds_of(conn, 2, (struct path){ .rate = 1200000, .rtt = RTT });
	CHECK_EQ(conn->rate->pacing_rate, 3427380);
	rounds_of(conn, 1, (struct path){ .rate = 1200000, .rtt = RTT });
	CHECK_EQ(conn->rate->pacing_rate, (uint64_t)(1200000 / 2.885 * 0.99));
	conn->sent->board.pipe = 100000; /* the queue is empty again */
	rounds_of(conn, 1, (struct path){ .rate = 1200000, .rtt = RTT });
	CHECK(conn->rate->pacing_rate >= 1200000 * 3 / 4 * 99 / 100);
	CHECK(conn->rate->pacing_rate <= 1200000 * 5 / 4);
	end();
}

TEST(tcp_bbr, want_of_data_does_not_end_startup)
{
	struct tcp_conn *conn = begin();

	rounds_of(conn, 8, (struct path){ .rate = 1000000, .rtt = RTT, .limited = true });
	CHECK_EQ(conn->rate->pacing_rate, 2856150);
	end();
}

TEST(tcp_bbr, the_window_is_two_paths_full)
{
	struct tcp_conn *conn = begin();

	settle(conn, 10000000);
	rounds_of(conn, 20, (struct path){ .rate = 10000000, .rtt = RTT });
	CHECK(conn->cwnd > 2 * 1000000);
	CHECK(conn->cwnd < 2 * 1000000 + 300000); /* bursts, and a tenth of a window that is acknowledged at once */
	end();
}

TEST(tcp_bbr, eight_round_trips_probe_once_and_drain_once)
{
	struct tcp_conn *conn = begin();
	int fast = 0, slow = 0, even = 0;

	settle(conn, 1000000);
	conn->sent->board.pipe = 200000; /* the probe has its effect */
	for (int i = 0; i < 16; i++) {
		rounds_of(conn, 1, (struct path){ .rate = 1000000, .rtt = RTT + RTT / 10 });
		fast += conn->rate->pacing_rate == (uint64_t)(1000000 * 1.25 * 0.99);
		slow += conn->rate->pacing_rate == (uint64_t)(1000000 * 0.75 * 0.99);
		even += conn->rate->pacing_rate == (uint64_t)(1000000 * 0.99);
	}
	CHECK_EQ(fast, 2);
	CHECK_EQ(slow, 2);
	CHECK_EQ(even, 12);
	end();
}

TEST(tcp_bbr, a_slower_path_is_believed_after_ten_rounds)
{
	struct tcp_conn *conn = begin();

	settle(conn, 1000000);
	rounds_of(conn, 8, (struct path){ .rate = 500000, .rtt = RTT });
	CHECK(conn->rate->pacing_rate >= (uint64_t)(1000000 * 0.75 * 0.99));
	rounds_of(conn, 6, (struct path){ .rate = 500000, .rtt = RTT });
	CHECK(conn->rate->pacing_rate <= (uint64_t)(500000 * 1.25 * 0.99));
	end();
}

TEST(tcp_bbr, the_least_round_trip_is_measured_anew_after_ten_seconds)
{
	struct tcp_conn *conn = begin();
	berth_time begun;

	settle(conn, 1000000);
	for (int i = 0; i < 95 && conn->cwnd > 4000; i++)
		rounds_of(conn, 1, (struct path){ .rate = 1000000, .rtt = RTT + BERTH_MSEC });
	CHECK_EQ(conn->cwnd, 4000);
	begun = stack->now;
	conn->sent->board.pipe = 4000;
	while (conn->cwnd == 4000 && stack->now < begun + BERTH_SEC)
		rounds_of(conn, 1, (struct path){ .rate = 40000, .rtt = RTT, .limited = true });
	CHECK(stack->now - begun >= 200 * BERTH_MSEC);
	CHECK(stack->now - begun <= 500 * BERTH_MSEC);
	CHECK(conn->cwnd > 200000);
	end();
}

TEST(tcp_bbr, recovery_sends_what_was_delivered_and_then_all_again)
{
	struct tcp_conn *conn = begin();
	struct rate_sample sample = { .valid = true, .rate = 1000000, .rtt = RTT, .bytes = 3000, .lost = 2000 };
	uint32_t before;

	settle(conn, 1000000);
	rounds_of(conn, 10, (struct path){ .rate = 1000000, .rtt = RTT });
	before = conn->cwnd;
	CHECK_EQ(tcp_bbr.on_loss(conn, before), conn->ssthresh);
	conn->in_recovery = true;
	conn->sent->board.pipe = 50000;
	sample.prior_delivered = conn->rate->delivered - 1;
	tcp_bbr.on_sample(conn, &sample);
	CHECK_EQ(conn->cwnd, 53000);
	rounds_of(conn, 2, (struct path){ .rate = 1000000, .rtt = RTT }); /* conservation is for one round */
	CHECK(conn->cwnd > 53000);
	conn->in_recovery = false;
	rounds_of(conn, 1, (struct path){ .rate = 1000000, .rtt = RTT });
	CHECK(conn->cwnd >= before - 2000);
	end();
}

TEST(tcp_bbr, random_loss_costs_no_bandwidth)
{
	struct tcp_conn *conn = begin();

	settle(conn, 1000000);
	rounds_of(conn, 20, (struct path){ .rate = 1000000, .rtt = RTT, .lost = 5000 });
	CHECK(conn->rate->pacing_rate >= (uint64_t)(1000000 * 0.75 * 0.99));
	CHECK(conn->cwnd > 200000);
	end();
}
