/* SPDX-License-Identifier: BSD-2-Clause */
#include "bind_place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const holding_names[HOLDINGS] = { "bound", "listening", "established", "time-wait" };

struct spec spec_of(unsigned number)
{
	return (struct spec){ number % FAMILIES, number / FAMILIES % ADDRESSES, number / (FAMILIES * ADDRESSES) & 1,
			      number / (FAMILIES * ADDRESSES) >> 1 & 1 };
}

bool spec_makes_sense(const struct spec *spec)
{
	return spec->address != MAPPED_LOOPBACK || spec->family == IN6;
}

const char *spec_name(const struct spec *spec)
{
	static const char *const families[] = { "4", "6", "6only" }, *const addresses[] = { "any", "loopback",
											    "mapped" };
	static char name[64];

	snprintf(name, sizeof(name), "%s/%s/%s/%s", families[spec->family], addresses[spec->address],
		 spec->reuse_address ? "addr" : "-", spec->reuse_port ? "port" : "-");
	return name;
}

static int do_socket(struct place place, int domain, int type)
{
	return place.stack ? berth_socket(place.stack, domain, type, 0) : socket(domain, type | SOCK_CLOEXEC, 0);
}

static void do_set(struct place place, int fd, int level, int option, int value)
{
	if (place.stack)
		berth_setsockopt(place.stack, fd, level, option, &value, sizeof(value));
	else
		setsockopt(fd, level, option, &value, sizeof(value));
}

static int do_bind(struct place place, int fd, const struct sockaddr_in6 *name, socklen_t length)
{
	const struct sockaddr *address = (const struct sockaddr *)name;

	return place.stack ? berth_bind(place.stack, fd, address, length) : bind(fd, address, length);
}

static int do_listen(struct place place, int fd)
{
	return place.stack ? berth_listen(place.stack, fd, 1) : listen(fd, 1);
}

/* Let everything that is under way on a stack's loopback arrive. */
static void settle(struct place place)
{
	for (int i = 0; place.stack && i < 4; i++)
		berth_stack_advance(place.stack, berth_stack_now(place.stack));
}

static void do_close(struct place place, int fd)
{
	if (fd >= 0 && place.stack)
		berth_close(place.stack, fd);
	else if (fd >= 0)
		close(fd);
	settle(place);
}

static uint16_t port_of(struct place place, int fd)
{
	struct sockaddr_in6 name;
	socklen_t length = sizeof(name);

	if (place.stack)
		berth_getsockname(place.stack, fd, (struct sockaddr *)&name, &length);
	else
		getsockname(fd, (struct sockaddr *)&name, &length);
	return ntohs(name.sin6_port); /* at the same place in sockaddr_in */
}

/* With target a wildcard is what reaches it. */
static socklen_t name_of(const struct spec *spec, uint16_t port, bool target, struct sockaddr_in6 *in6)
{
	struct sockaddr_in *in = (struct sockaddr_in *)in6;
	static const struct in6_addr mapped = { { { [10] = 0xff, 0xff, 127, 0, 0, 1 } } };
	bool any = spec->address == WILDCARD && !target;

	memset(in6, 0, sizeof(*in6));
	if (spec->family == IN4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	if (spec->address == MAPPED_LOOPBACK)
		in6->sin6_addr = mapped;
	else if (!any)
		in6->sin6_addr = in6addr_loopback;
	return sizeof(*in6);
}

/* A socket of spec's kind, named; -1 and errno. */
static int open_named(struct place place, const struct spec *spec, int type, uint16_t port)
{
	struct sockaddr_in6 name;
	socklen_t length = name_of(spec, port, false, &name);
	int fd = do_socket(place, spec->family == IN4 ? AF_INET : AF_INET6, type), error;

	if (fd < 0)
		return -1;
	if (spec->family != IN4)
		do_set(place, fd, IPPROTO_IPV6, IPV6_V6ONLY, spec->family == IN6_ONLY);
	do_set(place, fd, SOL_SOCKET, SO_REUSEADDR, spec->reuse_address);
	do_set(place, fd, SOL_SOCKET, SO_REUSEPORT, spec->reuse_port);
	if (do_bind(place, fd, &name, length) == 0)
		return fd;
	error = errno;
	do_close(place, fd);
	errno = error;
	return -1;
}

/* Somebody connects to the listener in holder->fd, which is closed then; holder->fd is the accepted one. */
static bool accept_one(struct place place, const struct spec *spec, struct holder *holder)
{
	struct sockaddr_in6 name;
	socklen_t length = name_of(spec, holder->port, true, &name);
	const struct sockaddr *address = (const struct sockaddr *)&name;
	int listener = holder->fd, peer = do_socket(place, name.sin6_family, SOCK_STREAM);

	if (place.stack)
		berth_connect(place.stack, peer, address, length);
	else if (connect(peer, address, length) < 0)
		return false;
	settle(place);
	holder->peer = peer;
	holder->fd = place.stack ? berth_accept(place.stack, listener, NULL, NULL, 0) : accept(listener, NULL, NULL);
	do_close(place, listener);
	return holder->fd >= 0;
}

struct holder holder_make(struct place place, const struct spec *spec, int type, enum holding holding)
{
	struct holder holder = { .fd = open_named(place, spec, type, 0), .peer = -1 };

	if (holder.fd < 0)
		return holder;
	holder.port = port_of(place, holder.fd);
	holder.fine = holding == HOLDS_BOUND || do_listen(place, holder.fd) == 0;
	if (!holder.fine || holding < HOLDS_ESTABLISHED)
		return holder;
	holder.fine = accept_one(place, spec, &holder);
	if (holding == HOLDS_TIME_WAIT) { /* closed from here first */
		do_close(place, holder.fd);
		do_close(place, holder.peer);
		holder.fd = holder.peer = -1;
	}
	return holder;
}

void holder_end(struct place place, struct holder *holder)
{
	do_close(place, holder->peer); /* the first to close is in TIME_WAIT, at a port that nobody asks for again */
	do_close(place, holder->fd);
}

char second_verdict(struct place place, const struct spec *spec, int type, uint16_t port, bool listens)
{
	int fd = open_named(place, spec, type, port), error = errno;
	bool fine = fd >= 0;

	if (fine && listens && do_listen(place, fd) < 0) {
		fine = false;
		error = errno;
	}
	do_close(place, fd);
	return fine ? '.' : error == EADDRINUSE ? 'U' : '?';
}

void row_make(struct place place, const struct spec *first, int type, enum holding holding, char row[ROW_MAX])
{
	for (unsigned i = 0; i < SPECS; i++) {
		struct spec second = spec_of(i);

		for (int listens = 0; spec_makes_sense(&second) && listens < (type == SOCK_STREAM ? 2 : 1); listens++) {
			struct holder holder = holder_make(place, first, type, holding);

			*row++ = holder.fine ? second_verdict(place, &second, type, holder.port, listens) : '!';
			holder_end(place, &holder);
		}
	}
	*row = 0;
}
