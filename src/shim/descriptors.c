/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a descriptor is, asked of the kernel; and the calls by which a program
 * gives descriptors, or options of sockets, another meaning. The filter has its
 * say on all of these: here they are only seen going by.
 *
 * The shim's own descriptors are high ones. A program that closes all that it
 * did not open leaves them be; one that puts its own in their place has it so.
 */
#include "shim/shim.h"

#include <asm/socket.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

enum { KNOWN = 256, NUMBERS = 4096, NOT_OURS = 1, UDP4 = 2, UDP6 = 3 };

static uint64_t known[KNOWN];		 /* cookie << 2 | what it is; atomic */
static uint64_t datagrams[NUMBERS / 64]; /* a bit for each number: may be a UDP socket; atomic */

static void mark(int fd, bool on)
{
	if (fd < 0 || fd >= NUMBERS)
		return;
	spin_forget(fd);
	uint64_t bit = UINT64_C(1) << fd % 64;
	if (on)
		__atomic_or_fetch(&datagrams[fd / 64], bit, __ATOMIC_RELAXED);
	else if (__atomic_load_n(&datagrams[fd / 64], __ATOMIC_RELAXED) & bit)
		__atomic_and_fetch(&datagrams[fd / 64], ~bit, __ATOMIC_RELAXED);
}

bool may_be_udp(int fd)
{
	return fd >= 0 && fd < NUMBERS && __atomic_load_n(&datagrams[fd / 64], __ATOMIC_RELAXED) >> fd % 64 & 1;
}

uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	if (raw(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, (long)&cookie, (long)&length, 0) < 0)
		return 0;
	return cookie;
}

/* The value of so many digits of lower-case hex, or false. */
static bool unhex(const char *text, unsigned digits, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (; digits; digits--, text++) {
		if (*text >= '0' && *text <= '9')
			value = value << 4 | (uint64_t)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			value = value << 4 | (uint64_t)(*text - 'a' + 10);
		else
			return false;
	}
	*ret_value = value;
	return true;
}

/* control/name.h: "\0berth." key ".s" id "." domain type protocol, in hex. libc's scanf() is not ours to call. */
uint64_t name_of(int fd, bool peer, const char type[4], int *ret_domain)
{
	enum {
		DIGITS = 16,
		KIND = 1 + 6 + SHIM_KEY_LENGTH,
		ID = KIND + 2,
		DOMAIN = ID + DIGITS + 1,
		TYPE = DOMAIN + 2,
		END = TYPE + 4
	};
	static const char prefix[6] = "berth.", kind[2] = ".s";
	struct sockaddr_un name;
	socklen_t length = sizeof(name);
	uint64_t id, domain;
	bool good = true;

	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): it does not see the kernel write name */
	if (raw(peer ? SYS_getpeername : SYS_getsockname, native(fd), (long)&name, (long)&length, 0, 0, 0) < 0 ||
	    length != offsetof(struct sockaddr_un, sun_path) + END || name.sun_family != AF_UNIX || name.sun_path[0])
		return 0;
	for (size_t i = 0; i < sizeof(prefix); i++)
		good = good && name.sun_path[1 + i] == prefix[i];
	for (size_t i = 0; i < sizeof(kind); i++)
		good = good && name.sun_path[KIND + i] == kind[i];
	for (size_t i = 0; i < END - TYPE; i++)
		good = good && name.sun_path[TYPE + i] == type[i];
	if (!good || !unhex(name.sun_path + ID, DIGITS, &id) || !unhex(name.sun_path + DOMAIN, 2, &domain))
		return 0;
	*ret_domain = (int)domain;
	return id;
}

static unsigned named(int fd)
{
	int domain;

	if (!name_of(fd, false, "0211", &domain)) /* SOCK_DGRAM, IPPROTO_UDP */
		return NOT_OURS;
	return domain == AF_INET ? UDP4 : domain == AF_INET6 ? UDP6 : NOT_OURS;
}

int is_udp(int fd, uint64_t cookie)
{
	uint64_t *slot = &known[cookie % KNOWN], value = __atomic_load_n(slot, __ATOMIC_RELAXED);

	if (!cookie || cookie >> 62)
		return 0;
	if (value >> 2 != cookie) {
		value = cookie << 2 | named(fd);
		__atomic_store_n(slot, value, __ATOMIC_RELAXED);
	}
	return (value & 3) == UDP4 ? AF_INET : (value & 3) == UDP6 ? AF_INET6 : 0;
}

/*
 * A signal that comes between the call and the supervisor's taking it up ends a call that has not begun, with EINTR if
 * its handler is without SA_RESTART. These never say so on Linux: the signal has come a little earlier, then.
 */
