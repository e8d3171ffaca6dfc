/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stream sockets made in the program: an AF_UNIX socket with a name of Berth's,
 * which is all that the supervisor would have made. Names have numbers, of which
 * the supervisor gives some out at a time to who makes many sockets. A forked
 * child asks for numbers of its own: the page that has them is empty there.
 */
#include "shim/shim.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/un.h>

enum {
	PAGE = 4096,
	MADV_EMPTY_AFTER_FORK = 18, /* MADV_WIPEONFORK, since Linux 4.14 */
	FIRST_ASK = 4,		    /* sockets made: who makes one or two is better off without */
	LEFT_BITS = 8,
	PREFIX = 6,
};

/* low half of the next number << LEFT_BITS | how many there are; NULL: no page yet */
static uint64_t *numbers;
static uint64_t base; /* high half, the session's */
static char key[SHIM_KEY_LENGTH];
static unsigned made;
static bool refused; /* there are none to be had */

static uint64_t number_take(void)
{
	uint64_t *page = __atomic_load_n(&numbers, __ATOMIC_ACQUIRE);
	uint64_t word = page ? __atomic_load_n(page, __ATOMIC_ACQUIRE) : 0;

	while (word & ((1 << LEFT_BITS) - 1))
		if (__atomic_compare_exchange_n(page, &word, word + (1 << LEFT_BITS) - 1, false, __ATOMIC_ACQUIRE,
						__ATOMIC_ACQUIRE))
			return base | word >> LEFT_BITS;
	return 0;
}

/* The page, made when it is first wanted. NULL: it can't be. */
static uint64_t *page_get(void)
{
	uint64_t *page = __atomic_load_n(&numbers, __ATOMIC_ACQUIRE), *none = NULL;
	long at;

	if (page)
		return page;
	at = raw(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at < 0 && at > -PAGE)
		return NULL;
	page = (uint64_t *)at;
	if (raw(SYS_madvise, at, PAGE, MADV_EMPTY_AFTER_FORK, 0, 0, 0) == 0 &&
	    __atomic_compare_exchange_n(&numbers, &none, page, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return page;
	raw(SYS_munmap, at, PAGE, 0, 0, 0, 0);
	return none; /* another thread's, or NULL */
}

void names_made(int fd)
{
	struct shim_names names;
	socklen_t length = sizeof(names);
	uint64_t *page;
	long r;

	names.count = 0;
	if (refused || __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED) < FIRST_ASK)
		return;
	page = page_get();
	r = page ? raw(SYS_getsockopt, fd, SHIM_LEVEL, SHIM_NAMES, (long)&names, (long)&length, 0) : -ENOPROTOOPT;
	if (r < 0 || !names.count || names.count >= 1 << LEFT_BITS) {
		refused = r == -ENOPROTOOPT;
		return;
	}
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = names.key[i];
	base = names.first & ~(uint64_t)UINT32_MAX;
	__atomic_store_n(page, (names.first & UINT32_MAX) << LEFT_BITS | names.count, __ATOMIC_RELEASE);
}

void *names_page(void)
{
	uint64_t *page = __atomic_load_n(&numbers, __ATOMIC_ACQUIRE);

	return page ? page + PAGE / sizeof(*page) / 2 : NULL;
}

uint32_t names_after(uint64_t id)
{
	uint64_t *page = __atomic_load_n(&numbers, __ATOMIC_ACQUIRE);
	uint64_t word = page ? __atomic_load_n(page, __ATOMIC_ACQUIRE) : 0;
	uint64_t end = base | ((word >> LEFT_BITS) + (word & ((1 << LEFT_BITS) - 1)));

	return id < end && end - id <= SHIM_TICKETS_MAX ? (uint32_t)(end - id) : 0;
}

static char *hex(char *text, unsigned digits, uint64_t value)
{
	while (digits--)
		*text++ = "0123456789abcdef"[value >> 4 * digits & 0xf];
	return text;
}

/* control/name.h: ".s" id "." domain type protocol */
static long name(int fd, int domain, uint64_t number)
{
	struct sockaddr_un address;
	char *text = address.sun_path;

	address.sun_family = AF_UNIX;
	*text++ = '\0';
	for (size_t i = 0; i < PREFIX; i++)
		*text++ = "berth."[i];
	for (size_t i = 0; i < sizeof(key); i++)
		*text++ = key[i];
	*text++ = '.';
	*text++ = 's';
	text = hex(text, 16, number);
	*text++ = '.';
	text = hex(text, 2, (uint64_t)domain);
	text = hex(text, 2, SOCK_STREAM);
	text = hex(text, 2, IPPROTO_TCP);
	return raw(SYS_bind, native(fd), (long)&address, text - (char *)&address, 0, 0, 0);
}

int names_socket(int domain, int flags)
{
	uint64_t number = number_take();
	long fd = number ? raw(SYS_socket, AF_UNIX, SOCK_STREAM | flags, 0, 0, 0, 0) : -1;

	if (fd < 0)
		return -1;
	if (name((int)fd, domain, number) < 0) {
		raw(SYS_close, fd, 0, 0, 0, 0, 0);
		return -1;
	}
	tickets_new((int)fd);
	return (int)fd;
}

/* Names are looked up in the network namespace that a socket was made in. The supervisor's are in the first. */
static void names_forget(void)
{
	uint64_t *page = __atomic_load_n(&numbers, __ATOMIC_ACQUIRE);

	if (page)
		__atomic_store_n(page, 0, __ATOMIC_RELEASE);
}

int unshare(int flags);
int setns(int fd, int kind);

SHIM_EXPORT int unshare(int flags)
{
	long r = raw(SYS_unshare, flags, 0, 0, 0, 0, 0);

	names_forget();
	return (int)finish(r);
}

SHIM_EXPORT int setns(int fd, int kind)
{
	long r = raw(SYS_setns, fd, kind, 0, 0, 0, 0);

	names_forget();
	return (int)finish(r);
}
