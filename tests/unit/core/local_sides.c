/* SPDX-License-Identifier: BSD-2-Clause */
#include "local_sides.h"

#include "test.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

struct side *side;

void say(const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(side->text + side->length, TEXT - side->length, format, arguments);
	va_end(arguments);
	side->length += n > 0 && (size_t)n < TEXT - side->length ? (size_t)n : 0;
}

const char *result(long r)
{
	static char text[32];

	if (r < 0)
		return strerrorname_np(errno);
	snprintf(text, sizeof(text), "%ld", r);
	return text;
}

void open_socket(int s, int type)
{
	side->fds[s] = (int)CALL(socket, AF_UNIX, type | SOCK_NONBLOCK, 0);
	say("socket %d type %d: %s\n", s, type, result(side->fds[s] < 0 ? -1 : 0));
}

void pair(int a, int b, int type)
{
	int fds[2] = { -1, -1 };
	long r = CALL(socketpair, AF_UNIX, type | SOCK_NONBLOCK, 0, fds);

	side->fds[a] = fds[0];
	side->fds[b] = fds[1];
	say("pair %d %d: %s\n", a, b, result(r));
}

void end(int s)
{
	long r = side->which == KERNEL ? close(side->fds[s]) : berth_close(side->stack, side->fds[s]);

	side->fds[s] = -1;
	say("close %d: %s\n", s, result(r));
}

socklen_t address_of(const char *name, struct sockaddr_un *un)
{
	size_t size = strlen(name);

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(un->sun_path, name, size);
	if (name[0] != '@')
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (size ? 1 : 0));
	un->sun_path[0] = 0;
	size += (size_t)snprintf(un->sun_path + size, sizeof(un->sun_path) - size, "-berth-test-%d", getpid());
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

static void show_name(const char *what, const struct sockaddr_un *un, socklen_t length)
{
	say(" %s[%u]=", what, length);
	for (size_t i = offsetof(struct sockaddr_un, sun_path); i < length && i < sizeof(*un); i++)
		say("%c", ((const char *)un)[i] ? ((const char *)un)[i] : '.');
}

void names(int s)
{
	struct sockaddr_un un;
	socklen_t length = sizeof(un);
	long r = CALL(getsockname, side->fds[s], (struct sockaddr *)&un, &length);

	say("names %d: %s", s, result(r));
	if (!r)
		show_name("here", &un, length);
	length = sizeof(un);
	r = CALL(getpeername, side->fds[s], (struct sockaddr *)&un, &length);
	say(" %s", result(r));
	if (!r)
		show_name("peer", &un, length);
	say("\n");
}

void bind_to(int s, const char *name)
{
	struct sockaddr_un un;
	socklen_t length = address_of(name, &un);

	say("bind %d %s: %s\n", s, name, result(CALL(bind, side->fds[s], (struct sockaddr *)&un, length)));
}

void connect_to(int s, const char *name)
{
	struct sockaddr_un un;
	socklen_t length = address_of(name, &un);

	say("connect %d %s: %s\n", s, name, result(CALL(connect, side->fds[s], (struct sockaddr *)&un, length)));
}

void disconnect(int s)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	say("disconnect %d: %s\n", s, result(CALL(connect, side->fds[s], &nobody, sizeof(nobody))));
}

void wait_for(int s, int backlog)
{
	say("listen %d %d: %s\n", s, backlog, result(CALL(listen, side->fds[s], backlog)));
}

void take(int listener, int s)
{
	struct sockaddr_un un;
	socklen_t length = sizeof(un);
	long r = side->which == KERNEL ? accept4(side->fds[listener], (struct sockaddr *)&un, &length, SOCK_NONBLOCK)
				       : berth_accept(side->stack, side->fds[listener], (struct sockaddr *)&un, &length,
						      SOCK_NONBLOCK);

	side->fds[s] = (int)r;
	say("accept %d: %s", listener, result(r < 0 ? -1 : 0));
	if (r >= 0)
		show_name("from", &un, length);
	say("\n");
}

void sends(int s, const char *text, int flags)
{
	long r = side->which == KERNEL ? send(side->fds[s], text, strlen(text), flags | MSG_NOSIGNAL)
				       : berth_send(side->stack, side->fds[s], text, strlen(text), flags);

	say("send %d %s: %s\n", s, text, result(r));
}

