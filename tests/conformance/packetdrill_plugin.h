/* SPDX-License-Identifier: BSD-2-Clause */
/* The plugin from the inside: packetdrill.c has time, calls and the network, packetdrill_ready.c poll and epoll. */
#ifndef TESTS_CONFORMANCE_PACKETDRILL_PLUGIN_H
#define TESTS_CONFORMANCE_PACKETDRILL_PLUGIN_H

#include "tests/conformance/packetdrill.h"

#include "base/packet.h"

#include <berth/berth.h>

#include <errno.h>
#include <pthread.h>

enum { FDS_MAX = 1024, WATCHES_MAX = 64 };

/* A descriptor that epoll_wait() is asked about. */
struct watch {
	int epoll, fd; /* fd 0: free */
	struct epoll_event event;
	unsigned told;	   /* EPOLLET: what was reported and did not end since */
	uint64_t received; /* EPOLLET: bytes that had arrived then; more is a new edge */
};

struct plugin {
	pthread_mutex_t lock;
	pthread_cond_t changed, settled;
	pthread_t main;
	struct berth_stack *stack;
	struct berth_link *link;
	struct packet_queue sent;
	berth_time now, patience;
	bool sysctls;		      /* the host's are ours */
	unsigned waiting, rechecking; /* blocked calls; those that have not looked since the last change */
	int sockets[FDS_MAX];	      /* host's descriptor to the stack's, plus 1 */
	struct watch watches[WATCHES_MAX];
};
extern struct plugin plugin;

/* Every call: under the lock, with what it changed seen by calls that wait; errno is the call's. */
#define CALL(type, expression) \
	do { \
		type result_; \
		int error_; \
		pthread_mutex_lock(&plugin.lock); \
		result_ = (expression); \
		error_ = errno; \
		if (pthread_equal(pthread_self(), plugin.main)) \
			change(); \
		pthread_mutex_unlock(&plugin.lock); \
		errno = error_; \
		return result_; \
	} while (0)

/* Something happened: calls that wait look again before we go on. */
void change(void);
/* A call waits: until deadline, or until something happens. 0, or -EINTR: nothing will. */
int wait_hook(void *context, berth_time deadline);
bool ours(int fd);
int socket_of(int fd);

int do_poll(void *self, struct pollfd *fds, nfds_t count, int timeout_ms);
int do_epoll_create(void *self, int size);
int do_epoll_ctl(void *self, int epoll, int operation, int fd, struct epoll_event *event);
int do_epoll_wait(void *self, int epoll, struct epoll_event *events, int max, int timeout_ms);

#endif
