/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of struct tcp_rare. As with tcp_sent, what was once allocated stays
 * as long as the conversation does.
 */
#include "core/tcp/tcp.h"

const struct tcp_rare tcp_rare_none = { .listener = NULL };

static struct tcp_rare *none(void)
{
	return (struct tcp_rare *)(uintptr_t)&tcp_rare_none;
}

bool tcp_rare_need(struct tcp_conn *conn)
{
	struct tcp_rare *rare;

	if (conn->rare != &tcp_rare_none)
		return true;
	rare = stack_alloc(tcp_stack_of(conn), sizeof(*rare));
	if (!rare)
		return false;
	conn->rare = rare;
	return true;
}

void tcp_rare_reset(struct tcp_conn *conn)
{
	if (!conn->rare)
		conn->rare = none();
	if (conn->rare == &tcp_rare_none)
		return;
	/* What is for the connect() or listen() that begins stays. */
	*conn->rare = (struct tcp_rare){ .fastopen = conn->rare->fastopen, .keys_to_be = conn->rare->keys_to_be };
}

void tcp_rare_fini(struct tcp_conn *conn)
{
	struct berth_stack *stack = tcp_stack_of(conn);

	if (conn->rare == &tcp_rare_none)
		return;
	stack_free(stack, conn->rare->keys_to_be, sizeof(*conn->rare->keys_to_be));
	stack_free(stack, conn->rare, sizeof(*conn->rare));
	conn->rare = none();
}
