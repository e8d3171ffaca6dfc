/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The name server's sockets: resolver.h. A TCP client that does not read its
 * answers, or sends what is no query, loses its connection.
 */
#include "net/resolver.h"

#include "net/names.h"
#include "net/network.h"
#include "wire/dns.h"

#include <berth/socket.h>
#include <errno.h>

enum { PORT_DOMAIN = 53, ANSWER_MAX = 1232, DATAGRAMS_A_TURN = 64 };

static const struct {
	int family, type;
	bool gateway; /* at the gateway's address; else at all of them */
} kinds[RESOLVER_SOCKETS] = {
	{ AF_INET, SOCK_DGRAM, false },	  { AF_INET6, SOCK_DGRAM, false }, { AF_INET, SOCK_STREAM, false },
	{ AF_INET6, SOCK_STREAM, false }, { AF_INET, SOCK_DGRAM, true },   { AF_INET6, SOCK_DGRAM, true },
	{ AF_INET, SOCK_STREAM, true },	  { AF_INET6, SOCK_STREAM, true },
};

void resolver_init(struct resolver *resolver, struct berth_host *host)
{
	list_init(&resolver->pending);
	resolver->host = host;
	for (int i = 0; i < RESOLVER_SOCKETS; i++)
		resolver->fds[i] = -1;
}

