/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP as Debian builds it, through its raw API, used as measure_berth.c uses
 * libberth: both ends in one thread on a cable of memory. There is one lwIP in
 * a process, so its two ends are two interfaces, and connections are bound to
 * theirs. A frame is copied once on the way: lwIP's receiver takes the headers
 * off what the sender may have to send again. Its checksums are always on.
 */
#include "measure.h"

#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 80, PIECE = 64 * 1024, FRAMES = 4096 };

/* One end of a connection. */
struct end {
	struct tcp_pcb *pcb;
	size_t got;
	bool connected;
};

static struct netif cards[2];
static struct pbuf *cable[FRAMES]; /* a ring, in order */
static struct netif *bound_for[FRAMES];
static unsigned head, tail;
static struct end *accepting; /* what the next connection that is accepted becomes */
static uint8_t out[1 << 20], in[PIECE];
static unsigned loss_permyriad;
static uint64_t random_state = 88172645463325252u;
static double next_tick;

static err_t transmit(struct netif *netif, struct pbuf *packet, const ip4_addr_t *next_hop)
{
	struct pbuf *copy;

	if ((loss_permyriad && xorshift(&random_state) % 10000 < loss_permyriad) || tail - head == FRAMES)
		return ERR_OK;
	copy = pbuf_alloc(PBUF_RAW, packet->tot_len, PBUF_RAM);
	pbuf_copy(copy, packet);
	bound_for[tail % FRAMES] = netif == &cards[0] ? &cards[1] : &cards[0];
	cable[tail++ % FRAMES] = copy;
	return ERR_OK;
}

static err_t card_init(struct netif *netif)
{
	netif->name[0] = 'b';
	netif->name[1] = 'e';
	netif->mtu = 1500;
	netif->output = transmit;
	netif->flags |= NETIF_FLAG_LINK_UP;
	return ERR_OK;
}

/* Carry frames until none is left, and let lwIP's timers run four times a second. */
static void carry(void)
{
	double now;

	while (head != tail) {
		struct netif *netif = bound_for[head % FRAMES];

		netif->input(cable[head++ % FRAMES], netif);
	}
	now = clock_seconds();
	if (now >= next_tick) {
		next_tick = now + TCP_TMR_INTERVAL / 1e3;
		tcp_tmr();
	}
}

static err_t received(void *context, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
	struct end *end = context;

	if (!packet)
		return ERR_OK;
	for (u16_t at = 0; at < packet->tot_len;)
		at = (u16_t)(at + pbuf_copy_partial(packet, in, sizeof(in) - 1, at)); /* out, as recv() would */
	end->got += packet->tot_len;
	tcp_recved(pcb, packet->tot_len);
	pbuf_free(packet);
	return ERR_OK;
}

static void gone(void *context, err_t error)
{
	struct end *end = context;

	if (end)
		end->pcb = NULL;
}

static void take(struct end *end, struct tcp_pcb *pcb)
{
	end->pcb = pcb;
	end->connected = true;
	tcp_arg(pcb, end);
	tcp_recv(pcb, received);
	tcp_err(pcb, gone);
	tcp_nagle_disable(pcb);
}

static err_t accepted(void *context, struct tcp_pcb *pcb, err_t error)
{
	if (error != ERR_OK || !accepting)
		return ERR_VAL;
	take(accepting, pcb);
	return ERR_OK;
}

static err_t connected(void *context, struct tcp_pcb *pcb, err_t error)
{
	take(context, pcb);
	return ERR_OK;
}

static void begin(void)
{
	ip4_addr_t address, mask;

	lwip_init();
	loss_permyriad = 0;
	IP4_ADDR(&mask, 255, 255, 255, 0);
	for (int side = 0; side < 2; side++) {
		IP4_ADDR(&address, 10, 0, 0, side + 1);
		netif_add(&cards[side], &address, &mask, IP4_ADDR_ANY4, NULL, card_init, ip_input);
		netif_set_up(&cards[side]);
	}
}

static void listen_at(uint16_t port)
{
	struct tcp_pcb *pcb = tcp_new();

	tcp_bind_netif(pcb, &cards[1]);
	if (tcp_bind(pcb, netif_ip_addr4(&cards[1]), port) != ERR_OK)
		fail("tcp_bind");
	pcb = tcp_listen_with_backlog(pcb, 8);
	tcp_accept(pcb, accepted);
}

