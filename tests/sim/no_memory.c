/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One fixed story - two hosts, a name, TCP both ways over both versions, plainly
 * and with Fast Open, urgent data, BBR, pacing and packets without a copy, a
 * datagram in fragments, local sockets, an ending of each kind - played once for each of its
 * allocations, which then fails; and once more with all from there on failing.
 * Whatever the calls answer: no crash, nothing wrong is delivered, no leak.
 */
#include "base/ip.h"
#include "tests/test.h"

#include <berth/berth.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
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

static void send_bytes(struct story *story, int host, int fd, size_t size, int flags)
{
	uint8_t bytes[20000];

	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	berth_send(stack(story, host), fd, bytes, size, flags); /* may fail, or take less */
}

/* What was sent from offset on. */
static void receive_from(struct story *story, int host, int fd, size_t offset)
{
	uint8_t bytes[20000];
	ssize_t got = berth_recv(stack(story, host), fd, bytes, sizeof(bytes), 0);

	for (ssize_t i = 0; i < got; i++)
		story->wrong |= bytes[i] != byte_at(offset + (size_t)i);
	story->received += got > 0 ? (unsigned)got : 0;
}

static void receive_bytes(struct story *story, int host, int fd)
{
	receive_from(story, host, fd, 0);
}

static void set(struct story *story, int host, int fd, int option, int value)
{
	berth_setsockopt(stack(story, host), fd, IPPROTO_TCP, option, &value, sizeof(value));
}

/* All that TCP can do besides. */
static void want_much(struct story *story, int host, int fd)
{
	berth_setsockopt(stack(story, host), fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3);
	berth_setsockopt(stack(story, host), fd, SOL_SOCKET, SO_OOBINLINE, &(int){ 1 }, sizeof(int));
	berth_setsockopt(stack(story, host), fd, SOL_SOCKET, SO_MAX_PACING_RATE, &(int){ 1000000 }, sizeof(int));
}

static void send_packet(struct story *story, int host, int fd, size_t size)
{
	struct berth_packet *packet = berth_packet_new(berth_stack_packets(stack(story, host)), 0, size);
	uint8_t *bytes = packet ? berth_packet_put(packet, size) : NULL;

	for (size_t i = 0; bytes && i < size; i++)
		bytes[i] = byte_at(i);
	if (packet && berth_send_packet(stack(story, host), fd, packet, 0) < 0)
		berth_packet_unref(packet);
}

/* Fast Open sends the first bytes; what it takes is not sent again. */
static int open_to(struct story *story, const struct sockaddr *address, socklen_t length, bool fast, size_t *ret_sent)
{
	int fd = berth_socket(stack(story, 0), address->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	uint8_t first[500];
	ssize_t n;

	*ret_sent = 0;
	if (!fast) {
		berth_connect(stack(story, 0), fd, address, length);
		return fd;
	}
	for (size_t i = 0; i < sizeof(first); i++)
		first[i] = byte_at(i);
	set(story, 0, fd, TCP_FASTOPEN_NO_COOKIE, 1);
	want_much(story, 0, fd);
	n = berth_sendto(stack(story, 0), fd, first, sizeof(first), MSG_FASTOPEN, address, length);
	*ret_sent = n > 0 ? (size_t)n : 0;
	return fd;
}

static void talk(struct story *story, bool ip6, bool fast, bool reset)
{
	struct sockaddr_storage address;
	socklen_t length = name_of(story, 1, ip6, &address);
	int listener = berth_socket(stack(story, 1), address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0), fd, child;
	size_t sent;

	if (fast) {
		set(story, 1, listener, TCP_FASTOPEN, 5);
		want_much(story, 1, listener);
	}
	berth_bind(stack(story, 1), listener, (void *)&address, length);
	berth_listen(stack(story, 1), listener, 2);
	fd = open_to(story, (void *)&address, length, fast, &sent);
	run_for(story, 3 * BERTH_SEC);
	child = berth_accept(stack(story, 1), listener, NULL, NULL, SOCK_NONBLOCK);
	if (sent) {
		receive_bytes(story, 1, child); /* the pattern begins anew with what comes next */
		send_packet(story, 1, child, 500);
		run_for(story, BERTH_SEC);
		receive_bytes(story, 0, fd);
	}
	send_bytes(story, 0, fd, 15000, 0);
	send_bytes(story, 1, child, 500, fast ? MSG_OOB : 0);
	run_for(story, 5 * BERTH_SEC);
	receive_bytes(story, 1, child);
	receive_bytes(story, 0, fd);
	if (fast) /* reading stops before the urgent byte */
		receive_from(story, 0, fd, 499);
	berth_shutdown(stack(story, 0), fd, SHUT_WR);
	run_for(story, BERTH_SEC);
	(reset ? berth_abort : berth_close)(stack(story, 1), child);
	run_for(story, BERTH_SEC);
	berth_close(stack(story, 0), fd);
	berth_close(stack(story, 1), listener);
	run_for(story, 70 * BERTH_SEC);
}

/* Both ends on one stack. */
static void talk_locally(struct story *story, int type)
{
	int fds[2] = { -1, -1 };

	if (berth_socketpair(stack(story, 0), AF_UNIX, type | SOCK_NONBLOCK, 0, fds) < 0)
		return;
	send_bytes(story, 0, fds[0], 1000, 0);
	receive_bytes(story, 0, fds[1]);
	send_bytes(story, 0, fds[1], 1000, 0);
	berth_close(stack(story, 0), fds[1]);
	receive_bytes(story, 0, fds[0]);
	berth_close(stack(story, 0), fds[0]);
}

static void send_datagrams(struct story *story, bool ip6)
{
	struct sockaddr_storage address;
	socklen_t length = name_of(story, 1, ip6, &address);
	int to = berth_socket(stack(story, 1), address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int from = berth_socket(stack(story, 0), address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	berth_bind(stack(story, 1), to, (void *)&address, length);
	berth_connect(stack(story, 0), from, (void *)&address, length);
	send_bytes(story, 0, from, 100, 0);
	send_bytes(story, 0, from, 6000, 0); /* in fragments */
	run_for(story, BERTH_SEC);
	receive_bytes(story, 1, to);
	receive_bytes(story, 1, to);
	berth_close(stack(story, 1), to);
	send_bytes(story, 0, from, 100, 0); /* nobody is there any more */
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
		talk(story, false, false, false);
		talk(story, true, false, true);
		talk(story, true, true, false);
		talk_locally(story, SOCK_STREAM);
		talk_locally(story, SOCK_SEQPACKET);
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

enum { WHOLE_STORY = 2 * (15000 + 500) + (2 * 500 + 15000 + 500) + 2 * 2000 + 2 * (100 + 6000) };

TEST(no_memory, the_story_itself_delivers_all)
{
	unsigned received;

	CHECK(play_once(0, false, &received) > 100);
	CHECK_EQ(received, WHOLE_STORY);
}

TEST(no_memory, each_allocation_may_fail)
{
	unsigned received, whole = 0;
	unsigned long count = play_once(0, false, &received);

	for (unsigned long n = 1; n <= count && !test_failed(); n++) {
		play_once(n, false, &received);
		whole += received == WHOLE_STORY;
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
