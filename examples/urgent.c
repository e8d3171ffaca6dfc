/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A protocol of one's own: "urgent", datagrams with a priority. The receiver
 * gets the most urgent message first, whatever order they came in; neither TCP
 * nor UDP can do that. It is written to the same interface as they are, so its
 * sockets bind, connect, poll and share out ports as any other's do.
 *
 * On the wire (IP protocol 253, RFC 3692 §2.1: for experiments):
 *
 *	source port (16) | destination port (16) | priority (16) | checksum (16) | message
 *
 * A sender sets a socket's priority with setsockopt(URGENT_PRIORITY).
 */
#include <berth/berth.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URGENT = 253, URGENT_PRIORITY = 1, HEADER = 8, MESSAGE_MAX = 1400, QUEUE_MAX = 64 };

struct message {
	struct message *next;
	struct berth_endpoint from;
	uint16_t priority;
	size_t length;
	uint8_t bytes[];
};

struct urgent_socket {
	struct message *queue; /* most urgent first; equals in order of arrival */
	unsigned queued;
	uint16_t priority; /* of what is sent */
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void urgent_destroy(struct berth_socket *socket)
{
	struct urgent_socket *urgent = berth_socket_state(socket);

	while (urgent->queue) {
		struct message *first = urgent->queue;

		urgent->queue = first->next;
		free(first);
	}
}

static void urgent_release(struct berth_socket *socket, bool abort)
{
	urgent_destroy(socket);
	berth_socket_done(socket);
}

static int urgent_connect(struct berth_socket *socket, const struct berth_endpoint *remote)
{
	return 0; /* no handshake: the socket layer keeps the peer's name */
}

static ssize_t urgent_send(struct berth_socket *socket, struct berth_message *message)
{
	const struct berth_endpoint *to = message->to ? message->to : berth_socket_remote(socket);
	struct berth_packet *packet;
	uint8_t *bytes;
	size_t length = 0;
	int r;

	for (size_t i = 0; i < message->part_count; i++)
		length += message->parts[i].iov_len;
	if (!to->port || !berth_socket_local(socket)->port)
		return to->port ? -EINVAL : -EDESTADDRREQ; /* bind() or connect() first */
	if (length > MESSAGE_MAX)
		return -EMSGSIZE;
	packet = berth_packet_new(berth_stack_packets(berth_socket_stack(socket)), 128, HEADER + length);
	if (!packet)
		return -ENOBUFS;
	bytes = berth_packet_put(packet, HEADER + length);
	put16(bytes, berth_socket_local(socket)->port);
	put16(bytes + 2, to->port);
	put16(bytes + 4, ((struct urgent_socket *)berth_socket_state(socket))->priority);
	put16(bytes + 6, 0);
	bytes += HEADER;
	for (size_t i = 0; i < message->part_count; bytes += message->parts[i++].iov_len)
		memcpy(bytes, message->parts[i].iov_base, message->parts[i].iov_len);
	r = berth_socket_output(socket, packet, to->ip, 6);
	return r < 0 ? r : (ssize_t)length;
}

static ssize_t urgent_receive(struct berth_socket *socket, struct berth_message *message)
{
	struct urgent_socket *urgent = berth_socket_state(socket);
	struct message *first = urgent->queue;
	size_t done = 0;

	if (!first)
		return -EAGAIN;
	for (size_t i = 0; i < message->part_count && done < first->length; i++) {
		size_t piece = message->parts[i].iov_len;

		piece = piece < first->length - done ? piece : first->length - done;
		memcpy(message->parts[i].iov_base, first->bytes + done, piece);
		done += piece;
	}
	message->from = first->from;
	message->control_length = 0;
	message->flags = done < first->length ? MSG_TRUNC : 0;
	urgent->queue = first->next;
	urgent->queued--;
	free(first);
	return (ssize_t)done;
}

static int urgent_setsockopt(struct berth_socket *socket, int option, const void *value, socklen_t length)
{
	int priority;

	if (option != URGENT_PRIORITY)
		return -ENOPROTOOPT;
	if (length < sizeof(priority))
		return -EINVAL;
	memcpy(&priority, value, sizeof(priority));
	if (priority < 0 || priority > 65535)
		return -EINVAL;
	((struct urgent_socket *)berth_socket_state(socket))->priority = (uint16_t)priority;
	return 0;
}

static unsigned urgent_readiness(struct berth_socket *socket)
{
	struct urgent_socket *urgent = berth_socket_state(socket);

	return BERTH_POLLOUT | (urgent->queue ? BERTH_POLLIN : 0);
}

static void enqueue(struct urgent_socket *urgent, struct message *message)
{
	struct message **place = &urgent->queue;

	while (*place && (*place)->priority >= message->priority)
		place = &(*place)->next;
	message->next = *place;
	*place = message;
	urgent->queued++;
}

static void urgent_input(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info)
{
	const uint8_t *bytes = berth_packet_data(packet);
	size_t length = berth_packet_length(packet);
	struct berth_socket *socket = NULL;
	struct berth_endpoint local, remote;
	struct message *message;

	if (length < HEADER || !berth_checksum_ok(packet, info)) {
		berth_packet_unref(packet);
		return;
	}
	local = (struct berth_endpoint){ info->destination, get16(bytes + 2) };
	remote = (struct berth_endpoint){ info->source, get16(bytes) };
	socket = berth_socket_lookup(stack, URGENT, &local, &remote, info->link);
	message = socket ? malloc(sizeof(*message) + length - HEADER) : NULL;
	if (message && ((struct urgent_socket *)berth_socket_state(socket))->queued < QUEUE_MAX) {
		message->from = remote;
		message->priority = get16(bytes + 4);
		message->length = length - HEADER;
		memcpy(message->bytes, bytes + HEADER, message->length);
		enqueue(berth_socket_state(socket), message);
		berth_socket_notify(socket);
	} else {
		free(message);
	}
	if (!socket)
		berth_refuse(stack, packet, info);
	berth_packet_unref(packet);
}

static const struct berth_protocol urgent_protocol = {
	.name = "urgent",
	.number = URGENT,
	.type = SOCK_DGRAM,
	.state_size = sizeof(struct urgent_socket),
	.release = urgent_release,
	.destroy = urgent_destroy,
	.connect = urgent_connect,
	.send = urgent_send,
	.receive = urgent_receive,
	.setsockopt = urgent_setsockopt,
	.readiness = urgent_readiness,
	.input = urgent_input,
};

/* What the stack does for every protocol: its ports conflict, have holders, and sockets are polled. */
static int check_socket(struct berth_stack *stack, int fd, const struct sockaddr_in *there)
{
	int second = berth_socket(stack, AF_INET, SOCK_DGRAM, URGENT), holder = -1;
	struct berth_ready ready;

	if (berth_bind(stack, second, (const struct sockaddr *)there, sizeof(*there)) == 0 || errno != EADDRINUSE)
		return -1;
	if (berth_port_holders(stack, URGENT, ntohs(there->sin_port), &holder, 1) != 1 || holder != fd)
		return -1;
	berth_close(stack, second);
	while (berth_poll(stack, &ready, 1) == 1)
		if (ready.fd == fd && ready.events & BERTH_POLLIN)
			return 0;
	return -1;
}

static int say(struct berth_stack *stack, int fd, int priority, const char *text)
{
	if (berth_setsockopt(stack, fd, URGENT, URGENT_PRIORITY, &priority, sizeof(priority)) < 0)
		return -1;
	return berth_send(stack, fd, text, strlen(text), 0) < 0 ? -1 : 0;
}

int main(void)
{
	struct berth_net *net = berth_net_new(&(struct berth_net_config){ .seed = 1 });
	struct berth_host *bridge, *engine;
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(1912) };
	char text[64];
	ssize_t length;

