/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop: loop.h. */
#include "os/loop.h"

#include "os/clock.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
	LINGER_NS = 50 * BERTH_USEC,   /* about what it costs to wake who sleeps on another core */
	LINGER_LONG_NS = BERTH_MSEC,   /* somebody computes, and gives nothing back */
	LINGER_BEFORE_NS = BERTH_MSEC, /* is how far a deadline has to be */
	VAIN_FREE = 4,		       /* looks in vain, in a row, that mean nothing yet */
	VAIN_MAX = 14,		       /* then it is tried with every 1,024th wait */
};

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	loop->signals.fd = -1;
	timers_init(&loop->timers, NULL);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	loop->now = clock_now();
	return 0;
}

void loop_fini(struct loop *loop)
{
	if (loop->signals.fd >= 0) {
		int fd = loop->signals.fd;
		loop_remove(loop, &loop->signals);
		close(fd);
	}
	timers_fini(&loop->timers);
	if (loop->epoll >= 0)
		close(loop->epoll);
	loop->epoll = -1;
}

int loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	watch->fd = fd;
	watch->events = events;
	return 0;
}

void loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (watch->fd < 0 || watch->events == events)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event); /* it was added: nothing can be wrong */
	watch->events = events;
}

static void forget_events(struct loop *loop, const struct loop_watch *watch)
{
	for (int i = loop->batch_next; i < loop->batch_count; i++)
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].data.ptr = NULL;
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
	if (watch->fd < 0)
		return;
	/* Explicitly: a duplicate of the descriptor elsewhere would keep the entry after close. */
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fd = -1;
	forget_events(loop, watch);
}

void loop_close(struct loop *loop, struct loop_watch *watch)
{
	if (watch->fd < 0)
		return;
	close(watch->fd);
	watch->fd = -1;
	forget_events(loop, watch);
}

int loop_timer_set(struct loop *loop, struct berth_timer *timer, berth_time deadline)
{
	return timers_set(&loop->timers, timer, deadline);
}

void loop_timer_cancel(struct loop *loop, struct berth_timer *timer)
{
	timers_cancel(&loop->timers, timer);
}

static berth_time wait_time(struct loop *loop, berth_time timeout)
{
	berth_time deadline = timers_deadline(&loop->timers);

	if (loop->deadline)
		deadline = MIN(deadline, loop->deadline(loop->context));
	if (deadline == BERTH_NEVER)
		return timeout;
	berth_time left = deadline - clock_now();
	return MIN(timeout, MAX(left, 0));
}

/* Look for events before sleeping, if that has paid: loop.h. Returns how many there are. */
static int linger(struct loop *loop)
{
	berth_time begun = clock_now(), taken;
	int count;

	if (loop->passes) {
		loop->passes--;
		return 0;
	}
	do {
		sched_yield();
		count = epoll_wait(loop->epoll, loop->batch, LOOP_EVENTS, 0);
		taken = clock_now() - begun;
	} while (!count && taken < LINGER_NS);
	loop->vain = count > 0 && taken < LINGER_LONG_NS ? 0 : MIN(loop->vain + 1, VAIN_MAX);
	loop->passes = loop->vain > VAIN_FREE ? (1u << (loop->vain - VAIN_FREE)) - 1 : 0;
	return count;
}

static int sleep_until_events(struct loop *loop, berth_time wait)
{
	struct timespec time = { .tv_sec = wait / BERTH_SEC, .tv_nsec = wait % BERTH_SEC };
	int count = epoll_pwait2(loop->epoll, loop->batch, LOOP_EVENTS, wait == BERTH_NEVER ? NULL : &time, NULL);

	/* Linux: since 5.11, and some containers' filters do not know it. */
	if (count < 0 && (errno == ENOSYS || errno == EPERM))
		count = epoll_wait(loop->epoll, loop->batch, LOOP_EVENTS,
				   wait == BERTH_NEVER ? -1 : (int)MIN((wait + BERTH_MSEC - 1) / BERTH_MSEC, 1 << 30));
	return count;
}

static int wait_events(struct loop *loop, berth_time timeout)
{
	berth_time wait = wait_time(loop, timeout);
	int count = loop->busy && wait >= LINGER_BEFORE_NS ? linger(loop) : 0;

	if (!count)
		count = sleep_until_events(loop, wait_time(loop, timeout));
	if (count < 0 && errno != EINTR)
		return -errno;
	loop->batch_count = MAX(count, 0);
	loop->busy = count > 0;
	loop->now = clock_now();
	return 0;
}

int loop_turn(struct loop *loop, berth_time timeout)
{
	struct berth_timer *timer;
	int r = wait_events(loop, timeout);

	if (r < 0)
		return r;
	loop->batch_next = 0;
	while (loop->batch_next < loop->batch_count) {
		struct epoll_event event = loop->batch[loop->batch_next++];
		struct loop_watch *watch = event.data.ptr;
		if (watch)
			watch->ready(watch, event.events);
	}
	loop->batch_next = loop->batch_count = 0;
	while ((timer = timers_take_due(&loop->timers, loop->now)))
		timer->run(timer);
	if (loop->tick)
		loop->tick(loop->context);
	return 0;
}

int loop_run(struct loop *loop)
{
	int r = 0;

	while (!loop->stopping && !r)
		r = loop_turn(loop, BERTH_NEVER);
	return r;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

static void signals_ready(struct loop_watch *watch, uint32_t events)
{
	struct loop *loop = CONTAINER_OF(watch, struct loop, signals);
	struct signalfd_siginfo info;

	while (watch->fd >= 0 && read(watch->fd, &info, sizeof(info)) == sizeof(info))
		if (loop->signal)
			loop->signal(loop->context, (int)info.ssi_signo);
}

int loop_signals(struct loop *loop, const sigset_t *set)
{
	int fd, r;

	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	loop->signals.ready = signals_ready;
	r = loop_add(loop, &loop->signals, fd, EPOLLIN);
	if (r < 0) {
		close(fd);
		loop->signals.fd = -1;
	}
	return r;
}
