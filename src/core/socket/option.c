/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options above the protocol's own: SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6 and
 * Berth's. Most are an int in struct socket_options, and a table says where
 * and within which bounds; the rest have a function. Limits and the doubling
 * of buffer sizes are Linux's (socket(7)). What is not here fails with
 * ENOPROTOOPT; nothing is taken and ignored.
 */
#include "core/socket/socket.h"

#include "core/datagram/datagram.h"
#include "core/group/group.h"
#include "core/raw/raw.h"

#include <errno.h>
#include <limits.h>
#include <sys/time.h>

#define RECEIVE_BUFFER_MIN 2304u /* Linux: SOCK_MIN_RCVBUF */
#define SEND_BUFFER_MIN 4608u	 /* Linux: SOCK_MIN_SNDBUF */

enum kind { KIND_BOOL, KIND_U8 };

static const struct plain_option {
	int level, option;
	enum kind kind;
	size_t offset;
	int min, max;
} plain_options[] = {
/* clang-format off */
#define OPTION(level, option, kind, field, min, max) \
	{ level, option, kind, offsetof(struct socket_options, field), min, max }
/* clang-format on */
#define FLAG(level, option, field) OPTION(level, option, KIND_BOOL, field, 0, 0)
	FLAG(SOL_SOCKET, SO_REUSEADDR, reuse_address),
	FLAG(SOL_SOCKET, SO_REUSEPORT, reuse_port),
	FLAG(SOL_SOCKET, SO_BROADCAST, broadcast),
	FLAG(SOL_SOCKET, SO_KEEPALIVE, keepalive),
	FLAG(SOL_SOCKET, SO_OOBINLINE, oob_inline),
	FLAG(SOL_SOCKET, SO_TIMESTAMP, receive_timestamp),
	FLAG(SOL_SOCKET, SO_TIMESTAMPNS, receive_timestamp_ns),
	FLAG(SOL_SOCKET, SO_NO_CHECK, no_checksum),
	FLAG(IPPROTO_IP, IP_PKTINFO, receive_packet_info),
	FLAG(IPPROTO_IP, IP_RECVTTL, receive_ttl),
	FLAG(IPPROTO_IP, IP_RECVTOS, receive_traffic_class),
	FLAG(IPPROTO_IP, IP_RECVORIGDSTADDR, receive_original),
	FLAG(IPPROTO_IP, IP_RECVOPTS, receive_options),
	FLAG(IPPROTO_IP, IP_RETOPTS, return_options),
	FLAG(IPPROTO_IP, IP_FREEBIND, freebind),
	FLAG(IPPROTO_IP, IP_TRANSPARENT, transparent),
	FLAG(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, bind_no_port),
	FLAG(IPPROTO_IP, IP_RECVERR, receive_errors),
	OPTION(IPPROTO_IP, IP_TTL, KIND_U8, ttl, 1, 255),
	OPTION(IPPROTO_IP, IP_TOS, KIND_U8, traffic_class, INT_MIN, INT_MAX), /* its last byte counts */
	OPTION(IPPROTO_IP, IP_MTU_DISCOVER, KIND_U8, mtu_discover, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT),
	FLAG(IPPROTO_IPV6, IPV6_RECVPKTINFO, receive_packet_info),
	FLAG(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, receive_ttl),
	FLAG(IPPROTO_IPV6, IPV6_RECVTCLASS, receive_traffic_class),
	FLAG(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, receive_original),
	FLAG(IPPROTO_IPV6, IPV6_FREEBIND, freebind),
	FLAG(IPPROTO_IPV6, IPV6_TRANSPARENT, transparent),
	FLAG(IPPROTO_IPV6, IPV6_DONTFRAG, dont_fragment6),
	FLAG(IPPROTO_IPV6, IPV6_RECVERR, receive_errors),
	OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS, KIND_U8, ttl, 1, 255),
	OPTION(IPPROTO_IPV6, IPV6_TCLASS, KIND_U8, traffic_class, 0, 255),
	OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER, KIND_U8, mtu_discover, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT),
#undef FLAG
#undef OPTION
};

static const struct plain_option *plain_find(int level, int option)
{
	for (size_t i = 0; i < COUNT_OF(plain_options); i++)
		if (plain_options[i].level == level && plain_options[i].option == option)
			return &plain_options[i];
	return NULL;
}

