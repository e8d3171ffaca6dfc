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
#include <sys/un.h>

enum { KNOWN = 4096, DIGITS = 16 };

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

/* control/name.h: "\0berth." key ".s" id "." domain type protocol */
uint64_t express_name(int fd, bool peer, int *ret_domain)
{
	enum {
		KIND = 1 + 6 + SHIM_KEY_LENGTH,
		ID = KIND + 2,
		DOMAIN = ID + DIGITS + 1,
		TYPE = DOMAIN + 2,
		END = TYPE + 4
	};
	static const char prefix[6] = "berth.", kind[2] = ".s", type[4] = "0106"; /* SOCK_STREAM, IPPROTO_TCP */
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
	for (size_t i = 0; i < sizeof(type); i++)
		good = good && name.sun_path[TYPE + i] == type[i];
	if (!good || !unhex(name.sun_path + ID, DIGITS, &id) || !unhex(name.sun_path + DOMAIN, 2, &domain))
		return 0;
	*ret_domain = (int)domain;
	return id;
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
