/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets come, get a descriptor, and go. A socket is in stack->sockets.all
 * from birth to death; with a descriptor it is in the table as well.
 */
#include "core/socket/socket.h"

#include "core/group/group.h"

#include <errno.h>

static void options_init(struct socket_options *options)
{
	options->linger_seconds = -1;
	options->max_pacing_rate = UINT64_MAX;
	options->receive_low_water = 1;
	options->mtu_discover = IP_PMTUDISC_WANT;
	options->multicast_ttl4 = options->multicast_ttl6 = 1;
	options->multicast_loop4 = options->multicast_loop6 = true;
	options->multicast_all4 = options->multicast_all6 = true;
}

int socket_table_init(struct berth_stack *stack)
{
	struct socket_options *options;

	list_init(&stack->sockets.all);
	list_init(&stack->sockets.ready);
	list_init(&stack->sockets.later);
	options = share_init(&stack->sockets.options, stack->allocator, sizeof(*options));
	if (!options)
		return -ENOMEM;
	options_init(options);
	return 0;
}

static void socket_free(struct berth_socket *socket)
{
	share_unref(&socket->stack->sockets.options, socket->options);
	ip_path_drop(socket->stack, socket->path);
	stack_free(socket->stack, socket, socket_size(socket->protocol));
}

static void socket_delete(struct berth_socket *socket)
{
	struct berth_stack *stack = socket->stack;

	socket_uninstall(socket);
	group_socket_fini(socket);
	demux_remove(stack, &socket->demux);
	port_release(stack, &socket->claim);
	list_remove(&socket->ready_node);
	list_remove(&socket->later_node);
	list_remove(&socket->node);
	stack->sockets.count--;
	socket->doomed = true;
	if (!socket->calls)
		socket_free(socket);
}

struct berth_socket *socket_enter(struct berth_stack *stack, int fd)
{
	struct berth_socket *socket = socket_get(stack, fd);

	if (socket)
		socket->calls++;
	return socket;
}

ssize_t socket_leave(struct berth_socket *socket, ssize_t r)
{
	if (!--socket->calls && socket->doomed)
		socket_free(socket);
	return r;
}

void socket_table_fini(struct berth_stack *stack)
{
	/* First every protocol lets go, while all sockets still stand; then the memory goes. */
	LIST_EACH(&stack->sockets.all, node) {
		struct berth_socket *socket = LIST_ITEM(node, struct berth_socket, node);

		if (socket->protocol->destroy)
			socket->protocol->destroy(socket);
	}
	LIST_EACH_SAFE(&stack->sockets.all, node)
		socket_delete(LIST_ITEM(node, struct berth_socket, node));
	stack_free(stack, stack->sockets.slots, stack->sockets.room * sizeof(struct berth_socket *));
	stack->sockets.slots = NULL;
	stack->sockets.room = 0;
	share_fini(&stack->sockets.options);
}

struct berth_socket *socket_get(struct berth_stack *stack, int fd)
{
	if (fd < 0 || (size_t)fd >= stack->sockets.room)
		return NULL;
	return stack->sockets.slots[fd];
}

static int table_grow(struct socket_table *table, struct berth_stack *stack)
{
	size_t room = table->room ? table->room * 2 : 16;
	struct berth_socket **slots =
		memory_grow(stack->allocator, table->slots, table->room * sizeof(*slots), room * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	memset(slots + table->room, 0, (room - table->room) * sizeof(struct berth_socket *));
	table->slots = slots;
	table->room = room;
	return 0;
}

int socket_install(struct berth_socket *socket)
{
	struct berth_stack *stack = socket->stack;
	struct socket_table *table = &stack->sockets;
	size_t fd = table->lowest_free;

	while (fd < table->room && table->slots[fd])
		fd++;
	if (fd >= stack->limits.sockets)
		return -EMFILE;
	if (fd >= table->room && table_grow(table, stack) < 0)
		return -ENOMEM;
	table->slots[fd] = socket;
	table->lowest_free = fd + 1;
	socket->fd = (int)fd;
	return 0;
}

void socket_uninstall(struct berth_socket *socket)
{
	struct socket_table *table = &socket->stack->sockets;

	if (socket->fd < 0)
		return;
	table->slots[socket->fd] = NULL;
	table->lowest_free = MIN(table->lowest_free, (size_t)socket->fd);
	socket->fd = -1;
	list_remove(&socket->ready_node);
}

int socket_new(struct berth_stack *stack, const struct berth_protocol *protocol, uint8_t number, int family,
	       struct berth_socket **ret_socket)
{
	struct berth_socket *socket;
	int r;

	if (stack->sockets.count >= 2 * (size_t)stack->limits.sockets)
		return -ENOMEM; /* as many again may be ending or waiting to be accepted */
	socket = stack_alloc(stack, socket_size(protocol));
	if (!socket)
		return -ENOMEM;
	socket->stack = stack;
	socket->protocol = protocol;
	socket->path = &ip_path_none;
	socket->family = (uint8_t)family;
	socket->fd = -1;
	socket->demux.protocol = socket->claim.protocol = number;
	socket->claim.of_socket = true;
	socket->claim.datagram = protocol->type == SOCK_DGRAM;
	list_init(&socket->claim.node);
	list_init(&socket->ready_node);
	list_init(&socket->later_node);
	socket->options = share_ref(&stack->sockets.options, NULL);
	socket->send_buffer = stack->limits.send_buffer;
	socket->receive_buffer = stack->limits.receive_buffer;
	list_append(&stack->sockets.all, &socket->node);
	stack->sockets.count++;
	r = protocol->open ? protocol->open(socket) : 0;
	if (r < 0) {
		socket_delete(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}

void berth_socket_done(struct berth_socket *socket)
{
	socket_delete(socket);
}

int berth_socket_spawn(struct berth_socket *listener, const struct berth_endpoint *local,
		       const struct berth_endpoint *remote, struct berth_socket **ret_socket)
{
	struct berth_stack *stack = listener->stack;
	struct berth_socket *socket;
	int r = socket_new(stack, listener->protocol, listener->protocol->number, listener->family, &socket);

	if (r < 0)
		return r;
	share_unref(&stack->sockets.options, socket->options);
	socket->options = share_ref(&stack->sockets.options, listener->options);
	socket->send_buffer = listener->send_buffer;
	socket->receive_buffer = listener->receive_buffer;
	socket->bound_link = listener->bound_link;
	socket->bound_to = BOUND_LOCAL;
	socket->bound = true;
	socket->state = SOCKET_CONNECTED;
	socket->demux.local = *local;
	socket->demux.remote = *remote;
	socket->claim = listener->claim;
	socket->claim.listening = false;
	socket->claim.ip = local->ip;
	socket->claim.families = connection_families(socket, socket_bound_ip(listener), local->ip);
	r = port_claim_share(stack, &socket->claim);
	if (r >= 0)
		r = demux_add(stack, &socket->demux);
	if (r < 0) {
		if (socket->protocol->destroy)
			socket->protocol->destroy(socket);
		socket_delete(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}

void socket_forget_link(struct berth_stack *stack, struct berth_link *link)
{
	LIST_EACH(&stack->sockets.all, node) {
		struct berth_socket *socket = LIST_ITEM(node, struct berth_socket, node);

		if (socket->bound_link == link)
			socket->bound_link = NULL; /* its claim keeps the index, which matches nothing now */
		if (socket->path->link == link)
			socket_path_forget(socket);
	}
}
