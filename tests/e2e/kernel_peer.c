/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of kernel.t: our stack on a real device, TAP, AF_PACKET or AF_XDP, with
 * the kernel's TCP opposite. Two parts to play:
 *
 *	kernel_peer [OPTION…] tap:NAME|packet:NAME|xdp:NAME ADDRESS LENGTH listen PORT
 *	kernel_peer [OPTION…] tap:NAME|packet:NAME|xdp:NAME ADDRESS LENGTH connect PEER PORT KIB
 *
 * listen takes one connection and sends back what it gets, to its end. connect
 * sends KIB kibibytes of a pattern and checks that the peer sends them back.
 * Both say the hash of what came. Options: -c CONDITIONS (of both directions,
 * as berth link has them), -n (no offload), -w CAPTURE, and -o timestamps=off, sack=off,
 * scaling=off, ecn=off or ecn=ask.
 *
 * Also a small example of blocking calls: the wait hook is the whole engine.
 */
#include <berth/berth.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536
#define WORDS_MAX 32

struct peer {
	struct berth_stack *stack;
	struct berth_device *device;
	struct berth_ip address;
	struct berth_conditions conditions;
	const char *capture;
	int whole;     /* directions in which frames are as on a wire */
	uint64_t hash; /* FNV-1a of all that was received */
};

static berth_time now_of(void *context)
{
	return berth_clock();
}

/* The wait hook. */
static int world_turn(void *context, berth_time deadline)
{
	return berth_device_turn(((struct peer *)context)->device, deadline, NULL, 0);
}

