/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a supervisor asks about one socket, a function for each message of
 * channel.h. A socket that is not known (any more) is one whose conversation
 * is over: it can be asked about and shut, and has no peer.
 */
#include "base/ip.h"
#include "daemon/journal.h"
#include "daemon/record.h"
#include "daemon/rules.h"
#include "daemon/state.h"

#include <berth/inspect.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG_MAX = 4096, HOLDERS_MAX = 64 };

static const struct sockaddr *address_of(const struct request *request)
{
	return (const struct sockaddr *)request->message->address;
}

static void reply_address(struct request *request, const void *address, socklen_t length)
{
	request->reply.address_length = (uint16_t)MIN(length, CHANNEL_ADDRESS_MAX);
	memcpy(request->reply.address, address, request->reply.address_length);
}

/* End those holders of the address's port that no process has open any more. Returns whether there were any. */
static bool bury_holders(struct request *request)
{
	struct berth_endpoint wanted;
	int fds[HOLDERS_MAX];
	bool any = false;

	if (!address_read(address_of(request), request->message->address_length, &wanted))
		return false;
	int count = berth_port_holders(request->host->stack, (uint8_t)request->plug->protocol, wanted.port, fds,
				       HOLDERS_MAX);
	for (int i = 0; i < MIN(count, HOLDERS_MAX); i++) {
		struct plug *holder = plug_of_fd(request->host, fds[i]);
		if (!holder || holder == request->plug)
			continue;
		if (plug_hear_closed(holder)) {
			any = true;
		} else if (!plug_is_alive(holder)) {
			plug_free(holder);
			any = true;
		}
	}
	return any;
}

static int32_t bind_netlink(struct request *request)
{
	const struct sockaddr_nl *address = (const struct sockaddr_nl *)request->message->address;

	if (request->message->address_length < sizeof(*address) || address->nl_family != AF_NETLINK)
		return -EINVAL;
	if (address->nl_pid)
		request->plug->netlink_port = address->nl_pid;
	else
		netlink_request(request->plug, NULL, 0); /* picks one */
	return 0;
}

static int32_t call_bind(struct request *request)
{
	struct plug *plug = request->plug;
	struct berth_stack *stack;
	const struct sockaddr *address = address_of(request);
	socklen_t length = request->message->address_length;

	if (plug->role == &role_netlink)
		return bind_netlink(request);
	stack = plug->host->stack;
	if (!berth_bind(stack, plug->fd, address, length))
		return 0;
	if (errno != EADDRINUSE || !bury_holders(request))
		return -errno;
	return berth_bind(stack, plug->fd, address, length) ? -errno : 0;
}

static int32_t call_listen(struct request *request)
{
	struct plug *plug = request->plug;
	int backlog = request->message->value;

	if (plug->fd < 0)
		return -EOPNOTSUPP;
	/* Linux: somaxconn's default; the program's own backlog is the Unix listener's. */
	if (backlog < 0 || backlog > BACKLOG_MAX)
		backlog = BACKLOG_MAX;
	if (plug->express)
		return -EINVAL;
	int r = berth_listen(plug->host->stack, plug->fd, backlog) ? -errno : 0;
	if (r == -EADDRINUSE) { /* it may have been bound beside one that has died since */
		plugs_sweep(plug->host);
		r = berth_listen(plug->host->stack, plug->fd, backlog) ? -errno : 0;
	}
	if (!r) {
		plug->role = &role_listener;
		plug->backlog = backlog;
		list_remove(&plug->listening); /* it may listen already */
		list_append(&plug->host->listeners, &plug->listening);
	}
	return r;
}

static int32_t disconnect(struct plug *plug, const struct sockaddr *address, socklen_t length)
{
	int r = berth_connect(plug->host->stack, plug->fd, address, length) ? -errno : 0;

	if (!r && plug->role == &role_stream) {
		plug->role = &role_idle;
		plug->connecting = plug->established = false;
	}
	plug->express = false;
	plug->shown.port = 0;
	return r;
}