/* An int; IP's options may come as one byte, too, or as none, which is 0 (Linux: do_ip_setsockopt()). */
static int int_from(int level, const void *value, socklen_t length, int *ret_value)
{
	*ret_value = 0;
	if (level == IPPROTO_IP && !length)
		return 0;
	if (!value)
		return -EFAULT;
	if (length >= sizeof(int))
		memcpy(ret_value, value, sizeof(int));
	else if (level == IPPROTO_IP && length >= 1)
		*ret_value = *(const uint8_t *)value;
	else
		return -EINVAL;
	return 0;
}

static bool resets(const struct plain_option *plain, int number)
{
	/* -1 goes back to the default. Linux: IP_TTL, IPV6_UNICAST_HOPS, IPV6_TCLASS. */
	return number == -1 && plain->kind == KIND_U8 && plain->option != IP_MTU_DISCOVER;
}

static int plain_set(struct berth_socket *socket, const struct plain_option *plain, int number)
{
	uint8_t *field = (uint8_t *)socket->options + plain->offset;

	if (plain->kind == KIND_BOOL) {
		*(bool *)field = number != 0;
	} else if (resets(plain, number)) {
		*field = 0;
	} else if (number < plain->min || number > plain->max) {
		return -EINVAL;
	} else if (plain->offset == offsetof(struct socket_options, traffic_class) &&
		   socket->protocol->type == SOCK_STREAM) {
		*field = (uint8_t)(number & ~3); /* Linux: the ECN bits are TCP's own */
	} else {
		*field = (uint8_t)number;
	}
	if (plain->level == SOL_SOCKET && plain->option == SO_TIMESTAMP)
		socket->options->receive_timestamp_ns = false; /* the one or the other. Linux: sock_set_timestamp() */
	else if (plain->level == SOL_SOCKET && plain->option == SO_TIMESTAMPNS)
		socket->options->receive_timestamp = false;
	socket->claim.reuse_address = socket->options->reuse_address; /* counts for those who ask later */
	socket->claim.reuse_port = socket->options->reuse_port;
	if (plain->level == SOL_SOCKET && plain->option == SO_KEEPALIVE && socket->protocol == &tcp_protocol)
		tcp_keepalive_changed(socket); /* its timer */
	if (plain->level == SOL_SOCKET && plain->option == SO_OOBINLINE)
		berth_socket_notify(socket); /* the urgent byte may be data now */
	return 0;
}

/* Linux: __sock_set_rcvbuf(): what is asked for is doubled, and SO_RCVBUF says the doubled value. */
static int buffer_set(uint32_t *buffer, int number, uint32_t min, uint32_t max)
{
	uint32_t wanted = (uint32_t)MAX(number, 0);

	*buffer = MAX(MIN(wanted, max / 2) * 2, min);
	return 0;
}

static int linger_set(struct berth_socket *socket, const void *value, socklen_t length)
{
	struct linger linger;

	if (length < sizeof(linger))
		return -EINVAL;
	memcpy(&linger, value, sizeof(linger));
	socket->options->linger_seconds = linger.l_onoff ? MAX(linger.l_linger, 0) : -1;
	return 0;
}

static int timeout_set(berth_time *timeout, const void *value, socklen_t length)
{
	struct timeval time;

	if (length < sizeof(time))
		return -EINVAL;
	memcpy(&time, value, sizeof(time));
	if (time.tv_usec < 0 || time.tv_usec >= 1000000)
		return -EDOM;
	if (time.tv_sec < 0)
		time.tv_sec = time.tv_usec = 0; /* Linux: negative is "at once"; here and there 0 is none */
	if (time.tv_sec >= BERTH_NEVER / BERTH_SEC / 2)
		time.tv_sec = time.tv_usec = 0;
	*timeout = time.tv_sec * BERTH_SEC + time.tv_usec * BERTH_USEC;
	return 0;
}

void socket_bind_link(struct berth_socket *socket, struct berth_link *link)
{
	socket->bound_link = link;
	socket->claim.link_index = link ? link->index : 0;
	socket_path_forget(socket);
}

