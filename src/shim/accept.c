/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accept(), where a program accepts many: natively, from the listener that the
 * kernel keeps in any case. Who came is found in the table that the daemon
 * writes (daemon/ticket.c), or the supervisor is asked, of the accepted socket;
 * who was not sent there is closed, as the supervisor would. Others who accept
 * from the same listener, with a shim or without, take what they take.
 */
#include "shim/shim.h"

#include <sys/mman.h>
#include <sys/un.h>

enum {
	FIRST_ASK = 4, /* accepted: who accepts a few is better off without */
	LISTENERS = 16,
	VALID_MS = 200, /* of what was said of a listener: options may be set on it */
};

struct listener {
	uint64_t cookie; /* 0: none; written last, atomically */
	uint64_t id;	 /* 0: not natively */
	int64_t until_ms;
};

static struct listener listeners[LISTENERS];
static const struct shim_entry *table;
static unsigned accepted;

static void remember(uint64_t cookie, uint64_t id)
{
	struct listener *listener = &listeners[cookie % LISTENERS];

	__atomic_store_n(&listener->cookie, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&listener->id, id, __ATOMIC_RELAXED);
	__atomic_store_n(&listener->until_ms, clock_ms() + VALID_MS, __ATOMIC_RELAXED);
	__atomic_store_n(&listener->cookie, cookie, __ATOMIC_RELEASE);
}

/* The table stays for as long as the program does, and in its forked children. */
static bool table_open(int fd)
{
	const struct shim_entry *none = NULL;
	size_t size = SHIM_TABLE_ENTRIES * sizeof(*table);
	long at = raw(SYS_mmap, 0, (long)size, PROT_READ, MAP_SHARED, fd, 0);

	raw(SYS_close, fd, 0, 0, 0, 0, 0);
	if (at < 0 && at > -4096)
		return false;
	if (!__atomic_compare_exchange_n(&table, &none, (const struct shim_entry *)at, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		raw(SYS_munmap, at, (long)size, 0, 0, 0, 0); /* another thread was faster */
	return true;
}

static uint64_t ask(int fd)
{
	struct shim_listener answer = { .wants_table = !__atomic_load_n(&table, __ATOMIC_ACQUIRE), .table = -1 };
	socklen_t length = sizeof(answer);

	if (unbroken(SYS_getsockopt, fd, SHIM_LEVEL, SHIM_LISTENER, (long)&answer, (long)&length) < 0)
		return 0;
	return !answer.wants_table || table_open(answer.table) ? answer.id : 0;
}

/* The listener's number, or 0: its accept() is the supervisor's. */
static uint64_t listener_of(int fd)
{
	uint64_t cookie, id;
	struct listener *listener;

	if (__atomic_load_n(&accepted, __ATOMIC_RELAXED) < FIRST_ASK || !(cookie = cookie_of(fd)))
		return 0;
	listener = &listeners[cookie % LISTENERS];
	id = __atomic_load_n(&listener->cookie, __ATOMIC_ACQUIRE) == cookie ? listener->id : 0;
	if (__atomic_load_n(&listener->cookie, __ATOMIC_ACQUIRE) == cookie &&
	    __atomic_load_n(&listener->until_ms, __ATOMIC_RELAXED) > clock_ms())
		return id;
	id = ask(fd);
	remember(cookie, id);
	return id;
}

void accept_forget(int fd)
{
	uint64_t cookie = cookie_of(fd), expected = cookie;

	if (cookie)
		__atomic_compare_exchange_n(&listeners[cookie % LISTENERS].cookie, &expected, 0, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Has it come with a ticket to the listener? Then its address is in *ret_peer. */
static bool in_table(int fd, uint64_t listener, struct shim_peer *ret_peer)
{
	struct ucred who = { .pid = 0 };
	socklen_t length = sizeof(who);
	const struct shim_entry *entry;
	int domain;
	uint64_t id = express_name(fd, true, &domain);
	bool good;

	if (!id || raw(SYS_getsockopt, native(fd), SOL_SOCKET, SO_PEERCRED, (long)&who, (long)&length, 0) < 0)
		return false;
	entry = &table[shim_entry_index(id)];
	if (__atomic_load_n(&entry->id, __ATOMIC_ACQUIRE) != id)
		return false;
	good = entry->listener == listener && entry->pid == who.pid && who.pid > 0;
	ret_peer->length = entry->length < CHANNEL_ADDRESS_MAX ? entry->length : CHANNEL_ADDRESS_MAX;
	for (size_t i = 0; i < CHANNEL_ADDRESS_MAX; i++)
		ret_peer->address[i] = __atomic_load_n(&entry->address[i], __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return good && __atomic_load_n(&entry->id, __ATOMIC_RELAXED) == id;
}

/* Returns 0, or -ECONNABORTED: nobody, or why it can't be told. */
static long who_came(int fd, uint64_t listener, struct shim_peer *ret_peer)
{
	socklen_t length = sizeof(*ret_peer);

	if (in_table(fd, listener, ret_peer)) {
		express_note(fd);
		return 0;
	}
	return unbroken(SYS_getsockopt, fd, SHIM_LEVEL, SHIM_PEER, (long)ret_peer, (long)&length);
}

/* Linux: a bad pointer costs the connection. */
static bool give(const struct shim_peer *peer, void *address, socklen_t room, socklen_t *ret_length)
{
	if (room > peer->length)
		room = peer->length;
	if (!writable(ret_length, sizeof(*ret_length)) || (room && !writable(address, room)))
		return false;
	for (socklen_t i = 0; i < room; i++)
		((uint8_t *)address)[i] = peer->address[i];
	*ret_length = peer->length;
	return true;
}

static long take(int fd, uint64_t listener, struct sockaddr *address, socklen_t *length, int flags)
{
	socklen_t room = address ? *length : 0;
	struct shim_peer peer;
	long r, known;

	for (;;) {
		r = waiting(SYS_accept4, native(fd), 0, 0, flags, 0, 0);
		if (r < 0)
			return r;
		known = who_came((int)r, listener, &peer);
		if (!known && (!address || give(&peer, address, room, length)))
			return r;
		raw(SYS_close, r, 0, 0, 0, 0, 0);
		if (!known)
			return -EFAULT;
		if (known != -ECONNABORTED)
			return known;
	}
}

static long accept_some(int fd, struct sockaddr *address, socklen_t *length, int flags, long number)
{
	bool simple = !(flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) &&
		      (!address || (readable(length, sizeof(*length)) &&
				    (!*length || (*length >= sizeof(int) && (int)*length > 0))));
	uint64_t listener = simple ? listener_of(fd) : 0;
	long r;

	if (listener)
		return take(fd, listener, address, length, flags);
	r = waiting(number, fd, (long)address, (long)length, flags, 0, 0);
	if (r >= 0 && __atomic_load_n(&accepted, __ATOMIC_RELAXED) < FIRST_ASK)
		__atomic_add_fetch(&accepted, 1, __ATOMIC_RELAXED);
	return r;
}

SHIM_EXPORT int accept(int fd, struct sockaddr *address, socklen_t *length)
{
	return (int)finish(accept_some(fd, address, length, 0, SYS_accept));
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);

SHIM_EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	return (int)finish(accept_some(fd, address, length, flags, SYS_accept4));
}