static int32_t connect_datagram(struct plug *plug, const struct sockaddr *address, socklen_t length)
{
	struct berth_endpoint to = { .port = 0 }, real;
	struct sockaddr_storage inside;
	bool outside = false;

	if (address_read(address, length, &to)) {
		int r;
		real = to;
		r = outbound_datagram(plug, &to);
		if (r < 0)
			return r;
		outside = to.port != real.port || !ip_equal(to.ip, real.ip);
	}
	if (outside) {
		length = address_write(&to, plug->domain, &inside);
		address = (struct sockaddr *)&inside;
	}
	if (berth_connect(plug->host->stack, plug->fd, address, length))
		return -errno;
	plug->shown = outside ? real : (struct berth_endpoint){ .port = 0 };
	return 0;
}

static int32_t connect_stream(struct request *request, const struct sockaddr *address, socklen_t length)
{
	struct plug *plug = request->plug;
	struct berth_endpoint to;
	int32_t r;

	stream_refusal_over(plug);
	plug->connect_quiet = request->message->flags & CHANNEL_QUIET;
	if (plug->role == &role_listener)
		return -EISCONN;
	if (plug->role == &role_idle && address_read(address, length, &to) &&
	    (plug->domain == address->sa_family || ip_is4(to.ip))) {
		r = outbound_connect(request, &to);
		if (r != 1)
			return r;
	}
	return stream_connect(request, address, length);
}

static int32_t call_connect(struct request *request)
{
	struct plug *plug = request->plug;
	const struct sockaddr *address = address_of(request);
	socklen_t length = request->message->address_length;

	if (plug->role == &role_netlink)
		return 0;
	if (length < sizeof(address->sa_family))
		return -EINVAL;
	if (address->sa_family == AF_UNSPEC)
		return disconnect(plug, address, length);
	if (plug->kind == SOCK_STREAM) {
		int32_t r = connect_stream(request, address, length);
		if (plug->connect_quiet && r)
			stream_connect_quietly(plug, r);
		if (!r && request->message->value == CONNECT_ROW && !plug->connect_quiet)
			request->reply.value = listener_room(request->daemon, request->host, address, length);
		return r;
	}
	if (plug->lent) {
		request->reply.flags |= CHANNEL_LENT;
		return -EAGAIN;
	}
	return connect_datagram(plug, address, length);
}

static int32_t call_attach(struct request *request)
{
	if (request->plug && request->message->value > 0)
		request->plug->filler = (uint32_t)request->message->value;
	return 0;
}

static int32_t name_unknown(struct request *request, bool remote)
{
	struct berth_endpoint zero = { .port = 0 };
	struct sockaddr_storage address;
	socklen_t length;

	if (remote)
		return -ENOTCONN;
	zero.ip = ip_from_u32(0);
	length = address_write(&zero, AF_INET, &address);
	reply_address(request, &address, length);
	return 0;
}

static int32_t get_name(struct request *request, bool remote)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (request->message->flags & CHANNEL_PEER_ID && (remote || request->plug) && !express_accepted(request))
		return -ENOTCONN;
	struct plug *plug = request->plug;
	if (!plug)
		return name_unknown(request, remote);
	if (plug->express) {
		reply_address(request, &address, express_name(request, remote, &address));
		return 0;
	}
	if (plug->role == &role_netlink) {
		struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = remote ? 0 : plug->netlink_port };
		reply_address(request, &nl, sizeof(nl));
		return 0;
	}
	if (remote && plug->role == &role_stream && plug->established && stream_is_over(request))
		return -ENOTCONN;
	int r = remote ? berth_getpeername(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length)
		       : berth_getsockname(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length);
	if (r < 0)
		return -errno;
	if (remote && plug->shown.port)
		length = address_write(&plug->shown, plug->domain, &address);
	reply_address(request, &address, length);
	return 0;
}

static int32_t call_getsockname(struct request *request)
{
	return get_name(request, false);
}

static int32_t call_getpeername(struct request *request)
{
	return get_name(request, true);
}

/* The plug whose stack socket answers for options; an express acceptor's is its listener's. */
static struct plug *options_plug(struct request *request)
{
	struct plug *plug = request->plug;

	if (plug && plug->express && request->message->flags & CHANNEL_PEER_ID)
		plug = plug_find(request->daemon, plug->express_listener);
	return plug;
}

