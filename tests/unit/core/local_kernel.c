/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local sockets beside the kernel's AF_UNIX: the same calls on both, every
 * result, name and readiness written down, and the two transcripts compared.
 */
#include "local_sides.h"
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

/* What follows is written once and played twice. */
static void listens_and_talks(void)
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
}

static void names_outlive_sockets(void)
{
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

static void stream_story(void)
{
	listens_and_talks();
	names_outlive_sockets();
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
