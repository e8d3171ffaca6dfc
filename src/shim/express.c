/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stream sockets that this program has connected or accepted natively, by
 * express: what is usually called on these is answered here. They are known by
 * their cookies, so by this process alone; all else is the supervisor's.
 */
#include "shim/shim.h"

#include <asm/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum { KNOWN = 4096 };

static uint64_t known[KNOWN]; /* cookies; atomic */

void express_note(int fd)
{
	uint64_t cookie = cookie_of(fd);

	__atomic_store_n(&known[cookie % KNOWN], cookie, __ATOMIC_RELAXED);
}

static bool is_known(int fd)
{
	uint64_t cookie = cookie_of(fd);

	return cookie && __atomic_load_n(&known[cookie % KNOWN], __ATOMIC_RELAXED) == cookie;
}

uint64_t express_name(int fd, bool peer, int *ret_domain)
{
	return name_of(fd, peer, "0106", ret_domain); /* SOCK_STREAM, IPPROTO_TCP */
}

int express_mark(int fd)
{
	int value = 0;
	socklen_t length = sizeof(value);

	if (raw(SYS_getsockopt, native(fd), SOL_SOCKET, SO_RCVBUF, (long)&value, (long)&length, 0) < 0)
		return 0;
	value = value / 2 - SHIM_MARK_BASE;
	return value < 0 || value > SHIM_MARK_MAX ? 0 : value;
}

void express_set_mark(int fd, int mark)
{
	int value = SHIM_MARK_BASE + mark;

	raw(SYS_setsockopt, native(fd), SOL_SOCKET, SO_RCVBUF, (long)&value, sizeof(value), 0);
}

bool express_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	if (level != IPPROTO_TCP || option != TCP_NODELAY || length < sizeof(int) || !readable(value, sizeof(int)) ||
	    !*(const int *)value || !is_known(fd))
		return false;
	express_set_mark(fd, express_mark(fd) | SHIM_MARK_NODELAY);
	return true;
}

bool express_has_error(int fd, int level, int option)
{
	return level == SOL_SOCKET && option == SO_ERROR && is_known(fd);
}