static int32_t call_setsockopt(struct request *request)
{
	struct plug *plug = options_plug(request);
	const struct channel_message *message = request->message;

	if (!plug || plug != request->plug || plug->fd < 0)
		return 0; /* over, or express: nothing that it could change */
	if (datagram_setsockopt(request) == 0)
		return 0;
	if (berth_setsockopt(plug->host->stack, plug->fd, message->level, message->option, request->payload,
			     (socklen_t)request->payload_length) < 0)
		return -errno;
	if (message->level == SOL_SOCKET && message->option == SO_RCVLOWAT && plug->kind == SOCK_STREAM) {
		int low;

		memcpy(&low, request->payload, sizeof(low));
		stream_low_water(plug, low);
	}
	/* What is received waits in the program's own socket last: the limit holds there, too. */
	if (message->level == SOL_SOCKET && message->option == SO_RCVBUF && plug->kind == SOCK_STREAM) {
		memcpy(&plug->receive_buffer, request->payload, sizeof(int));
		plug->receive_buffer = MAX(plug->receive_buffer, 1);
		if (plug->end >= 0)
			plug_tune_end(plug, plug->end);
	}
	return 0;
}

static int32_t get_own_error(struct request *request, struct plug *plug)
{
	int error = 0;

	if (plug) {
		error = plug->error ? plug->error : plug_take_error(plug);
		plug->error = 0;
	}
	request->reply.payload_length = sizeof(error);
	memcpy(request->reply_payload, &error, sizeof(error));
	return 0;
}

static int32_t call_getsockopt(struct request *request)
{
	struct plug *plug = options_plug(request);
	const struct channel_message *message = request->message;
	socklen_t length = (socklen_t)MIN(MAX(message->value, 0), CHANNEL_PAYLOAD_MAX);

	if (message->level == SOL_SOCKET && message->option == SO_ERROR)
		return get_own_error(request, plug == request->plug ? plug : NULL);
	if (!plug || plug->fd < 0) {
		request->reply.payload_length = (uint32_t)MIN(length, sizeof(int));
		memset(request->reply_payload, 0, sizeof(int));
		return 0;
	}
	if (datagram_getsockopt(request) == 0)
		return 0;
	if (berth_getsockopt(plug->host->stack, plug->fd, message->level, message->option, request->reply_payload,
			     &length) < 0)
		return -errno;
	/* The stack's socket holds the port only: of an express conversation it knows no state. */
	if (request->plug->express && message->level == IPPROTO_TCP && message->option == TCP_INFO && length)
		request->reply_payload[offsetof(struct tcp_info, tcpi_state)] = TCP_ESTABLISHED;
	request->reply.payload_length = length;
	return 0;
}

static int32_t call_shutdown(struct request *request)
{
	struct plug *plug = request->plug;
	int how = request->message->value;

	if (!plug)
		return -ENOTCONN;
	if (plug->express)
		return 0;
	if (plug->fd < 0)
		return -EOPNOTSUPP;
	if (plug->role == &role_listener && how != SHUT_WR) { /* Linux: stops listening */
		int r = berth_shutdown(plug->host->stack, plug->fd, how) ? -errno : 0;
		plug->role = &role_idle;
		return r;
	}
	plug->shut = true;
	/* What the program wrote before comes first; the native shutdown is seen at the end of it. */
	if (plug->role == &role_stream && plug->established && how != SHUT_RD)
		how = how == SHUT_RDWR ? SHUT_RD : -1;
	if (how < 0)
		return 0;
	return berth_shutdown(plug->host->stack, plug->fd, how) ? -errno : 0;
}

