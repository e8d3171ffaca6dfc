/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of struct tcp_sent. Hooks may end a conversation in the middle of
 * anything, so what was once allocated stays: those who were at work on it may
 * go on until they notice.
 */
#include "core/tcp/tcp.h"

#define EMPTY(name) \
	{ \
		(struct list *)(uintptr_t)&tcp_sent_none.board.name, \
			(struct list *)(uintptr_t)&tcp_sent_none.board.name \
	}

const struct tcp_sent tcp_sent_none = {
	.board = { .order = EMPTY(order), .sent = EMPTY(sent), .lost = EMPTY(lost) },
};

static struct tcp_sent *none(void)
{
	return (struct tcp_sent *)(uintptr_t)&tcp_sent_none;
}

bool tcp_sent_need(struct tcp_conn *conn)
{
	struct tcp_sent *sent;

	if (conn->sent != &tcp_sent_none)
		return true;
	sent = stack_alloc(tcp_stack_of(conn), sizeof(*sent));
	if (!sent)
		return false;
	scoreboard_init(&sent->board, &tcp_of(tcp_stack_of(conn))->flights);
	conn->sent = sent;
	return true;
}

void tcp_sent_reset(struct tcp_conn *conn)
{
	if (!conn->sent)
		conn->sent = none();
	if (conn->sent == &tcp_sent_none)
		return;
	scoreboard_clear(&conn->sent->board);
	*conn->sent = (struct tcp_sent){ .board = conn->sent->board };
	scoreboard_init(&conn->sent->board, conn->sent->board.pool);
}

void tcp_sent_fini(struct tcp_conn *conn)
{
	if (conn->sent == &tcp_sent_none)
		return;
	scoreboard_clear(&conn->sent->board);
	stack_free(tcp_stack_of(conn), conn->sent, sizeof(*conn->sent));
	conn->sent = none();
}
