/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One fixed story - two hosts, a name, TCP both ways over both versions, a
 * datagram in fragments, an ending of each kind - played once for each of its
 * allocations, which then fails; and once more with all from there on failing.
 * Whatever the calls answer: no crash, nothing wrong is delivered, no leak.
 */
#include "base/ip.h"
#include "tests/test.h"

#include <berth/berth.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

struct story {
	struct berth_allocator allocator;
	struct berth_net *net;
	struct berth_host *hosts[2];
	unsigned long allocations, fails_at; /* counted from 1; 0: none fails */
	bool for_good;			     /* and all that come after it */
	size_t live, live_bytes;
	berth_time now;
	unsigned received; /* bytes that arrived right */
	bool wrong;
};

static void *failing_alloc(void *context, size_t size)
{
	struct story *story = context;

	story->allocations++;
	if (story->fails_at &&
	    (story->allocations == story->fails_at || (story->for_good && story->allocations > story->fails_at)))
		return NULL;
	story->live++;
	story->live_bytes += size;
	return malloc(size);
}

static void counted_free(void *context, void *memory, size_t size)
{
	struct story *story = context;

	story->live--;
	story->live_bytes -= size;
	free(memory);
}

static void run_for(struct story *story, berth_time duration)
{
	berth_time end = story->now + duration;

	for (int turns = 0; turns < 20000; turns++) {
		berth_time next = berth_net_deadline(story->net);

		if (next > end)
			break;
		story->now = MAX(story->now, next);
		berth_net_advance(story->net, story->now);
	}
	story->now = end;
	berth_net_advance(story->net, story->now);
}

static struct berth_stack *stack(struct story *story, int host)
{
	return berth_host_stack(story->hosts[host]);
}

static socklen_t name_of(struct story *story, int host, bool ip6, struct sockaddr_storage *storage)
{
	struct sockaddr_in6 *in6 = (void *)storage;
	struct sockaddr_in *in = (void *)storage;

	memset(storage, 0, sizeof(*storage));
	if (ip6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(80);
		memcpy(&in6->sin6_addr, berth_host_ip6(story->hosts[host]).bytes, 16);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(80);
	memcpy(&in->sin_addr, berth_host_ip4(story->hosts[host]).bytes + 12, 4);
	return sizeof(*in);
}

static uint8_t byte_at(size_t offset)
{
	return (uint8_t)(offset % 251);
}

static void send_bytes(struct story *story, int host, int fd, size_t size)
{
	uint8_t bytes[20000];

	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	berth_send(stack(story, host), fd, bytes, size, 0); /* may fail, or take less */
}

static void receive_bytes(struct story *story, int host, int fd)
{
	uint8_t bytes[20000];
	ssize_t got = berth_recv(stack(story, host), fd, bytes, sizeof(bytes), 0);

	for (ssize_t i = 0; i < got; i++)
		story->wrong |= bytes[i] != byte_at((size_t)i);
	story->received += got > 0 ? (unsigned)got : 0;
}

static void talk(struct story *story, bool ip6, bool reset)
{
	struct sockaddr_storage address;
	socklen_t length = name_of(story, 1, ip6, &address);
	int listener = berth_socket(stack(story, 1), address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int fd = berth_socket(stack(story, 0), address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0), child;

	berth_bind(stack(story, 1), listener, (void *)&address, length);
	berth_listen(stack(story, 1), listener, 2);
	berth_connect(stack(story, 0), fd, (void *)&address, length);
	run_for(story, 3 * BERTH_SEC);
	child = berth_accept(stack(story, 1), listener, NULL, NULL, SOCK_NONBLOCK);
	send_bytes(story, 0, fd, 15000);
	send_bytes(story, 1, child, 500);
	run_for(story, 5 * BERTH_SEC);
	receive_bytes(story, 1, child);
	receive_bytes(story, 0, fd);
	berth_shutdown(stack(story, 0), fd, SHUT_WR);
	run_for(story, BERTH_SEC);
	(reset ? berth_abort : berth_close)(stack(story, 1), child);
	run_for(story, BERTH_SEC);
	berth_close(stack(story, 0), fd);
	berth_close(stack(story, 1), listener);
	run_for(story, 70 * BERTH_SEC);
}

static void send_datagrams(struct story *story, bool ip6)
{
	struct sockaddr_storage address;
	socklen_t length = name_of(story, 1, ip6, &address);
	int to = berth_socket(stack(story, 1), address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int from = berth_socket(stack(story, 0), address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	berth_bind(stack(story, 1), to, (void *)&address, length);
	berth_connect(stack(story, 0), from, (void *)&address, length);
	send_bytes(story, 0, from, 100);
	send_bytes(story, 0, from, 6000); /* in fragments */
	run_for(story, BERTH_SEC);
	receive_bytes(story, 1, to);
	receive_bytes(story, 1, to);
	berth_close(stack(story, 1), to);
	send_bytes(story, 0, from, 100); /* nobody is there any more */
	run_for(story, BERTH_SEC);
	berth_close(stack(story, 0), from);
}

static void play(struct story *story)
{
	struct berth_net_config config = { .seed = 3, .allocator = &story->allocator, .superframe = UINT32_MAX };

	story->net = berth_net_new(&config);
	if (!story->net)
		return;
	for (int i = 0; i < 2; i++)
		berth_net_add_host(story->net, i ? "right" : "left", ip_any, NULL, &story->hosts[i]);
	if (story->hosts[0] && story->hosts[1]) {
		talk(story, false, false);
		talk(story, true, true);
		send_datagrams(story, false);
		send_datagrams(story, true);
		berth_net_remove_host(story->hosts[0]);
	}
	berth_net_free(story->net);
}

/* Returns how many allocations there were. */
static unsigned long play_once(unsigned long fails_at, bool for_good, unsigned *ret_received)
{
	struct story *story = calloc(1, sizeof(*story));
	unsigned long allocations;

	story->allocator = (struct berth_allocator){ failing_alloc, counted_free, story };
	story->fails_at = fails_at;
	story->for_good = for_good;
	play(story);
	if (story->live || story->live_bytes || story->wrong)
		test_fail(__FILE__, __LINE__, "allocation %lu%s fails: %zu allocations, %zu bytes left over%s",
			  fails_at, for_good ? " and on" : "", story->live, story->live_bytes,
			  story->wrong ? ", and wrong bytes" : "");
	allocations = story->allocations;
	*ret_received = story->received;
	free(story);
	return allocations;
}

TEST(no_memory, the_story_itself_delivers_all)
{
	unsigned received;

	CHECK(play_once(0, false, &received) > 100);
	CHECK_EQ(received, 2 * (15000 + 500) + 2 * (100 + 6000));
}

TEST(no_memory, each_allocation_may_fail)
{
	unsigned received, whole = 0;
	unsigned long count = play_once(0, false, &received);

	for (unsigned long n = 1; n <= count && !test_failed(); n++) {
		play_once(n, false, &received);
		whole += received == 2 * (15000 + 500) + 2 * (100 + 6000);
	}
	printf("# %lu allocations, %u of them without which all arrived\n", count, whole);
}

TEST(no_memory, all_memory_may_be_gone_from_any_moment_on)
{
	unsigned received;
	unsigned long count = play_once(0, false, &received);

	for (unsigned long n = 1; n <= count && !test_failed(); n++)
		play_once(n, true, &received);
}