static int32_t call_sendto(struct request *request)
{
	const struct channel_message *message = request->message;
	struct plug *plug = request->plug;
	size_t control = message->control_length;

	if (control > request->payload_length)
		return -EINVAL;
	const uint8_t *data = request->payload + control;
	size_t length = request->payload_length - control;
	if (plug->role == &role_netlink)
		return netlink_request(plug, data, length);
	_Alignas(struct cmsghdr) uint8_t copy[1024];
	if (control > sizeof(copy))
		return -ENOBUFS;
	memcpy(copy, request->payload, control);
	struct iovec part = { .iov_base = (void *)data, .iov_len = length };
	struct msghdr out = {
		.msg_name = message->address_length ? (void *)message->address : NULL,
		.msg_namelen = message->address_length,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control ? copy : NULL,
		.msg_controllen = control,
	};
	struct berth_endpoint to;
	struct sockaddr_storage inside;
	bool outside = false;
	if (out.msg_name && address_read(out.msg_name, out.msg_namelen, &to)) {
		struct berth_endpoint real = to;
		int r = outbound_datagram(plug, &to);
		if (r < 0)
			return r;
		outside = to.port != real.port || !ip_equal(to.ip, real.ip);
	}
	if (outside) {
		out.msg_namelen = address_write(&to, plug->domain, &inside);
		out.msg_name = &inside;
	}
	ssize_t n = berth_sendmsg(plug->host->stack, plug->fd, &out, MSG_DONTWAIT | MSG_NOSIGNAL);
	int32_t r = n < 0 ? -errno : (int32_t)n;
	if (!(message->flags & CHANNEL_QUIET))
		return r;
	if (r < 0)
		datagram_failed(plug, -r);
	return CALL_ANSWERED;
}

static int32_t call_recverr(struct request *request)
{
	struct plug *plug = request->plug;
	_Alignas(struct cmsghdr) uint8_t control[512];
	struct sockaddr_storage address;
	struct iovec part = { .iov_base = request->daemon->scratch,
			      .iov_len = (size_t)MIN(MAX(request->message->value, 0), UINT16_MAX) };
	struct msghdr in = { .msg_name = &address,
			     .msg_namelen = sizeof(address),
			     .msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control) };

	if (plug->role != &role_datagram)
		return -EAGAIN;
	ssize_t n = berth_recvmsg(plug->host->stack, plug->fd, &in, MSG_ERRQUEUE | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	/* The stack keeps the next one's for SO_ERROR. */
	plug->error = 0;
	reply_address(request, &address, in.msg_namelen);
	memcpy(request->reply_payload, control, in.msg_controllen);
	memcpy(request->reply_payload + in.msg_controllen, request->daemon->scratch, (size_t)n);
	request->reply.control_length = (uint32_t)in.msg_controllen;
	request->reply.payload_length = (uint32_t)(in.msg_controllen + (size_t)n);
	request->reply.value = in.msg_flags & MSG_TRUNC;
	datagram_raise_more(plug);
	return 0;
}

static int32_t call_closing(struct request *request)
{
	/* A hint: with an end of ours, that end tells it in its own time, after the last byte. */
	if (request->plug && request->plug->end < 0 && !ticket_holds(request->plug) && !plug_is_alive(request->plug))
		plug_free(request->plug);
	return 0;
}

static int32_t call_reset(struct request *request)
{
	if (request->plug)
		stream_reset_answered(request->plug);
	return 0;
}

static int32_t call_publish(struct request *request)
{
	struct channel_publish wanted;

	if (request->payload_length < sizeof(wanted))
		return -EINVAL;
	memcpy(&wanted, request->payload, sizeof(wanted));
	int32_t port = publish_open(request->host, &wanted);
	if (port < 0)
		return port;
	request->reply.value = port;
	return 0;
}

static int32_t call_log(struct request *request)
{
	if (request->fd >= 0 && request->channel->session == request->host->session &&
	    !record_log(request->host->record, request->message->value == 2 ? 2 : 1, request->fd))
		request->fd = -1;
	return 0;
}

static int32_t call_rule(struct request *request)
{
	struct channel_rule rule;

	if (request->payload_length < sizeof(rule))
		return -EINVAL;
	memcpy(&rule, request->payload, sizeof(rule));
	rule.name[sizeof(rule.name) - 1] = 0;
	return rules_add(request->host, &rule);
}

static int32_t call_denied(struct request *request)
{
	uint64_t count;

	request->reply.payload_length =
		(uint32_t)rules_denied_text(request->host, (char *)request->reply_payload, CHANNEL_PAYLOAD_MAX, &count);
	request->reply.value = (int32_t)MIN(count, INT32_MAX);
	return 0;
}

static int32_t call_exit(struct request *request)
{
	struct record *record = request->host->record;

	if (request->channel->session != request->host->session)
		return 0;
	record->exit_code = request->message->value;
	record->keep = record->keep && !(request->message->flags & CHANNEL_UNSTARTED);
	return 0;
}

