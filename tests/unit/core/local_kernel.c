/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local sockets beside the kernel's AF_UNIX: the same calls on both, every
 * result, name and readiness written down, and the two transcripts compared.
 * The kernel works in a directory of its own, with relative names.
 */
#include "test.h"

#include <berth/berth.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum { KERNEL, BERTH, SOCKETS = 24, TEXT = 1 << 18 };

/* One of the two, with its sockets by number, so that descriptors don't matter. */
struct side {
	int which;
	struct berth_stack *stack;
	int fds[SOCKETS];
	char text[TEXT];
	size_t length;
};

static struct side *side; /* that the calls below go to */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(side->text + side->length, TEXT - side->length, format, arguments);
	va_end(arguments);
	side->length += n > 0 && (size_t)n < TEXT - side->length ? (size_t)n : 0;
}

static const char *result(long r)
{
	static char text[32];

	if (r < 0)
		return strerrorname_np(errno);
	snprintf(text, sizeof(text), "%ld", r);
	return text;
}

#define CALL(name, ...) (side->which == KERNEL ? (long)name(__VA_ARGS__) : (long)berth_##name(side->stack, __VA_ARGS__))

static void open_socket(int s, int type)
{
	side->fds[s] = (int)CALL(socket, AF_UNIX, type | SOCK_NONBLOCK, 0);
	say("socket %d type %d: %s\n", s, type, result(side->fds[s] < 0 ? -1 : 0));
}

static void pair(int a, int b, int type)
{
	int fds[2] = { -1, -1 };
	long r = CALL(socketpair, AF_UNIX, type | SOCK_NONBLOCK, 0, fds);

	side->fds[a] = fds[0];
	side->fds[b] = fds[1];
	say("pair %d %d: %s\n", a, b, result(r));
}

static void end(int s)
{
	long r = side->which == KERNEL ? close(side->fds[s]) : berth_close(side->stack, side->fds[s]);

	side->fds[s] = -1;
	say("close %d: %s\n", s, result(r));
}

/* "@x" is abstract, "" names nothing but the family. Returns the length. */
static socklen_t address_of(const char *name, struct sockaddr_un *un)
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

static void names(int s)
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

static void bind_to(int s, const char *name)
{
	struct sockaddr_un un;
	socklen_t length = address_of(name, &un);

	say("bind %d %s: %s\n", s, name, result(CALL(bind, side->fds[s], (struct sockaddr *)&un, length)));
}

static void connect_to(int s, const char *name)
{
	struct sockaddr_un un;
	socklen_t length = address_of(name, &un);

	say("connect %d %s: %s\n", s, name, result(CALL(connect, side->fds[s], (struct sockaddr *)&un, length)));
}

static void disconnect(int s)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	say("disconnect %d: %s\n", s, result(CALL(connect, side->fds[s], &nobody, sizeof(nobody))));
}

static void wait_for(int s, int backlog)
{
	say("listen %d %d: %s\n", s, backlog, result(CALL(listen, side->fds[s], backlog)));
}

static void take(int listener, int s)
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

static void sends(int s, const char *text, int flags)
{
	long r = side->which == KERNEL ? send(side->fds[s], text, strlen(text), flags | MSG_NOSIGNAL)
				       : berth_send(side->stack, side->fds[s], text, strlen(text), flags);

	say("send %d %s: %s\n", s, text, result(r));
}

static void sends_to(int s, const char *name, const char *text)
{
	struct sockaddr_un un;
	socklen_t length = address_of(name, &un);

	say("sendto %d %s: %s\n", s, name,
	    result(CALL(sendto, side->fds[s], text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&un, length)));
}

static void gets(int s, size_t size, int flags)
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

static void shuts(int s, int how)
{
	say("shutdown %d %d: %s\n", s, how, result(CALL(shutdown, side->fds[s], how)));
}

static void options(int s)
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

