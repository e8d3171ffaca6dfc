/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of kernel.t: our stack on a real device, TAP or AF_PACKET, with
 * the kernel's TCP opposite. Two parts to play:
 *
 *	kernel_peer tap|packet DEVICE ADDRESS LENGTH listen PORT
 *	kernel_peer tap|packet DEVICE ADDRESS LENGTH connect PEER PORT MIB
 *
 * listen takes one connection and sends back what it gets, to its end. connect
 * sends MIB mebibytes of a pattern and checks that the peer sends them back.
 *
 * Also a small example of blocking calls: the wait hook is the whole engine.
 */
#include <berth/berth.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK 65536
#define FRAMES 64 /* read at once */

struct peer {
	struct berth_stack *stack;
	struct berth_tap *tap;
	struct berth_afpacket *packet;
	struct berth_ip address;
};

static berth_time now_of(void *context)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * BERTH_SEC + now.tv_nsec;
}

/* The wait hook: sleep until a frame arrives or a timer is due, then let the stack go on. */
static int world_turn(void *context, berth_time deadline)
{
	struct peer *peer = context;
	struct pollfd poll_fd = { .fd = peer->tap ? berth_tap_fd(peer->tap) : berth_afpacket_fd(peer->packet),
				  .events = POLLIN };
	berth_time now = now_of(NULL), due = berth_stack_deadline(peer->stack);
	int r, timeout;

	due = due < deadline ? due : deadline;
	timeout = due <= now ? 0 : due - now > BERTH_SEC ? 1000 : (int)((due - now) / BERTH_MSEC + 1);
	if (poll(&poll_fd, 1, timeout) < 0 && errno != EINTR)
		return -errno;
	now = now_of(NULL);
	r = peer->tap ? berth_tap_read(peer->tap, FRAMES, now) : berth_afpacket_read(peer->packet, FRAMES, now);
	berth_stack_advance(peer->stack, now);
	return r < 0 ? r : 0;
}

static void die(const char *what)
{
	fprintf(stderr, "kernel_peer: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static struct berth_ip ip_of(const char *text)
{
	struct berth_ip ip;

	errno = EINVAL;
	if (berth_ip_parse(text, &ip))
		die(text);
	return ip;
}

static void open_device(struct peer *peer, const char *kind, const char *device, const char *address, int length)
{
	static const uint8_t mac[6] = { 0x02, 0xbe, 0x27, 0x48, 0x00, 0x01 };
	struct berth_link *link;
	int r;

	if (!strcmp(kind, "tap"))
		r = berth_tap_open(peer->stack, device, mac, 1500, &peer->tap);
	else
		r = berth_afpacket_open(peer->stack, device, mac, 1500, &peer->packet);
	if (!r) {
		link = peer->tap ? berth_tap_link(peer->tap) : berth_afpacket_link(peer->packet);
		peer->address = ip_of(address);
		r = berth_link_add_address(link, peer->address, (unsigned)length);
	}
	errno = -r;
	if (r)
		die(device);
}

/* A sockaddr for text: IPv4 when text has no colon. Returns its length. */
static socklen_t sockaddr_of(const char *text, const char *port, struct sockaddr_storage *ret_address)
{
	struct berth_ip ip = ip_of(text);
	struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (strchr(text, ':')) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)atoi(port));
		memcpy(&six->sin6_addr, ip.bytes, 16);
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons((uint16_t)atoi(port));
	memcpy(&four->sin_addr, ip.bytes + 12, 4);
	return sizeof(*four);
}

/* An IPv6 address may be used once nobody else has claimed it (RFC 4862 §5.4): let that time go by. */
static void await_address(struct peer *peer, const char *address)
{
	struct sockaddr_storage local;
	socklen_t length = sockaddr_of(address, "0", &local);
	berth_time end = now_of(NULL) + 30 * BERTH_SEC;
	int fd = berth_socket(peer->stack, local.ss_family, SOCK_DGRAM, 0);

	while (berth_bind(peer->stack, fd, (struct sockaddr *)&local, length)) {
		if (errno != EADDRNOTAVAIL || now_of(NULL) > end || world_turn(peer, end) < 0)
			die(address);
	}
	berth_close(peer->stack, fd);
}

