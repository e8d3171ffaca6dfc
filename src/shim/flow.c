/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows: from a socket (its cookie) to an address (none: its peer), with the
 * receiver's far end and the tag that go with it (daemon/far.c), or the
 * knowledge that there is none. Each is good for a moment only, then the
 * daemon is asked again: conditions may have been set, the receiver gone.
 *
 * Threads, signal handlers and forked children share the table, without locks.
 * An entry has a count of those who use it; a new flow takes an entry only from
 * 0 to BUSY, and who finds nothing free does without.
 */
#include "shim/shim.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/resource.h>

enum {
	SETS = 32,
	WAYS = 4,
	VALID_MS = 200,
	BUSY = -1,
	ADDRESS_MAX = 28, /* struct sockaddr_in6 */
};

struct flow {
	int users;    /* or BUSY; atomic */
	int far, tag; /* far -1: none; atomic */
	uint32_t room;
	int64_t until_ms; /* atomic */
	uint64_t cookie;
	uint8_t length;
	uint8_t address[ADDRESS_MAX];
	struct channel_tag contents; /* of the tag */
};

static struct flow flows[SETS][WAYS] = { [0 ... SETS - 1] = { [0 ... WAYS - 1] = { .far = -1, .tag = -1 } } };

static bool same(const struct flow *flow, uint64_t cookie, const uint8_t *address, socklen_t length)
{
	if (flow->cookie != cookie || flow->length != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (flow->address[i] != address[i])
			return false;
	return true;
}

static bool use(struct flow *flow)
{
	int users = __atomic_load_n(&flow->users, __ATOMIC_RELAXED);

	while (users >= 0)
		if (__atomic_compare_exchange_n(&flow->users, &users, users + 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

void flow_release(struct flow *flow)
{
	__atomic_sub_fetch(&flow->users, 1, __ATOMIC_RELEASE);
}

static bool take(struct flow *flow, int users)
{
	return __atomic_compare_exchange_n(&flow->users, &users, BUSY, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void shut(int *fd)
{
	int old = __atomic_exchange_n(fd, -1, __ATOMIC_RELAXED);

	if (old >= 0)
		raw(SYS_close, old, 0, 0, 0, 0, 0);
}

/* Out of the program's way, where it does not count its descriptors. Takes fd; returns the new one or -1. */
static int lift(int fd)
{
	struct rlimit limit = { 1024, 1024 };
	long end, high;

	raw(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
	end = limit.rlim_cur < FLOW_NUMBERS_END ? (long)limit.rlim_cur : FLOW_NUMBERS_END;
	high = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, end / 2, 0, 0, 0);
	raw(SYS_close, fd, 0, 0, 0, 0, 0);
	if (high >= FLOW_NUMBERS_END) { /* there is no looking after those */
		raw(SYS_close, high, 0, 0, 0, 0, 0);
		return -1;
	}
	return high < 0 ? -1 : (int)high;
}

/* A memfd that says contents, and will say nothing else. */
static int tag_make(const struct channel_tag *contents)
{
	long fd = raw(SYS_memfd_create, (long)"berth-tag", MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0, 0, 0);

	if (fd < 0)
		return -1;
	if (raw(SYS_write, fd, (long)contents, sizeof(*contents), 0, 0, 0) != (long)sizeof(*contents) ||
	    raw(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL, 0, 0, 0) < 0) {
		raw(SYS_close, fd, 0, 0, 0, 0, 0);
		return -1;
	}
	return lift((int)fd);
}

/* The descriptor that is to be *slot from now on. Who sends by the old number meanwhile sends by either. */
static void settle(int *slot, int fd)
{
	if (*slot < 0) {
		__atomic_store_n(slot, fd, __ATOMIC_RELEASE);
		return;
	}
	raw(SYS_dup3, fd, *slot, O_CLOEXEC, 0, 0, 0);
	raw(SYS_close, fd, 0, 0, 0, 0, 0);
}

static bool same_tag(const struct channel_tag *a, const struct channel_tag *b)
{
	const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;

	for (size_t i = 0; i < sizeof(*a); i++)
		if (x[i] != y[i])
			return false;
	return true;
}

/* Ask the supervisor. flow is BUSY: ours alone. */
static void refresh(struct flow *flow, int fd)
{
	struct shim_far far = { .address_length = flow->length };
	socklen_t length = sizeof(far);
	long r;

	for (size_t i = 0; i < flow->length; i++)
		far.address[i] = flow->address[i];
	r = raw(SYS_getsockopt, fd, SHIM_LEVEL, SHIM_FAR, (long)&far, (long)&length, 0);
	flow->until_ms = clock_ms() + VALID_MS;
	if (r < 0) {
		shut(&flow->far);
		shut(&flow->tag);
		return;
	}
	far.fd = lift(far.fd);
	if (far.fd >= 0 && (flow->tag < 0 || !same_tag(&flow->contents, &far.tag))) {
		int tag = tag_make(&far.tag);

		if (tag >= 0)
			settle(&flow->tag, tag);
		else
			shut(&flow->tag);
		flow->contents = far.tag;
	}
	if (far.fd >= 0 && flow->tag >= 0) {
		settle(&flow->far, far.fd);
		flow->room = far.room;
		return;
	}
	shut(&flow->far);
	shut(&far.fd);
}

static bool expired(const struct flow *flow, int64_t now)
{
	return __atomic_load_n(&flow->until_ms, __ATOMIC_RELAXED) <= now;
}

static struct flow *find(struct flow *set, uint64_t cookie, const uint8_t *address, socklen_t length)
{
	for (size_t i = 0; i < WAYS; i++) {
		if (!use(&set[i]))
			continue;
		if (same(&set[i], cookie, address, length))
			return &set[i];
		flow_release(&set[i]);
	}
	return NULL;
}

/* An entry for a new flow, used once; NULL: all are in use. */
static struct flow *begin(struct flow *set, int fd, uint64_t cookie, const uint8_t *address, socklen_t length)
{
	struct flow *oldest = &set[0];

	for (size_t i = 1; i < WAYS; i++)
		if (__atomic_load_n(&set[i].until_ms, __ATOMIC_RELAXED) <
		    __atomic_load_n(&oldest->until_ms, __ATOMIC_RELAXED))
			oldest = &set[i];
	if (!take(oldest, 0))
		return NULL;
	oldest->cookie = cookie;
	oldest->length = (uint8_t)length;
	for (size_t i = 0; i < length; i++)
		oldest->address[i] = address[i];
	shut(&oldest->far);
	refresh(oldest, fd);
	__atomic_store_n(&oldest->users, 1, __ATOMIC_RELEASE);
	return oldest;
}

struct flow *flow_get(int fd, uint64_t cookie, const void *address, socklen_t length)
{
	const uint8_t *bytes = address;
	uint64_t hash = cookie * UINT64_C(0x9e3779b97f4a7c15);
	struct flow *set, *flow;

	if (length > ADDRESS_MAX || !cookie)
		return NULL;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	set = flows[hash >> 32 & (SETS - 1)];
	flow = find(set, cookie, bytes, length);
	if (!flow)
		flow = begin(set, fd, cookie, bytes, length);
	else if (expired(flow, clock_ms()) && take(flow, 1)) {
		refresh(flow, fd);
		__atomic_store_n(&flow->users, 1, __ATOMIC_RELEASE);
	}
	if (flow && __atomic_load_n(&flow->far, __ATOMIC_ACQUIRE) < 0) {
		flow_release(flow);
		return NULL;
	}
	return flow;
}

long flow_send(struct flow *flow, const struct iovec *parts, size_t count, size_t length)
{
	union {
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { .bytes = { 0 } };
	struct msghdr message = { .msg_iov = (struct iovec *)parts,
				  .msg_iovlen = count,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	long r;

	if (length > flow->room)
		return -1;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	*(int *)CMSG_DATA(&control.head) = flow->tag;
	r = raw(SYS_sendmsg, native(flow->far), (long)&message, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0);
	if (r >= 0 || r == -EAGAIN)
		return (long)length;
	if (r != -EFAULT && r != -ETOOMANYREFS && r != -ENOBUFS && r != -ENOMEM) /* the receiver is no more */
		__atomic_store_n(&flow->until_ms, 0, __ATOMIC_RELAXED);
	return -1;
}

void flows_forget(uint64_t cookie)
{
	for (size_t i = 0; i < SETS * WAYS; i++)
		if (flows[i / WAYS][i % WAYS].cookie == cookie)
			__atomic_store_n(&flows[i / WAYS][i % WAYS].until_ms, 0, __ATOMIC_RELAXED);
}

bool flow_owns(int fd)
{
	for (size_t i = 0; fd >= FLOW_NUMBERS_BEGIN && fd < FLOW_NUMBERS_END && i < SETS * WAYS; i++)
		if (__atomic_load_n(&flows[i / WAYS][i % WAYS].far, __ATOMIC_RELAXED) == fd ||
		    __atomic_load_n(&flows[i / WAYS][i % WAYS].tag, __ATOMIC_RELAXED) == fd)
			return true;
	return false;
}

void flow_lose(int fd)
{
	for (size_t i = 0; fd >= FLOW_NUMBERS_BEGIN && fd < FLOW_NUMBERS_END && i < SETS * WAYS; i++) {
		struct flow *flow = &flows[i / WAYS][i % WAYS];
		int mine = fd;

		__atomic_compare_exchange_n(&flow->far, &mine, -1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		mine = fd;
		if (__atomic_compare_exchange_n(&flow->tag, &mine, -1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			__atomic_store_n(&flow->far, -1, __ATOMIC_RELAXED);
	}
}