static void join(struct end *client, struct end *server, uint16_t port)
{
	*client = *server = (struct end){ NULL, 0, false };
	client->pcb = tcp_new();
	if (!client->pcb)
		fail("tcp_new");
	tcp_bind_netif(client->pcb, &cards[0]);
	tcp_arg(client->pcb, client);
	accepting = server;
	if (tcp_bind(client->pcb, netif_ip_addr4(&cards[0]), 0) != ERR_OK ||
	    tcp_connect(client->pcb, netif_ip_addr4(&cards[1]), port, connected) != ERR_OK)
		fail("tcp_connect");
	carry();
	if (!client->connected || !server->connected)
		fail("lwIP's handshake");
}

/* Up to size bytes, as many as its buffer takes. */
static size_t put(struct end *end, size_t size)
{
	size_t room = tcp_sndbuf(end->pcb), now = size < room ? size : room;

	if (now > 65535)
		now = 65535;
	if (!now || tcp_write(end->pcb, out, (u16_t)now, TCP_WRITE_FLAG_COPY) != ERR_OK)
		now = 0;
	tcp_output(end->pcb);
	return now;
}

static double bulk(void)
{
	struct end client, server;
	struct stint stint;

	begin();
	listen_at(PORT);
	join(&client, &server, PORT);
	loss_permyriad = (unsigned)(argument("loss", 0) * 100);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 16; i++) {
			put(&client, PIECE);
			carry();
		}
	return (double)server.got * 8 / stint.seconds / 1e9;
}

static double message(void)
{
	size_t size = (size_t)argument("size", 1);
	struct end client, server;
	uint64_t count = 0;
	struct stint stint;

	begin();
	listen_at(PORT);
	join(&client, &server, PORT);
	for (stint = stint_begin(); stint_goes_on(&stint); count++) {
		server.got = 0;
		for (size_t sent = 0; server.got < size;) {
			sent += put(&client, size - sent);
			carry();
		}
	}
	return stint.seconds / (double)count * 1e6;
}

/* reset=1: by RST; else by FIN, with no more than a hundred left in TIME-WAIT, and time_waits= of them before. */
static double connects(void)
{
	bool reset = argument("reset", 0) != 0;
	unsigned waiting = (unsigned)argument("time_waits", 0);
	struct end client, server;
	uint64_t count = 0;
	struct stint stint;

	begin();
	listen_at(PORT);
	for (stint = stint_begin(); stint_goes_on(&stint);) {
		for (int i = 0; i < 100; i++, count++) {
			join(&client, &server, PORT);
			if (reset)
				tcp_abort(server.pcb);
			else
				tcp_close(server.pcb);
			carry();
			if (client.pcb)
				tcp_close(client.pcb);
			carry();
		}
		while (!waiting && tcp_tw_pcbs)
			tcp_abort(tcp_tw_pcbs);
	}
	return (double)count / stint.seconds;
}

static double echo(void)
{
	enum { A_PORT = 10000 };
	unsigned connections = (unsigned)argument("connections", 1);
	struct end *clients = calloc(connections, sizeof(*clients)), *servers = calloc(connections, sizeof(*servers));
	uint64_t count = 0;
	struct stint stint;

	begin();
	for (unsigned i = 0; i < connections; i++) {
		if (i % A_PORT == 0)
			listen_at((uint16_t)(PORT + i / A_PORT));
		join(&clients[i], &servers[i], (uint16_t)(PORT + i / A_PORT));
	}
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 100; i++, count++) {
			unsigned which = (unsigned)(xorshift(&random_state) % connections);

			put(&clients[which], 1);
			carry();
			put(&servers[which], 1);
			carry();
			if (clients[which].got == 0)
				fail("lwIP's echo");
			clients[which].got = servers[which].got = 0;
		}
	return stint.seconds / (double)count * 1e6;
}

int main(int argc, char **argv)
{
	static const struct measure measures[] = {
		{ "bulk", "Gbit/s", bulk },
		{ "message", "us", message },
		{ "connects", "1/s", connects },
		{ "echo", "us", echo },
		{ 0 },
	};

	return measure_main(argc, argv, measures);
}