static int bind_to_index(struct berth_socket *socket, int index)
{
	struct berth_link *link = index > 0 ? link_by_index(socket->stack, (unsigned)index) : NULL;

	if (index < 0)
		return -EINVAL;
	if (index && !link)
		return -ENODEV;
	socket_bind_link(socket, link);
	return 0;
}

static int bind_to_link(struct berth_socket *socket, const char *value, socklen_t length)
{
	char name[16] = "";

	if (length)
		memcpy(name, value, MIN(length, sizeof(name) - 1));
	if (!name[0]) {
		socket_bind_link(socket, NULL);
		return 0;
	}
	LIST_EACH(&socket->stack->links, node) {
		struct berth_link *link = LIST_ITEM(node, struct berth_link, node);

		if (strcmp(link->name, name))
			continue;
		socket_bind_link(socket, link);
		return 0;
	}
	return -ENODEV;
}

/* Linux: 32 bits, whose largest number means none, or 64. Only TCP paces by itself, there and here. */
static int pacing_rate_set(struct berth_socket *socket, const void *value, socklen_t length)
{
	uint64_t rate;
	uint32_t narrow;

	if (length < sizeof(narrow))
		return -EINVAL;
	memcpy(&narrow, value, sizeof(narrow));
	rate = narrow == UINT32_MAX ? UINT64_MAX : narrow;
	if (length >= sizeof(rate))
		memcpy(&rate, value, sizeof(rate));
	socket->options->max_pacing_rate = rate;
	if (socket->protocol == &tcp_protocol)
		tcp_pacing_changed(socket);
	return 0;
}

static int socket_level_set(struct berth_socket *socket, int option, const void *value, socklen_t length)
{
	struct socket_options *options = socket->options;
	int number, r;

	switch (option) {
	case SO_LINGER:
		return linger_set(socket, value, length);
	case SO_RCVTIMEO:
		return timeout_set(&options->receive_timeout, value, length);
	case SO_SNDTIMEO:
		return timeout_set(&options->send_timeout, value, length);
	case SO_BINDTODEVICE:
		return bind_to_link(socket, value, length);
	case SO_MAX_PACING_RATE:
		return pacing_rate_set(socket, value, length);
	}
	if ((r = int_from(SOL_SOCKET, value, length, &number)) < 0)
		return r;
	switch (option) {
	case SO_RCVBUF:
		options->receive_buffer_set = true;
		return buffer_set(&socket->receive_buffer, number, RECEIVE_BUFFER_MIN,
				  socket->stack->limits.receive_buffer_max);
	case SO_SNDBUF:
		options->send_buffer_set = true;
		return buffer_set(&socket->send_buffer, number, SEND_BUFFER_MIN, socket->stack->limits.send_buffer_max);
	case SO_BINDTOIFINDEX:
		return bind_to_index(socket, number);
	case SO_RCVLOWAT:
		options->receive_low_water = number < 0 ? INT32_MAX : (uint32_t)MAX(number, 1);
		berth_socket_notify(socket);
		return 0;
	}
	return -ENOPROTOOPT;
}

static int v6only_set(struct berth_socket *socket, int number)
{
	if (socket->family != AF_INET6)
		return -ENOPROTOOPT;
	if (socket->claim.port)
		return -EINVAL;
	socket->options->ipv6_only = number != 0;
	return 0;
}

static bool is_special(int level, int option)
{
	return (level == IPPROTO_IPV6 && option == IPV6_V6ONLY) || level == BERTH_SOL;
}

static int special_set(struct berth_socket *socket, int level, int option, int number)
{
	if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY)
		return v6only_set(socket, number);
	if (level == BERTH_SOL && option == BERTH_DIVERT) {
		if (socket->claim.port)
			return -EINVAL;
		socket->claim.divert = number != 0;
		return 0;
	}
	if (level == BERTH_SOL && option == BERTH_ANY_PORT && socket->protocol == &tcp_protocol) {
		if (!socket->claim.port)
			return -EINVAL;
		port_set_any(socket->stack, &socket->claim, number != 0);
		return 0;
	}
	return -ENOPROTOOPT;
}

/* Is level the protocol's own? SOL_SOCKET has the number of ICMP, and IPPROTO_IP that of nothing. */
static bool is_protocols(const struct berth_socket *socket, int level)
{
	return level == socket->protocol->number && level != IPPROTO_IP && level != SOL_SOCKET;
}

