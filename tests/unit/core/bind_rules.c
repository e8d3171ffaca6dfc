/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bind rules against the kernel itself: every pair of sockets of all families,
 * addresses, reuse options and states is tried on Linux's loopback and on a
 * stack, and the second bind() or listen() must give the same errno.
 */
#include "base/bytes.h"
#include "test.h"

#include <berth/berth.h>
#include <errno.h>
#include <unistd.h>

enum family { IN4, IN6, IN6_ONLY, FAMILIES };
enum address { WILDCARD, LOOPBACK, MAPPED_LOOPBACK, ADDRESSES };

struct spec {
	enum family family;
	enum address address;
	bool reuse_address, reuse_port, listens;
};

#define SPECS (FAMILIES * ADDRESSES * 8)

static struct spec spec_of(unsigned number)
{
	return (struct spec){ number % FAMILIES, number / FAMILIES % ADDRESSES, number / (FAMILIES * ADDRESSES) & 1,
			      number / (FAMILIES * ADDRESSES) >> 1 & 1, number / (FAMILIES * ADDRESSES) >> 2 & 1 };
}

static bool makes_sense(const struct spec *spec, int type)
{
	return (spec->address != MAPPED_LOOPBACK || spec->family == IN6) && (!spec->listens || type == SOCK_STREAM);
}

/* The same calls on the kernel and on a stack: stack NULL is the kernel. */
struct place {
	struct berth_stack *stack;
};

static int do_socket(struct place place, int domain, int type)
{
	return place.stack ? berth_socket(place.stack, domain, type, 0) : socket(domain, type, 0);
}

static int do_set(struct place place, int fd, int level, int option, int value)
{
	return place.stack ? berth_setsockopt(place.stack, fd, level, option, &value, sizeof(value))
			   : setsockopt(fd, level, option, &value, sizeof(value));
}

static int do_bind(struct place place, int fd, const struct sockaddr *address, socklen_t length)
{
	int r = place.stack ? berth_bind(place.stack, fd, address, length) : bind(fd, address, length);

	return r < 0 ? -errno : 0;
}

static int do_listen(struct place place, int fd)
{
	int r = place.stack ? berth_listen(place.stack, fd, 1) : listen(fd, 1);

	return r < 0 ? -errno : 0;
}

static void do_close(struct place place, int fd)
{
	if (fd >= 0 && place.stack)
		berth_close(place.stack, fd);
	else if (fd >= 0)
		close(fd);
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

static socklen_t name_of(const struct spec *spec, uint16_t port, struct sockaddr_in6 *in6)
{
	struct sockaddr_in *in = (struct sockaddr_in *)in6;
	static const struct in6_addr mapped = { { { [10] = 0xff, 0xff, 127, 0, 0, 1 } } };

	memset(in6, 0, sizeof(*in6));
	if (spec->family == IN4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = htonl(spec->address == WILDCARD ? INADDR_ANY : INADDR_LOOPBACK);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	if (spec->address == LOOPBACK)
		in6->sin6_addr = in6addr_loopback;
	else if (spec->address == MAPPED_LOOPBACK)
		in6->sin6_addr = mapped;
	return sizeof(*in6);
}

/* Open, name and maybe listen; *ret_fd is the socket in any case. 0 or the first error. */
static int try(struct place place, const struct spec *spec, int type, uint16_t port, int *ret_fd)
{
	struct sockaddr_in6 name;
	socklen_t length = name_of(spec, port, &name);
	int fd = do_socket(place, spec->family == IN4 ? AF_INET : AF_INET6, type);
	int r;

	*ret_fd = fd;
	if (fd < 0)
		return -errno;
	if (spec->family != IN4)
		do_set(place, fd, IPPROTO_IPV6, IPV6_V6ONLY, spec->family == IN6_ONLY);
	do_set(place, fd, SOL_SOCKET, SO_REUSEADDR, spec->reuse_address);
	do_set(place, fd, SOL_SOCKET, SO_REUSEPORT, spec->reuse_port);
	r = do_bind(place, fd, (struct sockaddr *)&name, length);
	return r < 0 || !spec->listens ? r : do_listen(place, fd);
}

static int verdict(struct place place, const struct spec *first, const struct spec *second, int type)
{
	int a, b = -1;
	int r = try(place, first, type, 0, &a);

	if (r == 0)
		r = try(place, second, type, port_of(place, a), &b);
	else
		r = -1000 + r; /* the first failed by itself: not what is asked here */
	do_close(place, a);
	do_close(place, b);
	return r;
}

static void compare_all(int type)
{
	struct place kernel = { NULL }, stack = { berth_stack_new(NULL) };
	unsigned tried = 0;

	REQUIRE(stack.stack);
	for (unsigned i = 0; i < SPECS * SPECS; i++) {
		struct spec first = spec_of(i / SPECS), second = spec_of(i % SPECS);
		int expected, actual;

		if (!makes_sense(&first, type) || !makes_sense(&second, type))
			continue;
		actual = verdict(stack, &first, &second, type);
		expected = verdict(kernel, &first, &second, type);
		/* Other programs of this machine may hold the port that the kernel chose for us. */
		for (int again = 0; expected != actual && again < 5; again++)
			expected = verdict(kernel, &first, &second, type);
		tried++;
		if (expected != actual)
			test_fail(__FILE__, __LINE__,
				  "first f%d a%d ra%d rp%d l%d, second f%d a%d ra%d rp%d l%d: %d, Linux %d",
				  first.family, first.address, first.reuse_address, first.reuse_port, first.listens,
				  second.family, second.address, second.reuse_address, second.reuse_port,
				  second.listens, actual, expected);
	}
	CHECK(tried > 500);
	berth_stack_free(stack.stack);
}

static bool kernel_has_ipv6(void)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

TEST(bind_rules, of_tcp_are_those_of_the_kernel)
{
	if (!kernel_has_ipv6())
		test_skip("no IPv6 loopback to compare with");
	else
		compare_all(SOCK_STREAM);
}

TEST(bind_rules, of_udp_are_those_of_the_kernel)
{
	if (!kernel_has_ipv6())
		test_skip("no IPv6 loopback to compare with");
	else
		compare_all(SOCK_DGRAM);
}
