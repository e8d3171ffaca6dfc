/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server on a TAP device that lives through whatever comes: a page for each
 * connection to port 80, an echo of datagrams at port 7, with a limit on memory.
 * For attack.t, which reads what it says when SIGTERM ends it.
 *
 *	attacked tap:NAME MEMORY-KIB ADDRESS/LENGTH…
 */
#include <berth/berth.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 512, DESCRIPTORS = 4096, PAGE = 100000 };

static const char head[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n";

static struct berth_stack *stack;
static int tcp, udp;
static char page[sizeof(head) - 1 + PAGE];
static struct client {
	int fd; /* 0: none; tcp and udp come first */
	size_t sent;
	bool asked;
} clients[CLIENTS];
static unsigned next_client; /* whose turn it is to give way */
static size_t live, most, most_used;
static uint64_t pages, datagrams;
static volatile sig_atomic_t ended;

static void *count_alloc(void *context, size_t size)
{
	live += size;
	most = live > most ? live : most;
	return malloc(size);
}

static void count_free(void *context, void *memory, size_t size)
{
	live -= memory ? size : 0;
	free(memory);
}

static void on_term(int signal)
{
	ended = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "attacked: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void hang_up(struct client *client)
{
	berth_close(stack, client->fd);
	*client = (struct client){ 0 };
}

/* Whoever asks nothing, or doesn't read, gives way to those who come later. */
static void let_in(void)
{
	int fd;

	while ((fd = berth_accept(stack, tcp, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct client *client = &clients[next_client++ % CLIENTS];

		if (client->fd)
			hang_up(client);
		client->fd = fd;
	}
}

static void serve(struct client *client)
{
	char request[4096];
	ssize_t n = berth_recv(stack, client->fd, request, sizeof(request), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		hang_up(client);
		return;
	}
	client->asked |= n > 0;
	if (!client->asked)
		return;
	n = berth_send(stack, client->fd, page + client->sent, sizeof(page) - client->sent, 0);
	client->sent += n > 0 ? (size_t)n : 0;
	if (client->sent < sizeof(page) && (n >= 0 || errno == EAGAIN))
		return;
	pages += client->sent == sizeof(page);
	hang_up(client);
}

static void echo(void)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char bytes[65536];
	ssize_t n;

	while ((n = berth_recvfrom(stack, udp, bytes, sizeof(bytes), 0, (void *)&from, &length)) >= 0) {
		berth_sendto(stack, udp, bytes, (size_t)n, 0, (void *)&from, length);
		datagrams++;
		length = sizeof(from);
	}
}

static int open_socket(int type, uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = berth_socket(stack, AF_INET6, type | SOCK_NONBLOCK, 0);

	if (fd < 0 || berth_bind(stack, fd, (void *)&any, sizeof(any)) ||
	    (type == SOCK_STREAM && berth_listen(stack, fd, 128)))
		die("socket");
	return fd;
}

static void add_address(struct berth_link *link, char *text)
{
	char *slash = strchr(text, '/');
	struct berth_ip ip;
	int r = -EINVAL;

	if (slash) {
		*slash = 0;
		r = berth_ip_parse(text, &ip) ? -EINVAL : berth_link_add_address(link, ip, (unsigned)atoi(slash + 1));
	}
	errno = -r;
	if (r < 0)
		die(text);
}

/* Everybody is reached by the kernel's end: answers to forged addresses, too, are to cost what they cost. */
static void add_way_out(struct berth_link *link)
{
	struct berth_ip gateway, any;

	if (berth_ip_parse("10.66.0.1", &gateway) || berth_ip_parse("0.0.0.0", &any) ||
	    berth_route_add(stack, any, 0, gateway, link) < 0)
		die("route");
}

static void live_through(struct berth_device *device)
{
	while (!ended) {
		int r = berth_device_turn(device, berth_clock() + BERTH_SEC, NULL, 0);
		size_t used;

		if (r < 0 && r != -EINTR) {
			errno = -r;
			die("device");
		}
		let_in();
		for (int i = 0; i < CLIENTS; i++)
			if (clients[i].fd)
				serve(&clients[i]);
		echo();
		used = berth_stack_memory(stack).used;
		most_used = used > most_used ? used : most_used;
	}
}

static void tell(void)
{
	static const struct {
		enum berth_event event;
		const char *name;
	} events[] = {
		{ BERTH_EVENT_LINK_IN, "frames" },
		{ BERTH_EVENT_TCP_COOKIE_SENT, "cookies" },
		{ BERTH_EVENT_IP_DROP_MALFORMED, "malformed" },
		{ BERTH_EVENT_IP_DROP_FRAGMENT_OVERLAP, "overlapping" },
		{ BERTH_EVENT_TCP_DROP_CHECKSUM, "damaged" },
	};

	printf("pages %llu\ndatagrams %llu\n", (unsigned long long)pages, (unsigned long long)datagrams);
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		printf("%s %llu\n", events[i].name, (unsigned long long)berth_event_count(stack, events[i].event));
	printf("limit %zu\nused %zu\nallocated %zu\n", berth_stack_memory(stack).limit, most_used, most);
}

int main(int argc, char **argv)
{
	struct berth_allocator allocator = { count_alloc, count_free, NULL };
	struct berth_stack_config config = { .seed = (uint64_t)berth_clock(),
					     .now = berth_clock(),
					     .allocator = &allocator };
	struct sigaction action = { .sa_handler = on_term };
	static const uint8_t mac[6] = { 0x02, 0xbe, 0x27, 0x48, 0x00, 0x02 }; /* as attack.py knows it */
	struct berth_device *device;
	int r;

	if (argc < 4) {
		fputs("usage: attacked tap:NAME MEMORY-KIB ADDRESS/LENGTH...\n", stderr);
		return 2;
	}
	memcpy(page, head, sizeof(head) - 1);
	for (size_t i = 0; i < PAGE; i++)
		page[sizeof(head) - 1 + i] = (char)('a' + i * 7 % 25 + i / 1000 % 2);
	sigaction(SIGTERM, &action, NULL);
	config.limits.memory = (size_t)atoi(argv[2]) << 10;
	stack = berth_stack_new(&config);
	if (!stack)
		die("stack");
	r = berth_device_open(stack, argv[1], mac, 0, &device);
	errno = -r;
	if (r < 0)
		die(argv[1]);
	for (int i = 3; i < argc; i++)
		add_address(berth_device_link(device), argv[i]);
	add_way_out(berth_device_link(device));
	udp = open_socket(SOCK_DGRAM, 7);
	tcp = open_socket(SOCK_STREAM, 80);
	puts("listening");
	fflush(stdout);
	live_through(device);
	tell();
	berth_device_close(device);
	berth_stack_free(stack);
	printf("left %zu\n", live);
	return 0;
}
