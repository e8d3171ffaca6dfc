/* SPDX-License-Identifier: BSD-2-Clause */
/* src/core/tcp: state.c, isn.c, congestion.c, newreno.c, window.c */
#include "tests/test.h"

#include "core/tcp/tcp.h"

#include <berth/berth.h>

TEST(tcp_state, every_state_may_end_and_none_but_closed_begins)
{
	for (int state = TCP_LISTEN; state < TCP_STATES; state++)
		CHECK(tcp_edge_legal(state, TCP_CLOSED));
	CHECK(tcp_edge_legal(TCP_CLOSED, TCP_SYN_SENT));
	CHECK(!tcp_edge_legal(TCP_ESTABLISHED, TCP_SYN_SENT));
	CHECK(!tcp_edge_legal(TCP_TIME_WAIT, TCP_ESTABLISHED));
	CHECK(!tcp_edge_legal(TCP_FIN_WAIT_1, TCP_TIME_WAIT));
}

TEST(tcp_state, states_have_the_names_that_ss_uses)
{
	CHECK_STR(tcp_state_name(TCP_ESTABLISHED), "ESTAB");
	CHECK_STR(tcp_state_name(TCP_TIME_WAIT), "TIME-WAIT");
	for (int state = 0; state < TCP_STATES; state++)
		CHECK(tcp_state_name(state) != NULL);
}

static struct berth_endpoint endpoint(uint32_t ip, uint16_t port)
{
	return (struct berth_endpoint){ ip_from_u32(ip), port };
}

TEST(tcp_isn, is_a_clock_of_4_us_within_a_four_tuple)
{
	struct berth_stack *stack = berth_stack_new(&(struct berth_stack_config){ .seed = 1 });
	struct berth_endpoint local = endpoint(1, 80), remote = endpoint(2, 5000);
	uint32_t first = tcp_isn(stack, &local, &remote);

	stack->now += 4 * BERTH_MSEC;
	CHECK_EQ(tcp_isn(stack, &local, &remote) - first, 1000);
	berth_stack_free(stack);
}

TEST(tcp_isn, differs_between_four_tuples_and_secrets)
{
	struct berth_stack *one = berth_stack_new(&(struct berth_stack_config){ .seed = 1 });
	struct berth_stack *two = berth_stack_new(&(struct berth_stack_config){ .seed = 2 });
	struct berth_endpoint local = endpoint(1, 80), remote = endpoint(2, 5000), other = endpoint(2, 5001);

	CHECK(tcp_isn(one, &local, &remote) != tcp_isn(one, &local, &other));
	CHECK(tcp_isn(one, &local, &remote) != tcp_isn(two, &local, &remote));
	CHECK(tcp_timestamp_offset(one, &local, &remote) != tcp_timestamp_offset(one, &local, &other));
	berth_stack_free(one);
	berth_stack_free(two);
}

TEST(tcp_isn, goes_on_in_a_stack_with_the_same_sequence_seed)
{
	struct berth_stack *one = berth_stack_new(&(struct berth_stack_config){ .seed = 1, .sequence_seed = 7 });
	struct berth_stack *two =
		berth_stack_new(&(struct berth_stack_config){ .seed = 2, .sequence_seed = 7, .now = 4 * BERTH_MSEC });
	struct berth_endpoint local = endpoint(1, 80), remote = endpoint(2, 5000);

	CHECK_EQ(tcp_isn(two, &local, &remote) - tcp_isn(one, &local, &remote), 1000);
	CHECK_EQ(tcp_timestamp_offset(one, &local, &remote), tcp_timestamp_offset(two, &local, &remote));
	berth_stack_free(one);
	berth_stack_free(two);
}

TEST(tcp_congestion, the_initial_window_is_rfc_6928s)
{
	CHECK_EQ(tcp_initial_window(1460), 14600);
	CHECK_EQ(tcp_initial_window(536), 5360);
	CHECK_EQ(tcp_initial_window(4000), 14600);
	CHECK_EQ(tcp_initial_window(9000), 18000);
}

TEST(tcp_congestion, is_found_by_its_whole_name)
{
	CHECK(tcp_congestion_find("reno", 4) == &tcp_newreno);
	CHECK(!tcp_congestion_find("ren", 3));
	CHECK(!tcp_congestion_find("renoo", 5));
	CHECK(!tcp_congestion_find("", 0));
}

TEST(tcp_newreno, slow_start_grows_by_what_is_acknowledged)
{
	struct tcp_conn conn = { .mss = 1000, .cwnd = 10000, .ssthresh = UINT32_MAX };

	tcp_newreno.on_ack(&conn, 2000);
	CHECK_EQ(conn.cwnd, 12000);
}

TEST(tcp_newreno, congestion_avoidance_grows_by_a_segment_a_window)
{
	struct tcp_work work = { .conn = NULL };
	struct tcp_conn conn = { .mss = 1000, .cwnd = 10000, .ssthresh = 10000, .work = &work };

	for (int i = 0; i < 9; i++)
		tcp_newreno.on_ack(&conn, 1000);
	CHECK_EQ(conn.cwnd, 10000);
	tcp_newreno.on_ack(&conn, 1000);
	CHECK_EQ(conn.cwnd, 11000);
}

TEST(tcp_newreno, a_loss_halves_the_flight_but_leaves_two_segments)
{
	struct tcp_conn conn = { .mss = 1000 };

	CHECK_EQ(tcp_newreno.on_loss(&conn, 20000), 10000);
	CHECK_EQ(tcp_newreno.on_loss(&conn, 1000), 2000);
}

TEST(tcp_window, mss_is_the_mtu_without_headers)
{
	struct berth_stack *stack = berth_stack_new(NULL);

	CHECK_EQ(tcp_mss_of_mtu(stack, 1500, false), 1460);
	CHECK_EQ(tcp_mss_of_mtu(stack, 1500, true), 1440);
	CHECK_EQ(tcp_mss_of_mtu(stack, 65536, false), 65495);
	CHECK(tcp_mss_of_mtu(stack, 0, true) > 0);
	berth_stack_free(stack);
}

/* Else what waits in sockets could keep the segments away that would make room. */
TEST(tcp_window, mss_leaves_room_in_little_memory)
{
	struct berth_stack_config config = { .limits = { .memory = 64 << 10 } };
	struct berth_stack *stack = berth_stack_new(&config);

	CHECK_EQ(tcp_mss_of_mtu(stack, 1500, false), 1460);
	CHECK(tcp_mss_of_mtu(stack, 65536, false) < (64 << 10) / 8);
	berth_stack_free(stack);
}