/* What went twice, and what the stack would not have: on a cable that loses nothing, nothing. */
static void tell_retransmits(struct peer *peer, int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (berth_getsockopt(peer->stack, fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0)
		fprintf(stderr, "%u segments sent twice\n", info.tcpi_total_retrans);
}

static void send_all(struct berth_stack *stack, int fd, const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t n = berth_send(stack, fd, bytes, length, 0);

		if (n < 0)
			die("send");
		bytes += n;
		length -= (size_t)n;
	}
}

/* Close, and stay until the last acknowledgement is through: the stack has no other home than us. */
static void part(struct peer *peer, int fd)
{
	berth_time end = now_of(NULL) + BERTH_SEC;

	berth_close(peer->stack, fd);
	while (now_of(NULL) < end)
		world_turn(peer, end);
}

static void play_listener(struct peer *peer, const char *address, const char *port)
{
	static uint8_t bytes[CHUNK];
	struct sockaddr_storage local;
	socklen_t length = sockaddr_of(address, port, &local);
	int listener = berth_socket(peer->stack, local.ss_family, SOCK_STREAM, 0), fd;
	size_t total = 0;
	ssize_t n;

	if (berth_bind(peer->stack, listener, (struct sockaddr *)&local, length) ||
	    berth_listen(peer->stack, listener, 4))
		die("listen");
	puts("listening");
	fd = berth_accept(peer->stack, listener, NULL, NULL, 0);
	if (fd < 0)
		die("accept");
	while ((n = berth_recv(peer->stack, fd, bytes, sizeof(bytes), 0)) > 0) {
		send_all(peer->stack, fd, bytes, (size_t)n);
		total += (size_t)n;
	}
	if (n < 0)
		die("recv");
	tell_retransmits(peer, fd);
	printf("echoed %zu bytes\n", total);
	part(peer, fd);
}

/* Bytes that tell where they belong: a shift by any amount shows. */
static void pattern_fill(uint8_t *bytes, size_t length, uint64_t position)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)((position + i) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static void receive_exactly(struct berth_stack *stack, int fd, uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t n = berth_recv(stack, fd, bytes, length, 0);

		if (n == 0)
			errno = EPIPE;
		if (n <= 0)
			die("recv");
		bytes += n;
		length -= (size_t)n;
	}
}

static void play_client(struct peer *peer, const char *address, const char *port, const char *mib)
{
	static uint8_t sent[CHUNK], received[CHUNK];
	uint64_t total = strtoull(mib, NULL, 10) << 20;
	struct sockaddr_storage remote;
	socklen_t length = sockaddr_of(address, port, &remote);
	int fd = berth_socket(peer->stack, remote.ss_family, SOCK_STREAM, 0);

	if (berth_connect(peer->stack, fd, (struct sockaddr *)&remote, length))
		die("connect");
	for (uint64_t position = 0; position < total; position += CHUNK) {
		pattern_fill(sent, CHUNK, position);
		send_all(peer->stack, fd, sent, CHUNK);
		receive_exactly(peer->stack, fd, received, CHUNK);
		errno = EILSEQ;
		if (memcmp(sent, received, CHUNK))
			die("what came back is not what was sent");
	}
	tell_retransmits(peer, fd);
	printf("%llu bytes came back right\n", (unsigned long long)total);
	part(peer, fd);
}

int main(int argc, char **argv)
{
	struct peer peer = { 0 };
	struct berth_stack_config config = {
		.seed = (uint64_t)now_of(NULL),
		.now = now_of(NULL),
		.hooks = { .context = &peer, .wait = world_turn, .now = now_of },
	};
	bool listens = argc == 7 && !strcmp(argv[5], "listen");

	if (!listens && !(argc == 9 && !strcmp(argv[5], "connect"))) {
		fprintf(stderr,
			"usage: kernel_peer tap|packet DEVICE ADDRESS LENGTH listen PORT | connect PEER PORT MIB\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	peer.stack = berth_stack_new(&config);
	if (!peer.stack)
		die("stack");
	open_device(&peer, argv[1], argv[2], argv[3], atoi(argv[4]));
	await_address(&peer, argv[3]);
	if (listens)
		play_listener(&peer, argv[3], argv[6]);
	else
		play_client(&peer, argv[6], argv[7], argv[8]);
	if (peer.tap)
		berth_tap_close(peer.tap);
	if (peer.packet)
		berth_afpacket_close(peer.packet);
	berth_stack_free(peer.stack);
	return 0;
}