static const struct {
	int32_t (*run)(struct request *request);
	bool one_way;
	bool needs_plug;
	bool ordered; /* what a datagram socket has sent natively before is to have gone out first */
} calls[] = {
	[CHANNEL_PUBLISH] = { call_publish, false, false },
	[CHANNEL_SOCKET] = { call_socket, true, false },
	[CHANNEL_BIND] = { call_bind, false, true },
	[CHANNEL_LISTEN] = { call_listen, false, true },
	[CHANNEL_CONNECT] = { call_connect, false, true, true },
	[CHANNEL_ATTACH] = { call_attach, true, false },
	[CHANNEL_GETSOCKNAME] = { call_getsockname, false, false },
	[CHANNEL_GETPEERNAME] = { call_getpeername, false, false },
	[CHANNEL_SETSOCKOPT] = { call_setsockopt, false, false, true },
	[CHANNEL_GETSOCKOPT] = { call_getsockopt, false, false },
	[CHANNEL_SHUTDOWN] = { call_shutdown, false, false, true },
	[CHANNEL_SENDTO] = { call_sendto, false, true, true },
	[CHANNEL_IOCTL] = { ioctl_run, false, false },
	[CHANNEL_PROCNET] = { procnet_run, false, false },
	[CHANNEL_RAISE] = { datagram_take_raising, true, true, true },
	[CHANNEL_RECVERR] = { call_recverr, false, true },
	[CHANNEL_FAR] = { far_lend, false, true, true },
	[CHANNEL_RENEW] = { far_replace, false, true, true },
	[CHANNEL_TICKETS] = { call_tickets, false, true },
	[CHANNEL_TABLE] = { call_table, false, true },
	[CHANNEL_CLOSING] = { call_closing, true, false },
	[CHANNEL_LOG] = { call_log, true, false },
	[CHANNEL_RULE] = { call_rule, false, false },
	[CHANNEL_DENIED] = { call_denied, false, false },
	[CHANNEL_EXIT] = { call_exit, true, false },
	[CHANNEL_RESET] = { call_reset, true, false },
};

bool call_is_one_way(const struct channel_message *message)
{
	if (message->type == CHANNEL_SOCKET)
		return !(message->flags & CHANNEL_ASKED);
	return message->flags & CHANNEL_QUIET || (message->type < COUNT_OF(calls) && calls[message->type].one_way);
}

/* A call on a datagram socket that CHANNEL_SOCKET did not make: of those that were, their programs' end is heard of. */
static bool was_not_made(const struct request *request)
{
	uint32_t type = request->message->type;

	return !request->plug && request->message->id && request->message->kind &&
	       request->message->kind != SOCK_STREAM && type != CHANNEL_SOCKET && !calls[type].one_way;
}

/* Whoever made the socket was not answered; it is better asked from now on. */
static void tell_not_made(const struct request *request, int32_t result)
{
	struct channel_message message = { .type = CHANNEL_SOCKET, .id = request->message->id, .result = result };

	if (result == -ENFILE)
		spare_tell(request->host, "a socket can't be made");
	if (!(request->message->flags & CHANNEL_ASKED))
		channel_send(request->channel, &message, NULL, 0);
}

int32_t call_run(struct request *request)
{
	uint32_t type = request->message->type;
	int32_t r = 0;

	if (type >= COUNT_OF(calls) || !calls[type].run)
		return -ENOSYS;
	if (!request->plug && request->message->flags & CHANNEL_NEW)
		r = call_socket_first(request);
	else if (request->plug && request->plug->ticket_pid && request->message->flags & CHANNEL_NEW)
		r = ticket_void(request->plug);
	if (r < 0)
		return r;
	if (was_not_made(request) || (calls[type].needs_plug && !request->plug))
		return request->message->flags & CHANNEL_QUIET ? CALL_ANSWERED
		       : was_not_made(request)		       ? -ENOBUFS
							       : -EBADF;
	if (request->plug && request->plug->role == &role_datagram && calls[type].ordered)
		datagram_hear(request->plug);
	host_touch(request->host);
	if (request->plug && request->plug->host != request->host)
		host_touch(request->plug->host);
	r = calls[type].run(request);
	journal_call(request, r);
	if (type == CHANNEL_SOCKET && r < 0)
		tell_not_made(request, r);
	return call_is_one_way(request->message) ? CALL_ANSWERED : r;
}
