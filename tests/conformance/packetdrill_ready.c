/* SPDX-License-Identifier: BSD-2-Clause */
/* The packetdrill plugin's poll() and epoll, level and edge, on the stack's readiness. */
#include "tests/conformance/packetdrill_plugin.h"

#include <sys/eventfd.h>

static int count_ready(struct pollfd *fds, nfds_t count)
{
	int ready = 0;

	for (nfds_t i = 0; i < count; i++) {
		int events = ours(fds[i].fd) ? berth_readiness(plugin.stack, socket_of(fds[i].fd)) : POLLNVAL;

		fds[i].revents = (short)(events & (fds[i].events | POLLERR | POLLHUP | POLLNVAL));
		ready += fds[i].revents != 0;
	}
	return ready;
}

static uint64_t bytes_received(int fd)
{
	struct berth_socket_info info = { .bytes_received = 0 };

	berth_socket_inspect(plugin.stack, socket_of(fd), &info);
	return info.bytes_received;
}

/* Level and edge: with EPOLLET only what rose since it was told, and what more arrived. */
static int collect(int epoll, struct epoll_event *events, int max)
{
	int count = 0;

	for (struct watch *watch = plugin.watches; watch < plugin.watches + WATCHES_MAX && count < max; watch++) {
		unsigned ready, fresh;
		uint64_t received;

		if (watch->fd == 0 || watch->epoll != epoll)
			continue;
		ready = (unsigned)berth_readiness(plugin.stack, socket_of(watch->fd)) &
			(watch->event.events | EPOLLERR | EPOLLHUP);
		received = bytes_received(watch->fd);
		if (received != watch->received)
			watch->told &= ~(unsigned)EPOLLIN;
		fresh = watch->event.events & EPOLLET ? ready & ~watch->told : ready;
		watch->told = ready;
		watch->received = received;
		if (fresh)
			events[count++] = (struct epoll_event){ ready, watch->event.data };
	}
	return count;
}

/* Wait until look() finds something or timeout_ms is over (negative: no end). Returns what it found. */
static int wait_for(int timeout_ms, int (*look)(void *context), void *context)
{
	berth_time deadline = timeout_ms < 0 ? BERTH_NEVER : plugin.now + timeout_ms * BERTH_MSEC;
	int found;

	while (!(found = look(context)) && plugin.now < deadline && wait_hook(NULL, deadline) == 0)
		;
	return found;
}

struct poll_call {
	struct pollfd *fds;
	nfds_t count;
};
static int look_poll(void *context)
{
	struct poll_call *call = context;

	return count_ready(call->fds, call->count);
}

int do_poll(void *self, struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct poll_call call = { fds, count };

	CALL(int, wait_for(timeout_ms, look_poll, &call));
}

struct epoll_call {
	int epoll, max;
	struct epoll_event *events;
};
static int look_epoll(void *context)
{
	struct epoll_call *call = context;

	return collect(call->epoll, call->events, call->max);
}

int do_epoll_wait(void *self, int epoll, struct epoll_event *events, int max, int timeout_ms)
{
	struct epoll_call call = { epoll, max, events };

	CALL(int, wait_for(timeout_ms, look_epoll, &call));
}

int do_epoll_create(void *self, int size)
{
	return eventfd(0, EFD_CLOEXEC);
}

static int change_watch(int epoll, int operation, int fd, const struct epoll_event *event)
{
	struct watch *free_one = NULL;

	for (struct watch *watch = plugin.watches; watch < plugin.watches + WATCHES_MAX; watch++) {
		if (watch->fd == fd && watch->epoll == epoll) {
			free_one = watch;
			break;
		}
		if (!watch->fd)
			free_one = watch;
	}
	if (!free_one || !ours(fd)) {
		errno = free_one ? EPERM : ENOSPC;
		return -1;
	}
	*free_one = (struct watch){ .epoll = epoll };
	if (operation != EPOLL_CTL_DEL) {
		free_one->fd = fd;
		free_one->event = *event;
	}
	return 0;
}

int do_epoll_ctl(void *self, int epoll, int operation, int fd, struct epoll_event *event)
{
	CALL(int, change_watch(epoll, operation, fd, event));
}