static unsigned readiness(int s)
{
	struct pollfd one = { side->fds[s], POLLIN | POLLPRI | POLLOUT | POLLRDHUP, 0 };

	if (side->which == BERTH)
		return (unsigned)berth_readiness(side->stack, side->fds[s]);
	poll(&one, 1, 0);
	return (unsigned)one.revents;
}

static void ready(int s)
{
	unsigned events = readiness(s);

	say("ready %d:%s%s%s%s%s\n", s, events & POLLIN ? " in" : "", events & POLLOUT ? " out" : "",
	    events & POLLERR ? " err" : "", events & POLLHUP ? " hup" : "", events & POLLRDHUP ? " rdhup" : "");
}

static void removes(const char *name)
{
	say("unlink %s: %s\n", name, result(side->which == KERNEL ? unlink(name) : berth_unlink(side->stack, name)));
}

/* What follows is written once and played twice. */
static void stream_story(void)
{
	open_socket(0, SOCK_STREAM);
	names(0);
	ready(0);
	options(0);
	wait_for(0, 2);
	bind_to(0, "stream");
	bind_to(0, "other");
	names(0);
	wait_for(0, 2);
	ready(0);
	options(0);
	open_socket(1, SOCK_STREAM);
	bind_to(1, "@one");
	bind_to(1, "stream");
	connect_to(1, "stream");
	names(1);
	ready(0);
	ready(1);
	sends(1, "before accept", 0);
	take(0, 2);
	names(2);
	ready(2);
	gets(2, 6, MSG_PEEK);
	gets(2, 6, 0);
	sends(1, "-more", 0);
	gets(2, 100, MSG_PEEK);
	gets(2, 100, MSG_TRUNC);
	gets(2, 100, 0);
	sends(2, "answer", MSG_DONTWAIT);
	gets(1, 3, MSG_WAITALL);
	gets(1, 30, MSG_WAITALL);
	connect_to(1, "stream");
	sends_to(1, "stream", "x");
	connect_to(0, "stream");
	take(1, 3);
	take(0, 3);
	sends(1, "late", 0);
	end(1);
	ready(2);
	names(2);
	options(2);
	gets(2, 2, 0);
	gets(2, 10, 0);
	gets(2, 10, 0);
	sends(2, "x", 0);
	end(2);
	end(0);
	open_socket(0, SOCK_STREAM);
	connect_to(0, "stream");
	bind_to(0, "stream");
	removes("stream");
	removes("stream");
	connect_to(0, "stream");
	bind_to(0, "stream");
	removes("stream");
	wait_for(0, 1);
	open_socket(1, SOCK_STREAM);
	connect_to(1, "stream");
	bind_to(1, "stream");
	removes("stream");
	end(0);
	end(1);
}

static void endings(int type)
{
	for (int how = 0; how < 3; how++) {
		pair(0, 1, type);
		names(0);
		sends(0, "one", 0);
		sends(1, "two", 0);
		shuts(0, how);
		for (int s = 0; s < 2; s++) {
			ready(s);
			sends(s, "three", 0);
			gets(s, 10, 0);
			gets(s, 10, 0);
			gets(s, 10, MSG_DONTWAIT);
			options(s);
		}
		shuts(1, how);
		ready(0);
		ready(1);
		end(0);
		ready(1);
		sends(1, "x", 0);
		gets(1, 10, 0);
		names(1);
		end(1);
	}
	pair(0, 1, type); /* the end with something unread */
	sends(1, "lost", 0);
	sends(0, "kept", 0);
	end(0);
	ready(1);
	sends(1, "x", 0);
	gets(1, 10, 0);
	gets(1, 10, 0);
	sends(1, "x", 0);
	options(1);
	ready(1);
	end(1);
}

static void stream_endings(void)
{
	endings(SOCK_STREAM);
}

static void seqpacket_endings(void)
{
	endings(SOCK_SEQPACKET);
}

static void datagram_endings(void)
{
	endings(SOCK_DGRAM);
}

