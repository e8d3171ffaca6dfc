/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When no descriptor is left. A connection that is not accepted would wait for
 * ever, and the loop would say for ever that it does. So one descriptor is kept
 * to be given up: with it the connection is taken, and refused.
 */
#include "daemon/state.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

void spare_open(struct daemon *daemon)
{
	daemon->spare = eventfd(0, EFD_CLOEXEC);
}

int spare_accept(struct daemon *daemon, int listener, struct sockaddr *address, socklen_t *length, bool *ret_refuse)
{
	int fd = accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	*ret_refuse = fd < 0 && (errno == EMFILE || errno == ENFILE) && daemon->spare >= 0;
	if (!*ret_refuse)
		return fd;
	close(daemon->spare);
	daemon->spare = -1;
	fd = accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		spare_open(daemon);
	return fd;
}

void spare_refused(struct daemon *daemon, int fd)
{
	close(fd);
	spare_open(daemon);
}
