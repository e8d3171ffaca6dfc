/* SPDX-License-Identifier: BSD-2-Clause */
/* src/core/tcp/rtt.c */
#include "tests/test.h"

#include "core/tcp/rtt.h"

TEST(tcp_rtt, the_timeout_is_a_second_before_the_first_sample)
{
	struct tcp_rtt rtt;

	tcp_rtt_init(&rtt);
	CHECK_EQ(tcp_rtt_timeout(&rtt), BERTH_SEC);
}

TEST(tcp_rtt, the_first_sample_sets_mean_and_deviation)
{
	struct tcp_rtt rtt;

	tcp_rtt_init(&rtt);
	tcp_rtt_sample(&rtt, 400 * BERTH_MSEC);
	CHECK_EQ(rtt.mean, 400 * BERTH_MSEC);
	CHECK_EQ(rtt.deviation, 200 * BERTH_MSEC);
	CHECK_EQ(tcp_rtt_timeout(&rtt), 1200 * BERTH_MSEC); /* RFC 6298 §2.2 */
}

TEST(tcp_rtt, later_samples_move_them_by_an_eighth_and_a_quarter)
{
	struct tcp_rtt rtt;

	tcp_rtt_init(&rtt);
	tcp_rtt_sample(&rtt, 800 * BERTH_MSEC);
	tcp_rtt_sample(&rtt, 400 * BERTH_MSEC);
	CHECK_EQ(rtt.mean, 750 * BERTH_MSEC);
	CHECK_EQ(rtt.deviation, 400 * BERTH_MSEC);
	CHECK_EQ(rtt.smallest, 400 * BERTH_MSEC);
}

TEST(tcp_rtt, a_fast_path_has_a_timeout_of_200_ms_above_the_mean)
{
	struct tcp_rtt rtt;

	tcp_rtt_init(&rtt);
	for (int i = 0; i < 100; i++)
		tcp_rtt_sample(&rtt, 10 * BERTH_USEC);
	CHECK_EQ(tcp_rtt_timeout(&rtt), 200 * BERTH_MSEC + 10 * BERTH_USEC);
}

TEST(tcp_rtt, backoff_doubles_to_120_s_and_ends_with_a_sample)
{
	struct tcp_rtt rtt;

	tcp_rtt_init(&rtt);
	for (int i = 0; i < 6; i++)
		tcp_rtt_backoff(&rtt);
	CHECK_EQ(tcp_rtt_timeout(&rtt), 64 * BERTH_SEC);
	for (int i = 0; i < 300; i++)
		tcp_rtt_backoff(&rtt);
	CHECK_EQ(tcp_rtt_timeout(&rtt), 120 * BERTH_SEC);
	tcp_rtt_sample(&rtt, BERTH_MSEC);
	CHECK(tcp_rtt_timeout(&rtt) < BERTH_SEC);
}

TEST(tcp_rtt, fifteen_retransmissions_take_924_6_s)
{
	CHECK_EQ(tcp_rtt_give_up(15), 924600 * BERTH_MSEC);
}