	if (!net || berth_net_add_host(net, "bridge", (struct berth_ip){ { 0 } }, NULL, &bridge) < 0 ||
	    berth_net_add_host(net, "engine", (struct berth_ip){ { 0 } }, NULL, &engine) < 0)
		return 1;
	struct berth_stack *from = berth_host_stack(bridge), *to = berth_host_stack(engine);
	struct berth_ip ip = berth_host_ip4(engine);

	if (berth_protocol_register(from, &urgent_protocol) < 0 || berth_protocol_register(to, &urgent_protocol) < 0)
		return 1;
	memcpy(&there.sin_addr, ip.bytes + 12, 4);
	int receiver = berth_socket(to, AF_INET, SOCK_DGRAM, URGENT);
	int sender = berth_socket(from, AF_INET, SOCK_DGRAM, URGENT);
	if (berth_bind(to, receiver, (struct sockaddr *)&there, sizeof(there)) < 0 ||
	    berth_connect(from, sender, (struct sockaddr *)&there, sizeof(there)) < 0 ||
	    say(from, sender, 1, "dinner is served") < 0 || say(from, sender, 900, "full astern") < 0 ||
	    say(from, sender, 20, "fog ahead") < 0)
		return 1;
	berth_net_advance(net, BERTH_MSEC);
	if (check_socket(to, receiver, &there) < 0)
		return 1;
	while ((length = berth_recv(to, receiver, text, sizeof(text), 0)) >= 0)
		printf("%.*s\n", (int)length, text);
	berth_net_free(net);
	return errno == EAGAIN ? 0 : 1;
}
