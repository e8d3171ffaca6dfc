/* SPDX-License-Identifier: BSD-2-Clause */
/* Cables with conditions between hosts that talk TCP. */
#include "tests/test.h"

#include <berth/berth.h>
#include <errno.h>

enum { TOTAL = 1 << 20 };

static const struct berth_ip none;

struct talk {
	struct berth_net *net;
	struct berth_stack *from, *to;
	int listener, client, server;
	size_t sent, received;
	bool wrong;
};

static uint8_t byte_at(size_t offset)
{
	return (uint8_t)(offset * 13 + (offset >> 8));
}

static void open_talk(struct talk *talk, struct berth_net *net, struct berth_host *from, struct berth_host *to)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct berth_ip ip = berth_host_ip4(to);

	*talk = (struct talk){ .net = net, .from = berth_host_stack(from), .to = berth_host_stack(to), .server = -1 };
	memcpy(&name.sin_addr, ip.bytes + 12, 4);
	talk->listener = berth_socket(talk->to, AF_INET, SOCK_STREAM, 0);
	berth_setsockopt(talk->to, talk->listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	CHECK_EQ(berth_bind(talk->to, talk->listener, (struct sockaddr *)&name, sizeof(name)), 0);
	CHECK_EQ(berth_listen(talk->to, talk->listener, 4), 0);
	talk->client = berth_socket(talk->from, AF_INET, SOCK_STREAM, 0);
	berth_connect(talk->from, talk->client, (struct sockaddr *)&name, sizeof(name));
}