static void mistakes(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	struct sockaddr_un un;
	socklen_t length = address_of("name", &un);

	for (int i = 0; i < 3; i++) {
		open_socket(i, types[i]);
		ready(i);
		connect_to(i, "nothing");
		connect_to(i, "@nothing");
		connect_to(i, "");
		take(i, 9);
		sends(i, "x", 0);
		sends_to(i, "nothing", "x");
		sends_to(i, "@nothing", "x");
		gets(i, 10, 0);
		gets(i, 10, MSG_OOB);
		disconnect(i);
		shuts(i, 7);
		shuts(i, SHUT_WR);
		sends(i, "x", 0);
		wait_for(i, 1);
		say("short %s\n", result(CALL(bind, side->fds[i], (struct sockaddr *)&un, 1)));
		say("long %s\n", result(CALL(bind, side->fds[i], (struct sockaddr *)&un, sizeof(un) + 1)));
		un.sun_family = AF_INET;
		say("family %s\n", result(CALL(bind, side->fds[i], (struct sockaddr *)&un, length)));
		say("family %s\n", result(CALL(connect, side->fds[i], (struct sockaddr *)&un, length)));
		un.sun_family = AF_UNIX;
	}
	bind_to(0, "a stream");
	bind_to(1, "a seqpacket");
	bind_to(2, "a datagram");
	for (int i = 0; i < 3; i++) {
		open_socket(4 + i, types[i]);
		bind_to(4 + i, "a stream");
		connect_to(4 + i, "a stream");
		connect_to(4 + i, "a seqpacket");
		connect_to(4 + i, "a datagram");
		sends_to(4 + i, "a stream", "x");
	}
	say("type %s\n", result(CALL(socket, AF_UNIX, SOCK_RDM, 0)));
	say("protocol %s\n", result(CALL(socket, AF_UNIX, SOCK_STREAM, 6)));
	say("inet pair %s\n", result(CALL(socketpair, AF_INET, SOCK_STREAM, 0, side->fds + 20)));
	for (int i = 0; i < 3; i++) {
		end(i);
		end(4 + i);
	}
	removes("a stream");
	removes("a seqpacket");
	removes("a datagram");
}

static void backlog(void)
{
	open_socket(0, SOCK_SEQPACKET);
	bind_to(0, "@wait");
	wait_for(0, 1);
	for (int i = 1; i < 5; i++) {
		open_socket(i, SOCK_SEQPACKET);
		connect_to(i, "@wait");
		sends(i, "hello", 0);
	}
	wait_for(0, 2);
	connect_to(3, "@wait");
	take(0, 5);
	connect_to(4, "@wait");
	gets(5, 10, 0);
	ready(5);
	shuts(0, SHUT_RD);
	connect_to(4, "@wait");
	ready(0);
	end(0); /* two were never accepted */
	for (int i = 1; i < 5; i++) {
		ready(i);
		sends(i, "x", 0);
		gets(i, 10, 0);
		gets(i, 10, 0);
		end(i);
	}
	end(5);
	open_socket(0, SOCK_SEQPACKET);
	bind_to(0, "@wait");
	end(0);
}

static void datagrams(void)
{
	for (int i = 0; i < 4; i++)
		open_socket(i, SOCK_DGRAM);
	bind_to(0, "@reader");
	sends_to(1, "@reader", "from nobody");
	bind_to(1, "writer");
	sends_to(1, "@reader", "from writer");
	sends_to(1, "@reader", "");
	ready(0);
	gets(0, 4, MSG_PEEK);
	gets(0, 4, MSG_TRUNC);
	gets(0, 40, 0);
	gets(0, 40, 0);
	gets(0, 40, 0);
	connect_to(1, "@reader");
	connect_to(0, "writer");
	names(0);
	names(1);
	sends_to(2, "writer", "may I?"); /* it hears the reader only */
	connect_to(2, "writer");
	sends(0, "one", 0);
	sends(0, "two", 0);
	gets(1, 10, 0);
	disconnect(1);
	names(1);
	options(0);
	ready(0);
	sends(0, "x", 0);
	gets(1, 10, 0);
	connect_to(1, "@reader");
	end(0);
	ready(1);
	names(1);
	sends(1, "x", 0);
	sends(1, "x", 0);
	names(1);
	bind_to(2, "@full");
	connect_to(3, "@full");
	for (int i = 0; i < 14; i++)
		sends(3, "much", 0);
	ready(3);
	gets(2, 10, 0);
	ready(3);
	sends(3, "again", 0);
	shuts(2, SHUT_RD);
	sends(3, "x", 0);
	ready(3);
	for (int i = 1; i < 4; i++)
		end(i);
	removes("writer");
}