void sends_to(int s, const char *name, const char *text)
{
	struct sockaddr_un un;
	socklen_t length = address_of(name, &un);

	say("sendto %d %s: %s\n", s, name,
	    result(CALL(sendto, side->fds[s], text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&un, length)));
}

void gets(int s, size_t size, int flags)
{
	char bytes[256] = "";
	struct sockaddr_un un;
	struct iovec part = { bytes, size };
	struct msghdr message = {
		.msg_name = &un, .msg_namelen = sizeof(un), .msg_iov = &part, .msg_iovlen = 1, .msg_flags = -1
	};
	long r = CALL(recvmsg, side->fds[s], &message, flags);

	say("recv %d %zu %#x: %s", s, size, flags, result(r));
	if (r >= 0) {
		say(" \"%.*s\" flags %#x", (int)size, bytes, message.msg_flags);
		show_name("from", &un, message.msg_namelen);
	}
	say("\n");
}

void shuts(int s, int how)
{
	say("shutdown %d %d: %s\n", s, how, result(CALL(shutdown, side->fds[s], how)));
}

void options(int s)
{
	static const int wanted[] = { SO_ERROR, SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN };

	say("options %d:", s);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		int value = -1;
		socklen_t length = sizeof(value);
		long r = CALL(getsockopt, side->fds[s], SOL_SOCKET, wanted[i], &value, &length);

		say(" %s %d", result(r), r < 0 ? 0 : value);
	}
	say("\n");
}

unsigned readiness(int s)
{
	struct pollfd one = { side->fds[s], POLLIN | POLLPRI | POLLOUT | POLLRDHUP, 0 };

	if (side->which == BERTH)
		return (unsigned)berth_readiness(side->stack, side->fds[s]);
	poll(&one, 1, 0);
	return (unsigned)one.revents;
}

void ready(int s)
{
	unsigned events = readiness(s);

	say("ready %d:%s%s%s%s%s\n", s, events & POLLIN ? " in" : "", events & POLLOUT ? " out" : "",
	    events & POLLERR ? " err" : "", events & POLLHUP ? " hup" : "", events & POLLRDHUP ? " rdhup" : "");
}

void removes(const char *name)
{
	say("unlink %s: %s\n", name, result(side->which == KERNEL ? unlink(name) : berth_unlink(side->stack, name)));
}

struct side *sides[2];

/* The first line that differs, with the one before. */
static void compare(void)
{
	const char *a = sides[KERNEL]->text, *b = sides[BERTH]->text;
	size_t same = 0, line = 0;

	while (a[same] && a[same] == b[same]) {
		line = a[same] == '\n' ? same + 1 : line;
		same++;
	}
	if (a[same] != b[same])
		test_fail(__FILE__, __LINE__, "kernel: %.*s; Berth: %.*s", (int)strcspn(a + line, "\n"), a + line,
			  (int)strcspn(b + line, "\n"), b + line);
	CHECK(strlen(a) > 0);
}

static unsigned queue_limit(void)
{
	FILE *file = fopen("/proc/sys/net/unix/max_dgram_qlen", "r");
	unsigned limit = 10;

	if (file && fscanf(file, "%u", &limit) != 1)
		limit = 10;
	if (file)
		fclose(file);
	return limit;
}

static char directory[] = "/tmp/berth-local-XXXXXX";

__attribute__((destructor)) static void remove_directory(void)
{
	rmdir(directory); /* every story unlinks what it bound */
}

static bool sides_open(void)
{
	struct berth_stack_config config = { .seed = 1, .limits = { .local_datagrams = queue_limit() } };
	if (!sides[KERNEL] && (!mkdtemp(directory) || chdir(directory) < 0))
		return false;
	for (int i = 0; i < 2; i++) {
		if (!sides[i])
			sides[i] = malloc(sizeof(**sides));
		memset(sides[i], 0, sizeof(**sides));
		memset(sides[i]->fds, 0xff, sizeof(sides[i]->fds));
		sides[i]->which = i;
	}
	sides[BERTH]->stack = berth_stack_new(&config);
	return sides[BERTH]->stack;
}

static void sides_close(void)
{
	for (int i = 0; i < SOCKETS; i++)
		if (sides[KERNEL]->fds[i] >= 0)
			close(sides[KERNEL]->fds[i]);
	berth_stack_free(sides[BERTH]->stack);
}

void play(void (*story)(void))
{
	REQUIRE(sides_open());
	for (int i = 0; i < 2; i++) {
		side = sides[i];
		story();
	}
	compare();
	sides_close();
}
