/* SPDX-License-Identifier: BSD-2-Clause */
/* What an event hook is told of conversations: berth_hooks.event, berth_event_info. */
#include "tests/test.h"

#include <arpa/inet.h>
#include <berth/berth.h>
#include <stdio.h>

enum { HISTORY = 4096 };

static char history[HISTORY]; /* "client: CLOSED>SYN-SENT\n…" */
static size_t used;
static unsigned refused;

static void on_event(void *context, const struct berth_event_info *about)
{
	if (about->event == BERTH_EVENT_TCP_DROP_NO_SOCKET && about->local.port == 9 && about->protocol == 6)
		refused++;
	if (about->event == BERTH_EVENT_TCP_STATE && used < HISTORY)
		used += (size_t)snprintf(history + used, HISTORY - used, "%s: %s>%s\n",
					 about->local.port == 80 ? "server" : "client", about->before, about->state);
}

static struct berth_stack *begin(void)
{
	struct berth_stack_config config = { .seed = 1, .now = BERTH_SEC, .hooks = { .event = on_event } };

	used = refused = 0;
	history[0] = 0;
	return berth_stack_new(&config);
}

static int connect_to(struct berth_stack *stack, int fd, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int r = berth_connect(stack, fd, (struct sockaddr *)&address, sizeof(address));
	berth_stack_advance(stack, berth_stack_now(stack) + BERTH_MSEC);
	return r;
}

TEST(tcp_events, every_state_of_both_ends_is_told_in_order)
{
	struct berth_stack *stack = begin();
	int listener = berth_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int client = berth_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(80) };

	CHECK_EQ(berth_bind(stack, listener, (struct sockaddr *)&any, sizeof(any)), 0);
	CHECK_EQ(berth_listen(stack, listener, 5), 0);
	connect_to(stack, client, 80);
	int server = berth_accept(stack, listener, NULL, NULL, 0);
	CHECK(server >= 0);
	berth_close(stack, client);
	berth_stack_advance(stack, berth_stack_now(stack) + BERTH_MSEC);
	berth_close(stack, server);
	berth_stack_advance(stack, berth_stack_now(stack) + BERTH_SEC);
	CHECK_STR(history, "server: CLOSED>LISTEN\n"
			   "client: CLOSED>SYN-SENT\n"
			   "client: SYN-SENT>ESTAB\n"
			   "server: CLOSED>ESTAB\n"
			   "client: ESTAB>FIN-WAIT-1\n"
			   "server: ESTAB>CLOSE-WAIT\n"
			   "client: FIN-WAIT-1>FIN-WAIT-2\n"
			   "server: CLOSE-WAIT>LAST-ACK\n"
			   "client: FIN-WAIT-2>TIME-WAIT\n"
			   "server: LAST-ACK>CLOSED\n");
	berth_stack_free(stack);
}

TEST(tcp_events, a_refusal_says_whose_port_it_was)
{
	struct berth_stack *stack = begin();
	int client = berth_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	connect_to(stack, client, 9);
	CHECK_EQ(refused, 1);
	CHECK_STR(history, "client: CLOSED>SYN-SENT\nclient: SYN-SENT>CLOSED\n");
	berth_stack_free(stack);
}