static bool level_fits(const struct berth_socket *socket, int level)
{
	if (socket_has_family(socket))
		return level == SOL_SOCKET;
	if (level == IPPROTO_IPV6)
		return socket->family == AF_INET6;
	return level == SOL_SOCKET || level == IPPROTO_IP || level == BERTH_SOL || is_protocols(socket, level) ||
	       socket->protocol == &raw_protocol;
}

static bool socket_queues_datagrams(const struct berth_socket *socket)
{
	return socket->protocol->receive_error == datagram_receive_error;
}

/* Only sockets of datagrams can send some; that others have none may be said and asked. */
static int ip_options_set(struct berth_socket *socket, const void *value, socklen_t length)
{
	if (socket_queues_datagrams(socket))
		return datagram_set_options(socket, value, length);
	return length ? -EOPNOTSUPP : 0;
}

static int ip_options_get(struct berth_socket *socket, void *value, socklen_t *length)
{
	if (socket_queues_datagrams(socket))
		datagram_get_options(socket, value, length);
	else
		*length = 0;
	return 0;
}

/* socket->options are the socket's own meanwhile. */
static int set_own(struct berth_socket *socket, int level, int option, const void *value, socklen_t length)
{
	const struct plain_option *plain = plain_find(level, option);
	int number, r;

	if (level == SOL_SOCKET && !plain)
		return socket_level_set(socket, option, value, length);
	if (!plain && (r = group_set_option(socket, level, option, value, length)) != -ENOPROTOOPT)
		return r;
	r = int_from(level, value, length, &number);
	if (level == IPPROTO_IP && !length && (option == IP_FREEBIND || option == IP_TRANSPARENT))
		return -EINVAL; /* of Linux's options of IP these two want a byte */
	if (plain)
		return r < 0 ? r : plain_set(socket, plain, number);
	if (!is_special(level, option))
		return -ENOPROTOOPT;
	return r < 0 ? r : special_set(socket, level, option, number);
}

int socket_set_option(struct berth_socket *socket, int level, int option, const void *value, socklen_t length)
{
	struct share *share = &socket->stack->sockets.options;
	struct socket_options *own;
	int r;

	if (!level_fits(socket, level))
		return socket_has_family(socket) ? -EOPNOTSUPP : -ENOPROTOOPT;
	if (!value && length)
		return -EFAULT;
	if (socket->protocol == &raw_protocol && value &&
	    (r = raw_set_option(socket, level, option, value, length)) != -ENOPROTOOPT)
		return r;
	if (level == IPPROTO_IP && option == IP_OPTIONS)
		return ip_options_set(socket, value, length);
	if (is_protocols(socket, level))
		return socket->protocol->setsockopt ? socket->protocol->setsockopt(socket, option, value, length)
						    : -ENOPROTOOPT;
	own = share_own(share, socket->options);
	if (!own)
		return -ENOMEM;
	socket->options = own;
	r = set_own(socket, level, option, value, length);
	socket->options = share_settle(share, socket->options); /* a hook may have set some, too */
	return r;
}

static int give(void *value, socklen_t *length, const void *what, size_t size)
{
	*length = (socklen_t)MIN(*length, size);
	if (value) /* else *length is 0 */
		memcpy(value, what, *length);
	return 0;
}

static struct timeval to_timeval(berth_time timeout)
{
	return (struct timeval){ timeout / BERTH_SEC, timeout % BERTH_SEC / BERTH_USEC };
}

static int plain_get(const struct berth_socket *socket, const struct plain_option *plain)
{
	const uint8_t *field = (const uint8_t *)socket->options + plain->offset;

	if (plain->kind == KIND_BOOL)
		return *(const bool *)field;
	if (plain->offset == offsetof(struct socket_options, ttl) && !*field)
		return (int)socket->stack->limits.hop_limit;
	return *field;
}

