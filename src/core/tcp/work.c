/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of struct tcp_work. It comes and goes with every burst of a
 * conversation, so a stack has a few in stock; ten million idle conversations
 * have none. Hooks may end a conversation in the middle of anything, so it
 * goes only when the last entry point is over.
 */
#include "core/tcp/tcp.h"

_Static_assert(TCP_TIMERS <= 8, "timers has a bit for each");
const struct tcp_work tcp_work_none = { .conn = NULL };

static struct tcp_work *none(void)
{
	return (struct tcp_work *)(uintptr_t)&tcp_work_none;
}

static void begin(struct tcp_conn *conn)
{
	memset(conn->work, 0, offsetof(struct tcp_work, deadline));
	conn->work->conn = conn;
	conn->work->timer.run = tcp_timer_run;
}

bool tcp_work_need(struct tcp_conn *conn)
{
	struct tcp_stack *tcp;
	struct tcp_work *work;

	if (tcp_working(conn))
		return true;
	tcp = tcp_of(tcp_stack_of(conn));
	work = tcp->works;
	if (work) {
		tcp->works = work->next;
		tcp->work_count--;
	} else {
		work = memory_alloc(tcp->stack->allocator, sizeof(*work));
		if (!work)
			return false;
	}
	conn->work = work;
	begin(conn);
	return true;
}

void tcp_work_reset(struct tcp_conn *conn)
{
	if (!tcp_working(conn))
		return;
	timers_cancel(&tcp_stack_of(conn)->timers, &conn->work->timer);
	begin(conn);
}

void tcp_work_fini(struct tcp_conn *conn)
{
	struct tcp_stack *tcp = tcp_of(tcp_stack_of(conn));
	struct tcp_work *work = conn->work;

	conn->work = none();
	if (!work || work == &tcp_work_none)
		return;
	timers_cancel(&tcp->stack->timers, &work->timer);
	if (tcp->work_count >= TCP_STOCK) {
		stack_free(tcp->stack, work, sizeof(*work));
		return;
	}
	work->next = tcp->works;
	tcp->works = work;
	tcp->work_count++;
}

/* Only where nobody else but a call or a segment begins anything. */
static bool idle_state(const struct tcp_conn *conn)
{
	return conn->state == TCP_ESTABLISHED || conn->state == TCP_CLOSE_WAIT || conn->state == TCP_CLOSED ||
	       conn->state == TCP_LISTEN;
}

void tcp_work_give_back(struct tcp_conn *conn)
{
	struct tcp_work *work = conn->work;

	if (work->receiveq.early || work->mtu_search || !idle_state(conn))
		return;
	if (conn->fin_early || conn->urgent_in != TCP_URGENT_NONE)
		return;
	if (work->blocks && (work->blocks->count || work->blocks->has_duplicate))
		return;
	if (work->blocks)
		tcp_blocks_drop(conn);
	tcp_work_fini(conn);
	tcp_sent_settle(conn);
}

void tcp_work_stock_fini(struct tcp_stack *tcp)
{
	while (tcp->works) {
		struct tcp_work *work = tcp->works;

		tcp->works = work->next;
		stack_free(tcp->stack, work, sizeof(*work));
	}
	tcp->work_count = 0;
}