long unbroken(long number, long a, long b, long c, long d, long e)
{
	long result;

	do {
		result = raw(number, a, b, c, d, e, 0);
	} while (result == -EINTR);
	return result;
}

SHIM_EXPORT int socket(int domain, int type, int protocol)
{
	bool stream = (domain == AF_INET || domain == AF_INET6) &&
		      (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM && (!protocol || protocol == IPPROTO_TCP);
	long fd = stream ? names_socket(domain, type & (SOCK_NONBLOCK | SOCK_CLOEXEC)) : -1;

	if (fd < 0) {
		fd = unbroken(SYS_socket, domain, type, protocol, 0, 0);
		if (stream && fd >= 0)
			names_made((int)fd);
	}
	mark((int)fd, (domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_DGRAM);
	return (int)finish(fd);
}

/* After calls on a UDP socket, what was known of its ways is old. */
static long change(int fd, long result)
{
	if (may_be_udp(fd))
		flows_forget(cookie_of(fd));
	return finish(result);
}

/* Has what ended with EINTR begun? Other people's sockets' has. */
static bool has_begun(int fd)
{
	int begun = 1;
	socklen_t length = sizeof(begun);

	return unbroken(SYS_getsockopt, fd, SHIM_LEVEL, SHIM_CONNECTS, (long)&begun, (long)&length) < 0 || begun;
}

SHIM_EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	long r = tickets_connect(fd, address, length);

	if (r <= 0)
		return (int)finish(r);
	do {
		r = waiting(SYS_connect, fd, (long)address, (long)length, 0, 0, 0);
	} while (r == -EINTR && !has_begun(fd));
	if (r == -EINPROGRESS)
		tickets_connected(address, length);
	return (int)change(fd, r);
}

SHIM_EXPORT int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	return (int)finish(unbroken(SYS_bind, fd, (long)address, (long)length, 0, 0));
}

SHIM_EXPORT int listen(int fd, int backlog)
{
	return (int)finish(unbroken(SYS_listen, fd, backlog, 0, 0, 0));
}

SHIM_EXPORT int getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
	return (int)finish(unbroken(SYS_getsockname, fd, (long)address, (long)length, 0, 0));
}

SHIM_EXPORT int getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
	return (int)finish(unbroken(SYS_getpeername, fd, (long)address, (long)length, 0, 0));
}

SHIM_EXPORT int getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
	long descriptor = express_has_error(fd, level, option) ? native(fd) : fd;

	return (int)finish(unbroken(SYS_getsockopt, descriptor, level, option, (long)value, (long)length));
}

SHIM_EXPORT int shutdown(int fd, int how)
{
	return (int)change(fd, unbroken(SYS_shutdown, fd, how, 0, 0, 0));
}

SHIM_EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	long r;

	if (express_setsockopt(fd, level, option, value, length))
		return 0;
	r = unbroken(SYS_setsockopt, fd, level, option, (long)value, (long)length);
	if (level == SOL_SOCKET && option != SO_KEEPALIVE && option != SO_LINGER) /* what these listen to is not here */
		accept_forget(fd);
	return (int)change(fd, r);
}

SHIM_EXPORT int close(int fd)
{
	if (flow_owns(fd))
		return (int)finish(-EBADF);
	return (int)finish(waiting(SYS_close, fd, 0, 0, 0, 0, 0));
}

SHIM_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	/* With a flag, ours are closed on exec() already, or a table of the thread's own is left without them. */
	for (unsigned fd = first; !flags && fd <= last && fd < FLOW_NUMBERS_END; fd++) {
		long r;

		if (!flow_owns((int)fd))
			continue;
		r = fd > first ? raw(SYS_close_range, first, (long)fd - 1, 0, 0, 0, 0) : 0;
		if (r < 0)
			return (int)finish(r);
		first = fd + 1;
	}
	return first > last ? 0 : (int)finish(raw(SYS_close_range, first, last, flags, 0, 0, 0));
}

SHIM_EXPORT void closefrom(int first)
{
	close_range(first < 0 ? 0 : (unsigned)first, ~0u, 0);
}

SHIM_EXPORT int dup3(int old, int fd, int flags)
{
	if (flow_owns(old))
		return (int)finish(-EBADF);
	flow_lose(fd);
	return (int)finish(raw(SYS_dup3, old, fd, flags, 0, 0, 0));
}

SHIM_EXPORT int dup2(int old, int fd)
{
	if (flow_owns(old))
		return (int)finish(-EBADF);
	if (old != fd)
		flow_lose(fd);
	return (int)finish(raw(SYS_dup2, old, fd, 0, 0, 0, 0));
}
