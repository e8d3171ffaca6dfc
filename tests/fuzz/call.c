/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of the API, made from the input: any call on any descriptor, most of
 * them senseless. Each must answer as documented: a count or 0, or -1 with
 * errno set; none may block.
 */
#include "tests/fuzz/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/un.h>

socklen_t call_address(struct sockaddr_storage *storage, bool ip6, unsigned host, uint16_t port)
{
	struct sockaddr_in *in = (void *)storage;
	struct sockaddr_in6 *in6 = (void *)storage;

	memset(storage, 0, sizeof(*storage));
	if (!ip6) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = host ? htonl(host == 3 ? INADDR_LOOPBACK : 0x0a000000u + host) : 0;
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	in6->sin6_addr.s6_addr[0] = host && host != 3 ? 0xfd : 0;
	in6->sin6_addr.s6_addr[15] = (uint8_t)(host == 3 ? 1 : host);
	return sizeof(*in6);
}

/* A local name: abstract, or of a file; some too long or none at all. */
static socklen_t local_address(struct input *input, struct sockaddr_storage *storage)
{
	struct sockaddr_un *un = (void *)storage;
	uint8_t byte = input_u8(input);
	size_t length = 1 + (byte >> 5) * 15u;

	memset(storage, 0, sizeof(*storage));
	un->sun_family = AF_UNIX;
	memset(un->sun_path + (byte & 1), 'a' + (byte >> 1 & 3), length);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (byte & 0x10 ? length + 1 : (byte & 8) / 8u));
}

/* Any name, one byte says which; 0xff: AF_UNSPEC, 0xfe: a local one. */
static socklen_t any_address(struct input *input, struct sockaddr_storage *storage)
{
	static const uint16_t ports[] = { 0, 80, 53, 1000, 1001, 2000, 5000, 40000 };
	uint8_t byte = input_u8(input);
	socklen_t length;

	if (byte == 0xfe)
		return local_address(input, storage);
	length = call_address(storage, byte & 0x80, byte & 3, ports[byte >> 2 & 7]);
	if (byte & 0x40)
		length = byte & 0x20 ? length - 3u : (socklen_t)sizeof(*storage);
	if (byte == 0xff)
		storage->ss_family = AF_UNSPEC;
	return length;
}

static void check_result(ssize_t r)
{
	MUST(r >= 0 || (r == -1 && errno > 0));
}

static void opened(struct end *end, int fd)
{
	check_result(fd);
	if (fd >= 0)
		end->known[fd] = (unsigned)berth_readiness(end->stack, fd);
}

static void open_socket(struct end *end)
{
	static const int types[] = { SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_STREAM | SOCK_NONBLOCK };
	static const int local_types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM, SOCK_STREAM | SOCK_NONBLOCK };
	uint8_t how = input_u8(end->world->input);
	int fds[2];

	if (!(how & 8)) {
		opened(end, berth_socket(end->stack, how & 4 ? AF_INET6 : AF_INET, types[how & 3], 0));
	} else if (!(how & 4)) {
		opened(end, berth_socket(end->stack, AF_UNIX, local_types[how & 3], 0));
	} else if (berth_socketpair(end->stack, AF_UNIX, local_types[how & 3], 0, fds) == 0) {
		opened(end, fds[0]);
		opened(end, fds[1]);
	}
}

static void accept_one(struct end *end, int fd)
{
	int readiness = berth_readiness(end->stack, fd), child;
	struct sockaddr_storage address;
	socklen_t length = input_u8(end->world->input) % sizeof(address);
	struct berth_socket_info info = { .state = "" };

	berth_socket_inspect(end->stack, fd, &info);
	child = berth_accept(end->stack, fd, (void *)&address, &length, 0);
	check_result(child);
	if (child >= 0)
		end->known[child] = (unsigned)berth_readiness(end->stack, child);
	else if (!strcmp(info.state, "LISTEN") && !(readiness & BERTH_POLLERR))
		MUST((errno == EAGAIN) == !(readiness & BERTH_POLLIN));
}

