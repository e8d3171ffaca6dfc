/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect(), where a program connects one socket after the other to the same
 * address, by express, without waiting: the supervisor is asked once for many,
 * by the numbers of the sockets that the shim makes (names.c), and they are
 * connected natively (daemon/ticket.c). What does not go so goes as ever.
 *
 * What is known is in a page that is empty after fork(). One thread writes it
 * at a time; who reads it while it is written does without.
 */
#include "shim/shim.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/un.h>

enum {
	FIRST_ASK = 4,			/* connections to one address, */
	ROW_MS = 100,			/* each so soon after the other */
	VALID_MS = SHIM_TICKET_MS - 20, /* by a clock that is 10 ms late at most */
	REFUSED_MS = 1000,
	SPOILED_MOST = 8, /* in a row: this program calls something else first */
	NOT_HERE = 1,
	NUMBERS = 4096,
};

struct tickets {
	uint32_t sequence; /* odd: it is being written; atomic */
	/* Whom connections were made to */
	uint32_t row, length;
	uint8_t address[CHANNEL_ADDRESS_MAX];
	int64_t row_until_ms, refused_until_ms;
	/* Tickets to that address */
	uint64_t first, end;
	int64_t until_ms;
	uint32_t spoiled, name_length, uid;
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static bool copy_out(const struct tickets *shared, struct tickets *ret_copy)
{
	uint32_t before = __atomic_load_n(&shared->sequence, __ATOMIC_ACQUIRE);
	const uint8_t *from = (const uint8_t *)shared;
	uint8_t *to = (uint8_t *)ret_copy;

	for (size_t i = 0; i < sizeof(*shared); i++)
		to[i] = ((const volatile uint8_t *)from)[i];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	ret_copy->sequence = before;
	return !(before & 1) && __atomic_load_n(&shared->sequence, __ATOMIC_RELAXED) == before;
}

/* If nobody else has changed it since it was copied. */
static void copy_in(struct tickets *shared, const struct tickets *copy)
{
	uint32_t before = copy->sequence;
	const uint8_t *from = (const uint8_t *)copy;
	uint8_t *to = (uint8_t *)shared;

	if (!__atomic_compare_exchange_n(&shared->sequence, &before, before + 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return;
	for (size_t i = offsetof(struct tickets, row); i < sizeof(*shared); i++)
		((volatile uint8_t *)to)[i] = from[i];
	__atomic_store_n(&shared->sequence, before + 2, __ATOMIC_RELEASE);
}

static bool same_address(const struct tickets *tickets, const void *address, socklen_t length)
{
	const uint8_t *bytes = address;

	if (tickets->length != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (tickets->address[i] != bytes[i])
			return false;
	return true;
}

static bool plain_address(const struct sockaddr *address, socklen_t length)
{
	return (length == sizeof(struct sockaddr_in) || length == sizeof(struct sockaddr_in6)) &&
	       readable(address, length) &&
	       address->sa_family == (length == sizeof(struct sockaddr_in) ? AF_INET : AF_INET6);
}

/* Ask for the socket id, fd, and those that will be made after it. */
static bool ask(struct tickets *tickets, int fd, uint64_t id)
{
	struct shim_tickets wanted = { .first = id, .count = names_after(id), .address_length = tickets->length };
	socklen_t length = sizeof(wanted);

	for (size_t i = 0; i < tickets->length; i++)
		wanted.address[i] = tickets->address[i];
	if (!wanted.count)
		return false;
	if (unbroken(SYS_getsockopt, fd, SHIM_LEVEL, SHIM_TICKETS, (long)&wanted, (long)&length) < 0 || !wanted.count ||
	    wanted.name_length >= sizeof(tickets->name)) {
		tickets->refused_until_ms = clock_ms() + REFUSED_MS;
		tickets->end = 0;
		return false;
	}
	tickets->first = id;
	tickets->end = id + wanted.count;
	tickets->until_ms = clock_ms() + VALID_MS;
	tickets->uid = wanted.uid;
	tickets->name_length = wanted.name_length;
	for (size_t i = 0; i < wanted.name_length; i++)
		tickets->name[i] = wanted.name[i];
	return true;
}

static bool has_ticket(const struct tickets *tickets, uint64_t id, int64_t now)
{
	return id >= tickets->first && id < tickets->end && now < tickets->until_ms;
}

static bool trusted(int fd, uint32_t uid)
{
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(who);

	return raw(SYS_getsockopt, native(fd), SOL_SOCKET, SO_PEERCRED, (long)&who, (long)&length, 0) == 0 &&
	       who.uid == uid;
}

static long join(const struct tickets *tickets, int fd)
{
	struct sockaddr_un address;
	int mark = express_mark(fd);
	long r;

	address.sun_family = AF_UNIX;
	address.sun_path[0] = '\0';
	for (size_t i = 0; i < tickets->name_length; i++)
		address.sun_path[1 + i] = tickets->name[i];
	express_set_mark(fd, mark | SHIM_MARK_EXPRESS);
	r = raw(SYS_connect, native(fd), (long)&address,
		(long)(offsetof(struct sockaddr_un, sun_path) + 1 + tickets->name_length), 0, 0, 0);
	if (r < 0)
		express_set_mark(fd, mark);
	else if (!trusted(fd, tickets->uid))
		r = -EPERM; /* the name is another user's by now */
	else
		express_note(fd);
	return r;
}

/*
 * epoll has said what the socket was like before, and would say nothing new of it: AF_UNIX wakes nobody who waits for
 * EPOLLOUT. The supervisor does.
 */
static uint64_t polled[NUMBERS / 64]; /* a bit for each number; atomic */

static bool is_polled(int fd)
{
	return fd < 0 || fd >= NUMBERS || __atomic_load_n(&polled[fd / 64], __ATOMIC_RELAXED) >> fd % 64 & 1;
}

void tickets_new(int fd)
{
	if (fd >= 0 && fd < NUMBERS)
		__atomic_and_fetch(&polled[fd / 64], ~(UINT64_C(1) << fd % 64), __ATOMIC_RELAXED);
}

SHIM_EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	if (operation != EPOLL_CTL_DEL && fd >= 0 && fd < NUMBERS && readable(event, sizeof(*event)) &&
	    event->events & EPOLLET)
		__atomic_or_fetch(&polled[fd / 64], UINT64_C(1) << fd % 64, __ATOMIC_RELAXED);
	return (int)finish(raw(SYS_epoll_ctl, epoll, operation, fd, (long)event, 0, 0));
}

/* fd is connected to somebody's, or the call is still to be made. Changes *tickets. */
static long try(struct tickets *tickets, int fd, int family)
{
	int64_t now = clock_ms();
	int domain, flags;
	uint64_t id;
	long r;

	if (now < tickets->refused_until_ms || is_polled(fd) || !(id = express_name(fd, false, &domain)) ||
	    domain != family)
		return NOT_HERE;
	flags = (int)raw(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);
	if (flags < 0 || !(flags & O_NONBLOCK)) /* it would wait where it can't be interrupted as connect() is */
		return NOT_HERE;
	if (express_mark(fd) & (SHIM_MARK_TOLD | SHIM_MARK_EXPRESS)) {
		if (++tickets->spoiled >= SPOILED_MOST)
			tickets->refused_until_ms = now + REFUSED_MS;
		return NOT_HERE;
	}
	if (!has_ticket(tickets, id, now) && !ask(tickets, fd, id))
		return NOT_HERE;
	tickets->spoiled = 0;
	r = join(tickets, fd);
	if (r == 0) /* Linux: at once or not, it is in progress to who does not wait */
		return -EINPROGRESS;
	if (r != -EAGAIN) /* its queue is full: TCP knows how to wait for room in it. Else there is no such listener. */
		tickets->end = 0;
	return r == -EPERM ? -ECONNREFUSED : NOT_HERE;
}

long tickets_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	struct tickets *shared = names_page(), tickets;
	long r;

	if (!shared || !plain_address(address, length) || !copy_out(shared, &tickets) || tickets.row < FIRST_ASK ||
	    !same_address(&tickets, address, length) || clock_ms() > tickets.row_until_ms)
		return NOT_HERE;
	r = try(&tickets, fd, address->sa_family);
	tickets.row_until_ms = clock_ms() + ROW_MS;
	copy_in(shared, &tickets);
	return r;
}

void tickets_connected(const struct sockaddr *address, socklen_t length)
{
	struct tickets *shared = names_page(), tickets;
	int64_t now = clock_ms();

	if (!shared || !plain_address(address, length) || !copy_out(shared, &tickets))
		return;
	if (!same_address(&tickets, address, length) || now > tickets.row_until_ms) {
		tickets.row = 0;
		tickets.end = 0;
		tickets.length = length;
		for (size_t i = 0; i < length; i++)
			tickets.address[i] = ((const uint8_t *)address)[i];
	}
	if (tickets.row < FIRST_ASK)
		tickets.row++;
	tickets.row_until_ms = now + ROW_MS;
	copy_in(shared, &tickets);
}
