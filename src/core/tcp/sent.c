/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of struct tcp_sent. As struct tcp_work it comes and goes with a
 * conversation's bursts; and since hooks may end a conversation in the middle
 * of anything, it goes only when the last entry point is over.
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
	struct tcp_stack *tcp;
	struct tcp_sent *sent;

	if (conn->sent != &tcp_sent_none)
		return true;
	tcp = tcp_of(tcp_stack_of(conn));
	sent = tcp->sents;
	if (sent) {
		tcp->sents = sent->next;
		tcp->sent_count--;
	} else {
		sent = memory_alloc(tcp->stack->allocator, sizeof(*sent));
		if (!sent)
			return false;
	}
	*sent = (struct tcp_sent){ .probe = { .out = false } };
	scoreboard_init(&sent->board, &tcp->flights);
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
	struct tcp_stack *tcp = tcp_of(tcp_stack_of(conn));
	struct tcp_sent *sent = conn->sent;

	if (sent == &tcp_sent_none)
		return;
	scoreboard_clear(&sent->board);
	conn->sent = none();
	if (tcp->sent_count >= TCP_STOCK) {
		stack_free(tcp->stack, sent, sizeof(*sent));
		return;
	}
	sent->next = tcp->sents;
	tcp->sents = sent;
	tcp->sent_count++;
}

/* Reordering that was seen is remembered, and a loss that may turn out to be none. */
void tcp_sent_settle(struct tcp_conn *conn)
{
	const struct tcp_sent *sent = conn->sent;

	if (sent == &tcp_sent_none || sent->board.root || sent->rack.reordering || sent->rack.steps > 1 ||
	    sent->probe.out || sent->undo.possible || conn->in_recovery || conn->in_loss)
		return;
	tcp_sent_fini(conn);
}

void tcp_sent_stock_fini(struct tcp_stack *tcp)
{
	while (tcp->sents) {
		struct tcp_sent *sent = tcp->sents;

		tcp->sents = sent->next;
		stack_free(tcp->stack, sent, sizeof(*sent));
	}
	tcp->sent_count = 0;
}