static void send_some(struct end *end, int fd)
{
	static uint8_t bytes[65536];
	struct input *input = end->world->input;
	int readiness = berth_readiness(end->stack, fd), flags = input_u8(input);
	struct sockaddr_storage address;
	struct iovec part = { bytes, 1 + (size_t)input_u8(input) * (flags & 0x20 ? 256 : 1) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	static const int send_flags[] = { MSG_DONTWAIT, MSG_OOB, MSG_FASTOPEN, MSG_OOB | MSG_MORE };
	ssize_t r;

	if (flags & 0x10) {
		message.msg_namelen = any_address(input, &address);
		message.msg_name = &address;
	}
	r = berth_sendmsg(end->stack, fd, &message, flags & 0x40 ? MSG_MORE : send_flags[flags & 3]);
	check_result(r);
	MUST(r <= (ssize_t)part.iov_len);
	if (readiness >= 0 && readiness & BERTH_POLLOUT && !end->world->fail_in && !(flags & 0x10))
		MUST(r >= 0 || errno != EAGAIN);
}

static void receive_some(struct end *end, int fd)
{
	static uint8_t bytes[65536];
	static const int options[] = { 0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_DONTWAIT, MSG_OOB, MSG_ERRQUEUE, 0 };
	struct input *input = end->world->input;
	uint8_t control[100], how = input_u8(input);
	struct sockaddr_storage address;
	struct iovec part = { bytes, (size_t)input_u8(input) * (how & 0x20 ? 256 : 1) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_name = &address,
				  .msg_namelen = sizeof(address),
				  .msg_control = control,
				  .msg_controllen = input_u8(input) % sizeof(control) };
	ssize_t r = berth_recvmsg(end->stack, fd, &message, options[how & 7]);

	check_result(r);
	MUST(r <= (ssize_t)part.iov_len || options[how & 7] == MSG_TRUNC);
	MUST(message.msg_controllen <= sizeof(control));
}

/* The same without a copy. Sometimes the memory stays ours, and must be let go of once. */
static void note_release(void *context)
{
	int *released = context;

	(*released)++;
}

static void pass_packet(struct end *end, int fd)
{
	static const uint8_t bytes[4096];
	static int released;
	struct input *input = end->world->input;
	uint8_t how = input_u8(input);
	struct berth_packet_pool *pool = berth_stack_packets(end->stack);
	struct berth_packet *packet;
	size_t size = 1 + (how >> 3) * 130u;
	ssize_t r;

	if (how & 1) {
		r = berth_recv_packet(end->stack, fd, &packet, how & 2 ? MSG_DONTWAIT : 0);
		check_result(r);
		if (r > 0)
			berth_packet_unref(packet);
		return;
	}
	packet = how & 2 ? berth_packet_copy(pool, bytes, size)
			 : berth_packet_wrap(pool, bytes, size, note_release, &released);
	if (!packet)
		return;
	r = berth_send_packet(end->stack, fd, packet, how & 4 ? MSG_MORE : MSG_DONTWAIT);
	check_result(r);
	MUST(r <= (ssize_t)size);
	if (r < 0)
		berth_packet_unref(packet);
}

/* Options whose values a random input would hardly ever hit. */
static void choose(struct end *end, int fd)
{
	static const char *const controls[] = { "bbr", "cubic", "reno", "none" };
	static const int options[] = { TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE };
	uint8_t how = input_u8(end->world->input);
	const char *control = controls[how >> 2 & 3];
	int on = how >> 4;

	switch (how & 3) {
	case 0:
		check_result(berth_setsockopt(end->stack, fd, IPPROTO_TCP, TCP_CONGESTION, control,
					      (socklen_t)strlen(control)));
		break;
	case 1:
		on = on ? 1000 << on : -1;
		check_result(berth_setsockopt(end->stack, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &on, sizeof(on)));
		break;
	case 2:
		check_result(berth_setsockopt(end->stack, fd, IPPROTO_TCP, options[(how >> 2) % 3], &on, sizeof(on)));
		break;
	default:
		on &= 1;
		check_result(berth_setsockopt(end->stack, fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
		check_result(berth_sockatmark(end->stack, fd));
	}
}

static void set_option(struct end *end, int fd)
{
	static const int levels[] = { SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, BERTH_SOL, IPPROTO_UDP };
	struct input *input = end->world->input;
	int level = levels[input_u8(input) % COUNT_OF(levels)], option = input_u8(input);
	uint8_t value[64];
	socklen_t length = sizeof(value);
	size_t size = input_u8(input) % 33u;
	const uint8_t *bytes = input_bytes(input, &size);

	memset(value, 0xa5, sizeof(value));
	check_result(berth_getsockopt(end->stack, fd, level, option, value, &length));
	MUST(length <= sizeof(value));
	memset(value, 0, sizeof(value));
	memcpy(value, bytes, size);
	if (level == SOL_SOCKET && option == SO_RCVLOWAT && fd < WORLD_FDS)
		end->low_water[fd] = true;
	check_result(berth_setsockopt(end->stack, fd, level, option, value, size ? (socklen_t)size : 4));
}

static void close_one(struct end *end, int fd, bool reset)
{
	int r = (reset ? berth_abort : berth_close)(end->stack, fd);

	check_result(r);
	MUST(berth_readiness(end->stack, fd) < 0);
	if (fd < WORLD_FDS)
		end->low_water[fd] = false;
}

static void ask_names(struct end *end, int fd)
{
	struct sockaddr_storage address;
	socklen_t length = input_u8(end->world->input) % (sizeof(address) + 1);

	check_result(berth_getsockname(end->stack, fd, (void *)&address, &length));
	length = sizeof(address);
	check_result(berth_getpeername(end->stack, fd, (void *)&address, &length));
}

static int walk(void *context, const struct berth_socket_info *info)
{
	MUST(info->state && info->protocol_name);
	return 0;
}

static void look_around(struct end *end)
{
	struct berth_ready ready[4];
	int fds[4], count = berth_poll(end->stack, ready, 4);

	MUST(count <= 4);
	for (int i = 0; i < count; i++)
		MUST(berth_readiness(end->stack, ready[i].fd) == (int)ready[i].events);
	MUST(berth_socket_each(end->stack, walk, NULL) == 0);
	berth_port_holders(end->stack, IPPROTO_TCP, 80, fds, 4);
}

static void name_it(struct end *end, int fd, bool connect)
{
	struct sockaddr_storage address;
	socklen_t length = any_address(end->world->input, &address);

	check_result((connect ? berth_connect : berth_bind)(end->stack, fd, (void *)&address, length));
}

void call_any(struct end *end)
{
	struct input *input = end->world->input;
	uint8_t call = input_u8(input);
	int fd = call >> 4;

	switch (call & 15) {
	case 0:
		open_socket(end);
		break;
	case 1:
		name_it(end, fd, false);
		break;
	case 2:
		check_result(berth_listen(end->stack, fd, input_u8(input) % 4));
		break;
	case 3:
		accept_one(end, fd);
		break;
	case 4:
		name_it(end, fd, true);
		break;
	case 5:
	case 6:
		send_some(end, fd);
		break;
	case 7:
	case 8:
		receive_some(end, fd);
		break;
	case 9:
		check_result(berth_shutdown(end->stack, fd, input_u8(input) % 4));
		break;
	case 10:
	case 11:
		close_one(end, fd, (call & 15) == 11);
		break;
	case 12:
		set_option(end, fd);
		break;
	case 13:
		ask_names(end, fd);
		break;
	case 14:
		look_around(end);
		break;
	default: {
		uint8_t how = input_u8(input);

		if (how & 0x80)
			pass_packet(end, fd);
		else if (how & 0x40)
			choose(end, fd);
		else
			check_result(berth_set_nonblocking(end->stack, fd, how & 1));
	}
	}
}