static int open_socket(struct berth_host *host, int family, int type, bool gateway, int *ret_fd)
{
	struct berth_stack *stack = host->stack;
	struct sockaddr_in address4 = { .sin_family = AF_INET, .sin_port = htons(PORT_DOMAIN) };
	struct sockaddr_in6 address6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT_DOMAIN) };
	const struct sockaddr *address =
		family == AF_INET ? (struct sockaddr *)&address4 : (struct sockaddr *)&address6;
	socklen_t length = family == AF_INET ? sizeof(address4) : sizeof(address6);
	int one = 1, fd = berth_socket(stack, family, type | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	if (gateway) {
		struct berth_ip ip4, ip6;

		net_addresses_of(host->net, GATEWAY_NUMBER, &ip4, &ip6);
		memcpy(&address4.sin_addr, ip4.bytes + 12, 4);
		memcpy(&address6.sin6_addr, ip6.bytes, 16);
	}
	if (family == AF_INET6 && berth_setsockopt(stack, fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		return -errno;
	if (berth_setsockopt(stack, fd, BERTH_SOL, BERTH_DIVERT, &one, sizeof(one)) < 0)
		return -errno;
	if (type == SOCK_DGRAM &&
	    berth_setsockopt(stack, fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			     family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO, &one, sizeof(one)) < 0)
		return -errno;
	if (berth_bind(stack, fd, address, length) < 0)
		return -errno;
	if (type == SOCK_STREAM && berth_listen(stack, fd, RESOLVER_CONNECTIONS) < 0)
		return -errno;
	return 0;
}

int resolver_open(struct resolver *resolver)
{
	for (int i = 0; i < RESOLVER_SOCKETS; i++) {
		int r = open_socket(resolver->host, kinds[i].family, kinds[i].type, kinds[i].gateway,
				    &resolver->fds[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static void connection_close(struct resolver *resolver, struct resolver_connection *connection)
{
	if (connection->fd >= 0)
		berth_close(resolver->host->stack, connection->fd);
	connection->fd = -1;
}

void resolver_fini(struct resolver *resolver)
{
	struct berth_host *host = resolver->host;

	for (int i = 0; resolver->connections && i < RESOLVER_CONNECTIONS; i++)
		connection_close(resolver, &resolver->connections[i]);
	memory_free(host->net->allocator, resolver->connections,
		    resolver->connections ? RESOLVER_CONNECTIONS * sizeof(*resolver->connections) : 0);
	resolver->connections = NULL;
	for (int i = 0; i < RESOLVER_SOCKETS; i++)
		if (resolver->fds[i] >= 0)
			berth_close(host->stack, resolver->fds[i]);
	for (int i = 0; i < RESOLVER_SOCKETS; i++)
		resolver->fds[i] = -1;
	list_remove(&resolver->pending);
}

bool resolver_owns_fd(const struct resolver *resolver, int fd)
{
	for (int i = 0; i < RESOLVER_SOCKETS; i++)
		if (resolver->fds[i] == fd)
			return true;
	for (int i = 0; resolver->connections && i < RESOLVER_CONNECTIONS; i++)
		if (resolver->connections[i].fd == fd)
			return true;
	return false;
}

void resolver_wake(struct resolver *resolver)
{
	if (list_empty(&resolver->pending))
		list_append(&resolver->host->net->resolvers, &resolver->pending);
}

/* Which address was asked: the answer comes from there. */
static void note_to(struct net_question *question, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			question->to = ip_from4((const uint8_t *)&info.ipi_addr);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(question->to.bytes, &info.ipi6_addr, 16);
		}
	}
}

/* Take one query. Returns its length or -1, with errno. */
static ssize_t take_query(struct berth_host *host, int fd, uint8_t *bytes, size_t room, struct net_question *question)
{
	_Alignas(struct cmsghdr) uint8_t control[64];
	struct iovec part = { bytes, room };
	struct msghdr message = { .msg_name = &question->from,
				  .msg_namelen = sizeof(question->from),
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = berth_recvmsg(host->stack, fd, &message, MSG_DONTWAIT);

	if (n < 0)
		return n;
	question->fd = fd;
	question->family = question->from.ss_family;
	question->from_length = message.msg_namelen;
	question->bytes = bytes;
	question->length = (size_t)n;
	note_to(question, &message);
	return n;
}

void resolver_answer(struct berth_host *host, const struct net_question *question, const uint8_t *answer, size_t length)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = { 0 };
	struct iovec part = { (void *)answer, length };
	struct msghdr message = { .msg_name = (void *)&question->from,
				  .msg_namelen = question->from_length,
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control };
	struct cmsghdr *head = (struct cmsghdr *)control;

	if (question->family == AF_INET) {
		struct in_pktinfo info = { .ipi_ifindex = 0 };
		memcpy(&info.ipi_spec_dst, question->to.bytes + 12, 4);
		*head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(info)),
					  .cmsg_level = IPPROTO_IP,
					  .cmsg_type = IP_PKTINFO };
		memcpy(CMSG_DATA(head), &info, sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = 0 };
		memcpy(&info.ipi6_addr, question->to.bytes, 16);
		*head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(info)),
					  .cmsg_level = IPPROTO_IPV6,
					  .cmsg_type = IPV6_PKTINFO };
		memcpy(CMSG_DATA(head), &info, sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
	}
	berth_sendmsg(host->stack, question->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Answer datagrams. Those left over after a turn are answered in the next. */
static void run_datagrams(struct resolver *resolver, int fd)
{
	struct berth_host *host = resolver->host;
	struct berth_net *net = host->net;
	uint8_t query[RESOLVER_QUERY_MAX], answer[ANSWER_MAX];

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		struct net_question question = { .fd = -1 };
		ssize_t n = take_query(host, fd, query, sizeof(query), &question);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			continue; /* an earlier answer found no one */
		size_t length = names_answer(net, query, (size_t)n, answer, sizeof(answer), 0);
		question.known = length > 3 && (answer[3] & 15) != DNS_NXDOMAIN;
		if (length && net->ask && net->ask(net->ask_context, host, &question))
			continue;
		if (length)
			berth_sendto(host->stack, fd, answer, length, MSG_DONTWAIT, (struct sockaddr *)&question.from,
				     question.from_length);
	}
	resolver_wake(resolver);
}

static struct resolver_connection *connection_slot(struct resolver *resolver)
{
	struct resolver_connection *oldest;

	if (!resolver->connections) {
		resolver->connections = memory_new(resolver->host->net->allocator,
						   RESOLVER_CONNECTIONS * sizeof(*resolver->connections));
		if (!resolver->connections)
			return NULL;
		for (int i = 0; i < RESOLVER_CONNECTIONS; i++)
			resolver->connections[i].fd = -1;
	}
	oldest = resolver->connections;
	for (int i = 0; i < RESOLVER_CONNECTIONS; i++) {
		struct resolver_connection *connection = &resolver->connections[i];
		if (connection->fd < 0)
			return connection;
		if (connection->age < oldest->age)
			oldest = connection;
	}
	connection_close(resolver, oldest);
	return oldest;
}

static void run_listener(struct resolver *resolver, int listener)
{
	struct berth_stack *stack = resolver->host->stack;
	int fd;

	while ((fd = berth_accept(stack, listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct resolver_connection *connection = connection_slot(resolver);
		if (!connection) {
			berth_abort(stack, fd);
			continue;
		}
		*connection = (struct resolver_connection){ .fd = fd, .age = ++resolver->ages };
	}
}

/* Answer the query at the front of connection. Returns false when it has to end. */
static bool answer_one(struct resolver *resolver, struct resolver_connection *connection, size_t query_length)
{
	uint8_t answer[2 + ANSWER_MAX];
	size_t length = names_answer(resolver->host->net, connection->bytes + 2, query_length, answer + 2, ANSWER_MAX,
				     ANSWER_MAX);

	if (!length)
		return false;
	put_be16(answer, (uint16_t)length);
	if (berth_send(resolver->host->stack, connection->fd, answer, 2 + length, MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    (ssize_t)(2 + length))
		return false; /* it does not read */
	connection->length -= 2 + query_length;
	memmove(connection->bytes, connection->bytes + 2 + query_length, connection->length);
	return true;
}

/* Returns false when the connection has to end. */
static bool run_connection(struct resolver *resolver, struct resolver_connection *connection)
{
	for (;;) {
		while (connection->length >= 2) {
			size_t query = get_be16(connection->bytes);
			if (query > RESOLVER_QUERY_MAX)
				return false;
			if (connection->length < 2 + query)
				break;
			if (!answer_one(resolver, connection, query))
				return false;
		}
		ssize_t n = berth_recv(resolver->host->stack, connection->fd, connection->bytes + connection->length,
				       sizeof(connection->bytes) - connection->length, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		connection->length += (size_t)n;
	}
}

void resolver_run(struct resolver *resolver)
{
	for (int i = 0; i < RESOLVER_SOCKETS; i++) {
		if (kinds[i].type == SOCK_DGRAM)
			run_datagrams(resolver, resolver->fds[i]);
		else
			run_listener(resolver, resolver->fds[i]);
	}
	for (int i = 0; resolver->connections && i < RESOLVER_CONNECTIONS; i++) {
		struct resolver_connection *connection = &resolver->connections[i];
		if (connection->fd >= 0 && !run_connection(resolver, connection))
			connection_close(resolver, connection);
	}
}
