/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls that are a question to the daemon and little more. */
#include "run/supervisor.h"

#include "control/shim.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

void call_message(const struct call *call, struct channel_message *message, uint32_t type)
{
	const struct descriptor *descriptor = &call->descriptor;

	/* Whatever else is done to the socket: where it may send to is looked at anew. */
	if (type == CHANNEL_BIND || type == CHANNEL_CONNECT || type == CHANNEL_SETSOCKOPT || type == CHANNEL_SHUTDOWN)
		hint_sent(call->supervisor, descriptor->id, 0);
	*message = (struct channel_message){ .type = type,
					     .flags = descriptor->flags,
					     .id = descriptor->id,
					     .domain = (uint16_t)descriptor->domain,
					     .kind = (uint16_t)descriptor->type,
					     .protocol = (uint16_t)descriptor->protocol,
					     .pid = call->tid };
	if (descriptor->type == SOCK_STREAM && !descriptor->carried) {
		message->flags |= CHANNEL_NEW;
		/* From here on the daemon knows it, and its shim is not to connect it. */
		if (call->supervisor->shim && type != CHANNEL_TICKETS)
			descriptor_mark(descriptor->fd, SHIM_MARK_TOLD, true);
		call_command(call, message->command);
	}
}

/* Not 0. */
uint64_t call_address_hash(const struct channel_message *message)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a: a program that forges its own gains nothing */

	for (size_t i = 0; i < message->address_length; i++)
		hash = (hash ^ message->address[i]) * 0x100000001b3;
	return hash | 1;
}

int call_ask(struct call *call, struct channel_message *message, const void *payload, size_t length, void *reply,
	     size_t room)
{
	struct iovec part = { (void *)payload, length };

	return line_ask(call->supervisor, line_of(call->supervisor, message->id), message, &part, length ? 1 : 0, reply,
			room);
}

int64_t handle_bind(struct call *call)
{
	struct sockaddr_storage address;
	struct channel_message message;
	int r = memory_read_address(call, call->args[1], (int64_t)call->args[2], &address);

	if (r)
		return r;
	holders_sweep(call->supervisor, true);
	call_message(call, &message, CHANNEL_BIND);
	message.address_length = (uint16_t)MIN((int)call->args[2], CHANNEL_ADDRESS_MAX);
	memcpy(message.address, &address, message.address_length);
	return call_ask(call, &message, NULL, 0, NULL, 0);
}

int64_t handle_listen(struct call *call)
{
	struct channel_message message;
	int r;

	holders_sweep(call->supervisor, true);
	call_message(call, &message, CHANNEL_LISTEN);
	message.value = (int)call->args[1];
	r = call_ask(call, &message, NULL, 0, NULL, 0);
	if (!r && listen(call->descriptor.fd, (int)call->args[1]) < 0)
		r = -errno;
	return r;
}

int64_t handle_getsockname(struct call *call)
{
	struct channel_message message;
	int r;

	call_message(call, &message, CHANNEL_GETSOCKNAME);
	r = call_ask(call, &message, NULL, 0, NULL, 0);
	if (r < 0)
		return r;
	return memory_write_address(call, call->args[1], call->args[2], message.address, message.address_length);
}

socklen_t accepted_address(const struct name *name, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->ss_family = name->family;
	if (name->family == AF_INET6) {
		in6->sin6_port = htons(name->port);
		memcpy(&in6->sin6_addr, name->ip.bytes, 16);
		return sizeof(*in6);
	}
	in->sin_port = htons(name->port);
	memcpy(&in->sin_addr, name->ip.bytes + 12, 4);
	return sizeof(*in);
}

int64_t handle_getpeername(struct call *call)
{
	struct channel_message message;
	int r;

	/* Asked of the daemon even where the name says it: the connection may be over (ENOTCONN). */
	call_message(call, &message, CHANNEL_GETPEERNAME);
	r = call_ask(call, &message, NULL, 0, NULL, 0);
	if (r < 0)
		return r;
	return memory_write_address(call, call->args[1], call->args[2], message.address, message.address_length);
}

int64_t handle_shutdown(struct call *call)
{
	int how = (int)call->args[1], fd = call->descriptor.fd, r;
	struct channel_message message;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	call_message(call, &message, CHANNEL_SHUTDOWN);
	message.value = how;
	r = call_ask(call, &message, NULL, 0, NULL, 0);
	if (call->descriptor.type != SOCK_STREAM) {
		/* Linux: wakes who reads even when it fails with ENOTCONN. Writing stays: the daemon refuses it. */
		if (how != SHUT_WR && (!r || r == -ENOTCONN))
			shutdown(fd, SHUT_RD);
		return r;
	}
	if (r)
		return r;
	/*
	 * Writing ends natively: what is in the buffer goes first, then FIN.
	 * Reading ends by the daemon's end saying so, because the peer's data is
	 * still to be taken. A listener's accept() ends with EINVAL. By express
	 * there is no daemon's end to say so: the kernel's is all there is, though
	 * the peer's writes fail after it.
	 */
	if (descriptor_listening(fd) || descriptor_express(&call->descriptor))
		shutdown(fd, how);
	else if (how != SHUT_RD)
		shutdown(fd, SHUT_WR);
	return 0;
}
