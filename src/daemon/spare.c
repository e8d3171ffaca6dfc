/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When no descriptor is left. A connection that is not accepted would wait for
 * ever, and the loop would say for ever that it does. So one descriptor is kept
 * to be given up: with it the connection is taken, and refused.
 */
#include "daemon/state.h"
#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TELL_SECONDS = 10, /* between two lines about it */
	PAUSE_MS = 1,
};

void spare_open(struct daemon *daemon)
{
	daemon->spare = eventfd(0, EFD_CLOEXEC);
}

void spare_lend(struct daemon *daemon)
{
	if (daemon->spare >= 0)
		close(daemon->spare);
	daemon->spare = -1;
}

int spare_accept(struct daemon *daemon, int listener, struct sockaddr *address, socklen_t *length, bool *ret_refuse)
{
	int fd = accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	bool is_short = fd < 0 && (errno == EMFILE || errno == ENFILE);

	*ret_refuse = is_short && daemon->spare >= 0;
	/* The machine's table is full, and others took the spare one: ask again soon, but not all the time. */
	if (is_short && !*ret_refuse) {
		spare_open(daemon);
		poll(NULL, 0, PAUSE_MS);
	}
	if (!*ret_refuse)
		return fd;
	spare_lend(daemon);
	fd = accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		spare_open(daemon);
	return fd;
}

void spare_tell(struct host *host, const char *what)
{
	berth_time now = host->daemon->loop.now;

	if (host->short_told && now - host->short_told < TELL_SECONDS * BERTH_SEC)
		return;
	host->short_told = now;
	host_tell(host,
		  "host '%s': %s, for the network's daemon has no descriptor left (see open files in berth doctor)",
		  berth_host_name(host->host), what);
}

int spare_is_run(struct daemon *daemon, pid_t pid)
{
	int r = process_is_run(pid);

	if (r != -EMFILE && r != -ENFILE)
		return r;
	spare_lend(daemon);
	r = process_is_run(pid); /* needs one at a time */
	spare_open(daemon);
	return r;
}

void spare_refused(struct daemon *daemon, int fd)
{
	close(fd);
	spare_open(daemon);
}
