/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readiness. A socket remembers which bits its owner has been told of; a bit
 * is told once when it rises and again only after it fell. berth_poll() and
 * the ready hook see the same rises, and both cost O(what is ready).
 */
#include "core/socket/socket.h"

#include <errno.h>

static unsigned readiness(struct berth_socket *socket)
{
	unsigned events = socket->protocol->readiness ? socket->protocol->readiness(socket) : 0;

	return socket->error ? events | BERTH_POLLERR : events;
}

void socket_settle(struct berth_socket *socket)
{
	if (!socket->reported || !socket_open(socket))
		return;
	socket->reported &= (uint16_t)readiness(socket);
}

void berth_socket_notify(struct berth_socket *socket)
{
	struct berth_stack *stack = socket->stack;
	unsigned events, risen;

	if (socket->doomed)
		return;
	events = readiness(socket);
	risen = events & ~(unsigned)socket->reported;
	socket->reported = (uint16_t)events;
	if (!risen || socket->fd < 0)
		return;
	if (list_empty(&socket->ready_node))
		list_append(&stack->sockets.ready, &socket->ready_node);
	if (stack->hooks.ready)
		stack->hooks.ready(stack->hooks.context, socket->fd, events);
}

void socket_notify_later(struct berth_socket *socket)
{
	list_remove(&socket->later_node); /* from where it waits for memory, perhaps */
	list_append(&socket->stack->sockets.later, &socket->later_node);
}

void socket_notify_run(struct berth_stack *stack)
{
	struct berth_socket *socket;

	while ((socket = LIST_FIRST(&stack->sockets.later, struct berth_socket, later_node))) {
		list_remove(&socket->later_node);
		berth_socket_notify(socket);
	}
}

void berth_socket_fail(struct berth_socket *socket, int error)
{
	socket->error = error;
	if (!socket_connectionless(socket)) {
		demux_remove(socket->stack, &socket->demux); /* the conversation is over */
		if (socket->state != SOCKET_CONNECTED && !socket_has_family(socket))
			socket->demux.local.ip = socket_bound_ip(socket); /* Linux: its port it keeps */
	}
	berth_socket_notify(socket);
}

int socket_take_error(struct berth_socket *socket)
{
	int error = socket->error;

	socket->error = 0;
	return -error;
}

int berth_readiness(struct berth_stack *stack, int fd)
{
	struct berth_socket *socket = socket_get(stack, fd);

	if (!socket) {
		errno = EBADF;
		return -1;
	}
	return (int)readiness(socket);
}

int berth_poll(struct berth_stack *stack, struct berth_ready *ret_ready, int max)
{
	int count = 0;

	while (count < max && !list_empty(&stack->sockets.ready)) {
		struct berth_socket *socket = LIST_FIRST(&stack->sockets.ready, struct berth_socket, ready_node);

		list_remove(&socket->ready_node);
		ret_ready[count++] = (struct berth_ready){ socket->fd, readiness(socket) };
	}
	return count;
}

static bool may_wait(const struct berth_socket *socket)
{
	return !socket->nonblocking && socket->stack->hooks.wait && socket->stack->hooks.now;
}

berth_time socket_deadline(const struct berth_socket *socket, berth_time timeout)
{
	const struct berth_hooks *hooks = &socket->stack->hooks;

	return timeout && may_wait(socket) ? hooks->now(hooks->context) + timeout : BERTH_NEVER;
}

int socket_pause(struct berth_socket *socket, berth_time deadline)
{
	const struct berth_hooks *hooks = &socket->stack->hooks;
	int r;

	if (!may_wait(socket) || hooks->now(hooks->context) >= deadline)
		return -EAGAIN;
	r = hooks->wait(hooks->context, deadline);
	if (r < 0)
		return r;
	return socket_open(socket) ? 0 : -EBADF; /* closed by a hook while we waited */
}

int socket_wait(struct berth_socket *socket, unsigned events, berth_time timeout)
{
	berth_time deadline = socket_deadline(socket, timeout);

	if (!may_wait(socket))
		return -EAGAIN;
	events |= BERTH_POLLERR | BERTH_POLLHUP;
	while (!(readiness(socket) & events)) {
		int r = socket_pause(socket, deadline);

		if (r < 0)
			return r;
	}
	return 0;
}