static struct side *sides[2];

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

static void play(void (*story)(void))
{
	REQUIRE(sides_open());
	for (int i = 0; i < 2; i++) {
		side = sides[i];
		story();
	}
	compare();
	sides_close();
}

TEST(local, streams_are_as_the_kernels)
{
	play(stream_story);
}

TEST(local, ends_of_streams_are_as_the_kernels)
{
	play(stream_endings);
}

TEST(local, ends_of_seqpackets_are_as_the_kernels)
{
	play(seqpacket_endings);
}

TEST(local, ends_of_datagrams_are_as_the_kernels)
{
	play(datagram_endings);
}

TEST(local, mistakes_are_answered_as_by_the_kernel)
{
	play(mistakes);
}

TEST(local, backlog_is_as_the_kernels)
{
	play(backlog);
}

TEST(local, datagrams_are_as_the_kernels)
{
	play(datagrams);
}

/* Any call at any time. */
static uint64_t random_state;

static int dice(int sides_of_it)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (int)(random_state % (uint64_t)sides_of_it);
}

static void random_call(void)
{
	static const char *const names_[] = { "p1", "p2", "p3", "@a1", "@a2", "@a3" };
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM }, flags[] = { 0, MSG_PEEK, MSG_TRUNC };
	int call = dice(16), s = dice(8), other = dice(8), name = dice(6), type = dice(3), number = dice(9);

	if (side->fds[s] < 0 || (call < 2 && side->fds[other] < 0)) {
		if (side->fds[other] < 0 && s != other && call % 2 && side->fds[s] < 0)
			pair(s, other, types[type]);
		else if (side->fds[s] < 0)
			open_socket(s, types[type]);
		return;
	}
	switch (call) {
	case 0:
	case 1:
		end(s);
		break;
	case 2:
		bind_to(s, names_[name]);
		break;
	case 3:
	case 4:
		connect_to(s, names_[name]);
		break;
	case 5:
		wait_for(s, number % 3);
		break;
	case 6:
		if (side->fds[other] < 0)
			take(s, other);
		break;
	case 7:
		shuts(s, number % 3);
		break;
	case 8:
		sends_to(s, names_[name], "to a name");
		break;
	case 9:
		removes(names_[name]);
		break;
	case 10:
		number % 3 ? options(s) : disconnect(s);
		break;
	case 11:
	case 12:
		sends(s, "abcdefghi" + number, 0);
		break;
	default:
		gets(s, (size_t)number, flags[type]);
	}
}

/* Readiness and names of all; one who found something full may be less writable here (local.c says why). */
static void look(void)
{
	for (int s = 0; s < 8; s++) {
		if (side->fds[s] < 0)
			continue;
		say("ready %d: %#x\n", s, readiness(s) & ~(unsigned)POLLOUT);
		names(s);
	}
}

static uint64_t current_seed;

static void random_story(void)
{
	random_state = current_seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < 120; i++) {
		random_call();
		look();
	}
	for (int s = 0; s < 8; s++)
		if (side->fds[s] >= 0)
			end(s);
	removes("p1");
	removes("p2");
	removes("p3");
}

TEST(local, any_calls_are_answered_as_by_the_kernel)
{
	for (current_seed = 1; current_seed <= 300 && !test_failed(); current_seed++) {
		play(random_story);
		if (test_failed())
			printf("# seed %" PRIu64 "\n%s\n", current_seed,
			       getenv("LOCAL_TEXT") ? sides[BERTH]->text : "");
	}
}