static void hash_add(struct peer *peer, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		peer->hash = (peer->hash ^ bytes[i]) * UINT64_C(0x100000001b3);
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

static void open_device(struct peer *peer, const char *device, const char *address, int length)
{
	static const uint8_t mac[6] = { 0x02, 0xbe, 0x27, 0x48, 0x00, 0x01 };
	int r = berth_device_open(peer->stack, device, mac, 1500, &peer->device);

	if (!r && peer->capture)
		r = berth_device_capture(peer->device, peer->capture);
	if (!r && peer->whole)
		r = berth_device_set_offload(peer->device, peer->whole, false);
	if (!r)
		r = berth_device_set_conditions(peer->device, BERTH_BOTH, &peer->conditions);
	if (!r) {
		peer->address = ip_of(address);
		r = berth_link_add_address(berth_device_link(peer->device), peer->address, (unsigned)length);
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

/* What went twice (on a cable that loses nothing, nothing), and what the two agreed on. */
static void tell_retransmits(struct peer *peer, int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (berth_getsockopt(peer->stack, fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		return;
	fprintf(stderr, "%u segments sent twice\n", info.tcpi_total_retrans);
	fprintf(stderr, "agreed:%s%s%s%s\n", info.tcpi_options & TCPI_OPT_TIMESTAMPS ? " timestamps" : "",
		info.tcpi_options & TCPI_OPT_SACK ? " sack" : "", info.tcpi_options & TCPI_OPT_WSCALE ? " scaling" : "",
		info.tcpi_options & TCPI_OPT_ECN ? " ecn" : "");
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
	berth_time end = now_of(NULL) + (peer->conditions.loss ? 2 : 1) * BERTH_SEC / 2;

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
		hash_add(peer, bytes, (size_t)n);
		send_all(peer->stack, fd, bytes, (size_t)n);
		total += (size_t)n;
	}
	if (n < 0)
		die("recv");
	tell_retransmits(peer, fd);
	printf("echoed %zu bytes, hash %016llx\n", total, (unsigned long long)peer->hash);
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

static void play_client(struct peer *peer, const char *address, const char *port, const char *kib)
{
	static uint8_t sent[CHUNK], received[CHUNK];
	uint64_t total = strtoull(kib, NULL, 10) << 10;
	struct sockaddr_storage remote;
	socklen_t length = sockaddr_of(address, port, &remote);
	int fd = berth_socket(peer->stack, remote.ss_family, SOCK_STREAM, 0);

	if (berth_connect(peer->stack, fd, (struct sockaddr *)&remote, length))
		die("connect");
	for (uint64_t position = 0; position < total; position += CHUNK) {
		size_t size = total - position < CHUNK ? (size_t)(total - position) : CHUNK;

		pattern_fill(sent, size, position);
		send_all(peer->stack, fd, sent, size);
		receive_exactly(peer->stack, fd, received, size);
		hash_add(peer, received, size);
		errno = EILSEQ;
		if (memcmp(sent, received, size))
			die("what came back is not what was sent");
	}
	tell_retransmits(peer, fd);
	printf("%llu bytes came back right, hash %016llx\n", (unsigned long long)total, (unsigned long long)peer->hash);
	part(peer, fd);
}

/* -o NAME=VALUE */
static void set_option(struct berth_limits *limits, const char *text)
{
	static const struct {
		const char *text;
		size_t field;
		unsigned value;
	} options[] = {
		{ "timestamps=off", offsetof(struct berth_limits, timestamps), BERTH_TIMESTAMPS_OFF },
		{ "sack=off", offsetof(struct berth_limits, sack), BERTH_SACK_OFF },
		{ "scaling=off", offsetof(struct berth_limits, window_scaling), BERTH_WINDOW_SCALING_OFF },
		{ "ecn=off", offsetof(struct berth_limits, ecn), BERTH_ECN_OFF },
		{ "ecn=ask", offsetof(struct berth_limits, ecn), BERTH_ECN_ASK },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		if (strcmp(text, options[i].text))
			continue;
		memcpy((char *)limits + options[i].field, &options[i].value, sizeof(unsigned));
		return;
	}
	errno = EINVAL;
	die(text);
}

static void set_conditions(struct peer *peer, char *text)
{
	char *words[WORDS_MAX], error[200];
	size_t count = 0;

	for (char *word = strtok(text, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
		words[count++] = word;
	if (berth_conditions_parse(&peer->conditions, words, count, error, sizeof(error)) == 0)
		return;
	fprintf(stderr, "kernel_peer: %s\n", error);
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	struct peer peer = { .hash = UINT64_C(0xcbf29ce484222325) };
	struct berth_stack_config config = {
		.seed = (uint64_t)now_of(NULL),
		.now = now_of(NULL),
		.hooks = { .context = &peer, .wait = world_turn, .now = now_of },
	};
	bool listens;
	int option;

	while ((option = getopt(argc, argv, "c:no:w:")) != -1) {
		if (option == 'c')
			set_conditions(&peer, optarg);
		else if (option == 'n') /* of packet: it is the kernel's peer that says so for what comes in */
			peer.whole = -1;
		else if (option == 'o')
			set_option(&config.limits, optarg);
		else if (option == 'w')
			peer.capture = optarg;
		else
			return 2;
	}
	argc -= optind;
	argv += optind;
	if (peer.whole && argc)
		peer.whole = strncmp(argv[0], "tap:", 4) ? BERTH_OUT : BERTH_BOTH;
	listens = argc == 5 && !strcmp(argv[3], "listen");
	if (!listens && !(argc == 7 && !strcmp(argv[3], "connect"))) {
		fprintf(stderr,
			"usage: kernel_peer [-c CONDITIONS] [-o OPTION=VALUE] [-w CAPTURE] tap:NAME|packet:NAME "
			"ADDRESS LENGTH listen PORT | connect PEER PORT KIB\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	peer.stack = berth_stack_new(&config);
	if (!peer.stack)
		die("stack");
	open_device(&peer, argv[0], argv[1], atoi(argv[2]));
	await_address(&peer, argv[1]);
	if (listens)
		play_listener(&peer, argv[1], argv[4]);
	else
		play_client(&peer, argv[4], argv[5], argv[6]);
	berth_device_close(peer.device);
	berth_stack_free(peer.stack);
	return 0;
}
