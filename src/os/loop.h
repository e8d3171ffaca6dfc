/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An event loop over epoll. A watch is the caller's memory: add it, change
 * what it waits for, remove it. Any watch may be removed, and its memory freed,
 * inside any callback, also when it had an event in the same turn.
 *
 * One turn: wait until the first deadline; run the callbacks of watches that
 * have events and of timers that are due; then run the tick. One thread.
 *
 * After a turn that had events the loop lets others have the processor and
 * looks again for some microseconds before it sleeps, for as long as that finds
 * something: what has come meanwhile comes together, and wakes nobody. Where it
 * finds nothing it is done ever more rarely, and one that sleeps does not wake.
 */
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include "base/bytes.h"
#include "base/timer.h"

#include <signal.h>
#include <sys/epoll.h>

enum { LOOP_EVENTS = 256 };

struct loop;

struct loop_watch {
	int fd;		 /* -1: not in a loop */
	uint32_t events; /* EPOLL*: what is waited for */
	void (*ready)(struct loop_watch *watch, uint32_t events);
};

struct loop {
	int epoll;
	berth_time now; /* as of the last wait */
	bool stopping;
	bool busy; /* the last wait had events */
	struct timers timers;
	struct epoll_event batch[LOOP_EVENTS];
	int batch_next, batch_count;
	unsigned vain, passes; /* linger(): looks in vain in a row, waits to go without one */
	/* Once a turn, last. Either may be NULL. */
	void (*tick)(void *context);
	berth_time (*deadline)(void *context);
	void *context;
	struct loop_watch signals;
	void (*signal)(void *context, int number);
};

/* Returns 0 or a negative errno. */
int loop_init(struct loop *loop);
void loop_fini(struct loop *loop);
/* Run turns until loop_stop(). Returns 0 or a negative errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* One turn that waits for timeout at most. Returns 0 or a negative errno. */
int loop_turn(struct loop *loop, berth_time timeout);

/* Watch fd, which stays the caller's, for events. watch->ready is set. Returns 0 or a negative errno. */
int loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events);
/* Wait for something else from now on; EPOLLERR and EPOLLHUP always come. */
void loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events);
/* Forget watch (also one that is in no loop); call before fd is closed. */
void loop_remove(struct loop *loop, struct loop_watch *watch);
/* The same, and close fd, of which there must be no duplicate anywhere: then the kernel forgets it by itself. */
void loop_close(struct loop *loop, struct loop_watch *watch);

/* Run timer->run at deadline, by clock_now(). Returns 0 or -ENOMEM. */
int loop_timer_set(struct loop *loop, struct berth_timer *timer, berth_time deadline);
void loop_timer_cancel(struct loop *loop, struct berth_timer *timer);

/* Block the signals in set and have them call loop->signal from turns. Returns 0 or a negative errno. */
int loop_signals(struct loop *loop, const sigset_t *set);

#endif