static void step(struct talk *talk)
{
	static uint8_t buffer[65536];
	size_t size = TOTAL - talk->sent < sizeof(buffer) ? TOTAL - talk->sent : sizeof(buffer);
	ssize_t n;

	if (talk->server < 0)
		talk->server = berth_accept(talk->to, talk->listener, NULL, NULL, 0);
	for (size_t i = 0; i < size; i++)
		buffer[i] = byte_at(talk->sent + i);
	n = berth_send(talk->from, talk->client, buffer, size, 0);
	talk->sent += n > 0 ? (size_t)n : 0;
	while (talk->server >= 0 && (n = berth_recv(talk->to, talk->server, buffer, sizeof(buffer), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			talk->wrong |= buffer[i] != byte_at(talk->received++);
}

/* Run until all is there, or seconds of the network's time are over. Returns the time it took. */
static berth_time run(struct talk *talk, int seconds)
{
	berth_time now = 0, end = seconds * BERTH_SEC;

	while (talk->received < TOTAL && now < end) {
		berth_time next = berth_net_deadline(talk->net);

		now = next > now ? next : now + BERTH_MSEC;
		berth_net_advance(talk->net, now);
		step(talk);
	}
	return now;
}

static void conditions(struct berth_conditions *ret, const char *text)
{
	char copy[200], *words[32], error[200], *rest = NULL;
	size_t count = 0;

	*ret = (struct berth_conditions){ .delay = 0 };
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	if (berth_conditions_parse(ret, words, count, error, sizeof(error)) < 0)
		test_fail(__FILE__, __LINE__, "%s: %s", text, error);
}

static void check_delivery(const char *text)
{
	struct berth_net *net = berth_net_new(&(struct berth_net_config){ .seed = 7 });
	struct berth_host *a, *b;
	struct berth_conditions c;
	struct talk talk;

	berth_net_add_host(net, "a", none, NULL, &a);
	berth_net_add_host(net, "b", none, NULL, &b);
	conditions(&c, text);
	CHECK_EQ(berth_host_set_conditions(a, BERTH_BOTH, &c), 0);
	open_talk(&talk, net, a, b);
	run(&talk, 600);
	if (talk.received != TOTAL || talk.wrong)
		test_fail(__FILE__, __LINE__, "%s: %zu bytes came%s", text, talk.received,
			  talk.wrong ? ", and wrong" : "");
	berth_net_free(net);
}

TEST(net_conditions, tcp_delivers_under_all_of_them)
{
	check_delivery("delay 10ms");
	check_delivery("loss 5%");
	check_delivery("delay 20ms 5ms loss 2% duplicate 2% reorder 10%");
	check_delivery("corrupt 3%");
	check_delivery("rate 20mbit limit 50 delay 5ms");
	check_delivery("loss gemodel 2% 20% 60% 0.1% delay 3ms");
}

TEST(net_conditions, damage_is_found_by_checksums)
{
	struct berth_net *net = berth_net_new(&(struct berth_net_config){ .seed = 7 });
	struct berth_host *a, *b;
	struct berth_conditions c;
	struct talk talk;

	berth_net_add_host(net, "a", none, NULL, &a);
	berth_net_add_host(net, "b", none, NULL, &b);
	conditions(&c, "corrupt 5%");
	berth_host_set_conditions(a, BERTH_OUT, &c);
	open_talk(&talk, net, a, b);
	run(&talk, 600);
	CHECK_EQ(talk.received, TOTAL);
	CHECK(!talk.wrong);
	CHECK(berth_host_cable(a, BERTH_OUT).corrupted > 10);
	CHECK(berth_event_count(berth_host_stack(b), BERTH_EVENT_TCP_DROP_CHECKSUM) > 5);
	berth_net_free(net);
}

TEST(net_conditions, a_rate_is_kept)
{
	struct berth_net *net = berth_net_new(&(struct berth_net_config){ .seed = 7 });
	struct berth_host *a, *b;
	struct berth_conditions c;
	struct talk talk;
	double seconds;

	berth_net_add_host(net, "a", none, NULL, &a);
	berth_net_add_host(net, "b", none, NULL, &b);
	conditions(&c, "rate 10mbit");
	berth_host_set_conditions(a, BERTH_OUT, &c);
	open_talk(&talk, net, a, b);
	seconds = (double)run(&talk, 60) / 1e9;
	/* 1 MiB with headers: 1448 of 1514 bytes of a frame are payload */
	CHECK(seconds > 0.87 && seconds < 0.93);
	berth_net_free(net);
}

TEST(net_conditions, a_pair_has_its_own_and_others_do_not_notice)
{
	struct berth_net *net = berth_net_new(&(struct berth_net_config){ .seed = 7 });
	struct berth_host *a, *b, *c;
	struct berth_conditions cut = { .cut = true }, mended = { .cut = false };
	struct talk ab, cb;

	berth_net_add_host(net, "a", none, NULL, &a);
	berth_net_add_host(net, "b", none, NULL, &b);
	berth_net_add_host(net, "c", none, NULL, &c);
	open_talk(&ab, net, a, b);
	for (int i = 0; i < 3; i++) {
		berth_net_advance(net, i * BERTH_MSEC);
		if (ab.server < 0)
			ab.server = berth_accept(ab.to, ab.listener, NULL, NULL, 0);
	}
	CHECK(ab.server >= 0);
	CHECK_EQ(berth_pair_set_conditions(a, b, &cut), 0);
	CHECK_EQ(berth_pair_set_conditions(a, a, &cut), -EINVAL);
	CHECK(berth_pair_conditions(a, b).cut && !berth_pair_conditions(b, a).cut);
	run(&ab, 5);
	CHECK_EQ(ab.received, 0);
	CHECK(berth_pair_cable(a, b).cut > 0);
	berth_close(ab.to, ab.listener);
	open_talk(&cb, net, c, b);
	run(&cb, 20);
	CHECK_EQ(cb.received, TOTAL);
	/* A change while it runs resets nothing: the conversation goes on where it was. */
	CHECK_EQ(berth_pair_set_conditions(a, b, &mended), 0);
	run(&ab, 300);
	CHECK_EQ(ab.received, TOTAL);
	CHECK(!ab.wrong);
	berth_net_remove_host(b); /* with a pair that leads to it */
	berth_net_free(net);
}