/* IP_MTU, IPV6_MTU: of the path of a connected socket. ip(7). */
static int mtu_get(struct berth_socket *socket, int *ret_number)
{
	const struct ip_path *path;

	if (socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	if (socket_path(socket, &path) < 0)
		return -ENOTCONN;
	*ret_number = (int)path->mtu;
	return 0;
}

static int int_get(struct berth_socket *socket, int level, int option, int *ret_number)
{
	const struct socket_options *options = socket->options;

	if ((level == IPPROTO_IP && option == IP_MTU) || (level == IPPROTO_IPV6 && option == IPV6_MTU))
		return mtu_get(socket, ret_number);
	if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY)
		return *ret_number = options->ipv6_only, 0;
	if (level == BERTH_SOL && option == BERTH_DIVERT)
		return *ret_number = socket->claim.divert, 0;
	if (level == BERTH_SOL && option == BERTH_ANY_PORT && socket->protocol == &tcp_protocol)
		return *ret_number = socket->claim.any_port, 0;
	if (level != SOL_SOCKET)
		return -ENOPROTOOPT;
	switch (option) {
	case SO_TYPE:
		return *ret_number = socket->protocol->type, 0;
	case SO_DOMAIN:
		return *ret_number = socket->family, 0;
	case SO_PROTOCOL:
		return *ret_number = socket->demux.protocol, 0;
	case SO_ACCEPTCONN:
		return *ret_number = socket->state == SOCKET_LISTENING, 0;
	case SO_RCVBUF:
		return *ret_number = (int)socket->receive_buffer, 0;
	case SO_SNDBUF:
		return *ret_number = (int)socket->send_buffer, 0;
	case SO_SNDLOWAT:
		return *ret_number = 1, 0;
	case SO_BINDTOIFINDEX:
		return *ret_number = socket->bound_link ? (int)socket->bound_link->index : 0, 0;
	case SO_RCVLOWAT:
		return *ret_number = (int)options->receive_low_water, 0;
	case SO_ERROR:
		*ret_number = -socket_take_error(socket);
		socket_settle(socket);
		return 0;
	}
	return -ENOPROTOOPT;
}

static int struct_get(struct berth_socket *socket, int option, void *value, socklen_t *length)
{
	const struct socket_options *options = socket->options;
	struct linger linger = { options->linger_seconds >= 0, MAX(options->linger_seconds, 0) };
	struct timeval receive = to_timeval(options->receive_timeout), send = to_timeval(options->send_timeout);
	const char *name = socket->bound_link ? socket->bound_link->name : "";
	uint64_t rate = options->max_pacing_rate;
	uint32_t narrow = (uint32_t)MIN(rate, UINT32_MAX);

	switch (option) {
	case SO_MAX_PACING_RATE:
		return *length < sizeof(rate) ? give(value, length, &narrow, sizeof(narrow))
					      : give(value, length, &rate, sizeof(rate));
	case SO_LINGER:
		return give(value, length, &linger, sizeof(linger));
	case SO_RCVTIMEO:
		return give(value, length, &receive, sizeof(receive));
	case SO_SNDTIMEO:
		return give(value, length, &send, sizeof(send));
	case SO_BINDTODEVICE:
		return give(value, length, name, name[0] ? strlen(name) + 1 : 0);
	}
	return -ENOPROTOOPT;
}

int socket_get_option(struct berth_socket *socket, int level, int option, void *value, socklen_t *length)
{
	const struct plain_option *plain = plain_find(level, option);
	int number = 0, r;

	if (!level_fits(socket, level))
		/* Linux: ip_getsockopt(), and ipv6_getsockopt(), which says otherwise */
		return socket_has_family(socket) || socket->family == AF_INET ? -EOPNOTSUPP : -ENOPROTOOPT;
	if (!length || (!value && *length))
		return -EFAULT;
	if (socket->protocol == &raw_protocol && value &&
	    (r = raw_get_option(socket, level, option, value, length)) != -ENOPROTOOPT)
		return r;
	if (level == IPPROTO_IP && option == IP_OPTIONS)
		return ip_options_get(socket, value, length);
	if (is_protocols(socket, level))
		return socket->protocol->getsockopt ? socket->protocol->getsockopt(socket, option, value, length)
						    : -ENOPROTOOPT;
	if (!plain && (r = group_get_option(socket, level, option, value, length)) != -ENOPROTOOPT)
		return r;
	if (plain)
		number = plain_get(socket, plain);
	else if ((r = int_get(socket, level, option, &number)) < 0)
		return r == -ENOPROTOOPT && level == SOL_SOCKET ? struct_get(socket, option, value, length) : r;
	return give(value, length, &number, sizeof(number));
}
