/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP as a struct berth_protocol, like any other; and its life in a stack. */
#include "core/tcp/tcp.h"

static int attach(struct berth_stack *stack, void **ret_state)
{
	struct tcp_stack *tcp = stack_alloc(stack, sizeof(*tcp));

	if (!tcp)
		return -ENOMEM;
	tcp->stack = stack;
	tcp->flights.allocator = stack->allocator;
	tcp->isn_key = (struct hash_key){ random_u64(&stack->random), random_u64(&stack->random) };
	tcp->timestamp_key = (struct hash_key){ random_u64(&stack->random), random_u64(&stack->random) };
	if (stack->sequence_seed) {
		struct random random;

		random_init(&random, stack->sequence_seed);
		tcp->isn_key = (struct hash_key){ random_u64(&random), random_u64(&random) };
		tcp->timestamp_key = (struct hash_key){ random_u64(&random), random_u64(&random) };
	}
	if (tcp_settings_init(tcp) < 0) {
		stack_free(stack, tcp, sizeof(*tcp));
		return -ENOMEM;
	}
	tcp_timewait_init(tcp);
	*ret_state = tcp;
	return 0;
}

static void detach(struct berth_stack *stack, void *state)
{
	struct tcp_stack *tcp = state;

	tcp_timewait_fini(tcp);
	fastopen_cache_fini(tcp);
	flight_pool_fini(&tcp->flights);
	share_fini(&tcp->settings);
	tcp_work_stock_fini(tcp);
	tcp_sent_stock_fini(tcp);
	stack_free(stack, tcp, sizeof(*tcp));
}

static int conn_open(struct berth_socket *socket)
{
	struct tcp_conn *conn = tcp_conn_of(socket);

	conn->settings = share_ref(&tcp_of(socket->stack)->settings, NULL);
	tcp_conn_init(conn);
	return 0;
}

static void conn_destroy(struct berth_socket *socket)
{
	struct tcp_conn *conn = tcp_conn_of(socket);

	if (conn->parent) {
		conn->parent->rare->listener->accepted_count--;
		conn->parent = NULL;
		list_remove(&tcp_socket(conn)->ready_node);
	}
	tcp_listener_close(conn, true);
	tcp_conn_fini(conn);
}

const struct berth_protocol tcp_protocol = {
	.name = "tcp",
	.number = IPPROTO_TCP,
	.type = SOCK_STREAM,
	.state_size = sizeof(struct tcp_conn),
	.attach = attach,
	.detach = detach,
	.open = conn_open,
	.release = tcp_release,
	.destroy = conn_destroy,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.connect = tcp_connect,
	.disconnect = tcp_disconnect,
	.send = tcp_send,
	.receive = tcp_receive,
	.shutdown = tcp_shutdown,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.readiness = tcp_readiness,
	.at_mark = tcp_at_mark,
	.send_packet = tcp_send_packet,
	.receive_packet = tcp_receive_packet,
	.input = tcp_input,
	.error = tcp_error,
};
