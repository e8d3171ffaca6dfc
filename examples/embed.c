/* SPDX-License-Identifier: BSD-2-Clause */
/* Two hosts in one process: "web" answers, "you" asks by TCP. Time is a number that we turn. */
#include <berth/berth.h>
#include <stdio.h>
#include <string.h>

static berth_time now;

static void let_time_pass(struct berth_net *net)
{
	berth_net_advance(net, now += BERTH_MSEC);
}

static struct sockaddr_in address_of(struct berth_host *host, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct berth_ip ip = berth_host_ip4(host);

	memcpy(&address.sin_addr, ip.bytes + 12, 4); /* the last four of a mapped address */
	return address;
}

int main(void)
{
	struct berth_net *net = berth_net_new(&(struct berth_net_config){ .seed = 1 });
	struct berth_host *web, *you;
	char line[64] = "";

	if (!net || berth_net_add_host(net, "web", (struct berth_ip){ { 0 } }, NULL, &web) < 0 ||
	    berth_net_add_host(net, "you", (struct berth_ip){ { 0 } }, NULL, &you) < 0)
		return 1;
	struct berth_stack *server = berth_host_stack(web), *client = berth_host_stack(you);
	struct sockaddr_in there = address_of(web, 80);

	int listener = berth_socket(server, AF_INET, SOCK_STREAM, 0);
	berth_bind(server, listener, (struct sockaddr *)&there, sizeof(there));
	berth_listen(server, listener, 8);

	int asker = berth_socket(client, AF_INET, SOCK_STREAM, 0);
	berth_connect(client, asker, (struct sockaddr *)&there, sizeof(there)); /* EINPROGRESS: nothing blocks */
	let_time_pass(net);

	int answerer = berth_accept(server, listener, NULL, NULL, 0);
	berth_send(server, answerer, "Hello from port 80!\n", 20, 0);
	berth_close(server, answerer);
	let_time_pass(net);

	ssize_t length = berth_recv(client, asker, line, sizeof(line) - 1, 0);
	printf("%s", line);
	berth_net_free(net);
	return length == 20 ? 0 : 1;
}
