/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tun2socks: TCP connections that programs send into a device, to any address
 * and port, end in Berth's TCP, and go on through a SOCKS5 proxy (RFC 1928) or,
 * with "direct", through the machine's own sockets.
 *
 *	tunnel                                               in memory: with a proxy of its own
 *	tunnel tap:NAME ADDRESS/LENGTH PROXY-ADDRESS:PORT
 *	tunnel tap:NAME ADDRESS/LENGTH direct
 *
 * Route what is to go through the tunnel to ADDRESS on the device. A connection
 * is accepted before the far end is reached; if it can't be, it is reset.
 */
#include <berth/berth.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FLOWS = 1000, CHUNK = 65536, REPLY_MAX = 22 };
enum stage { CONNECTING, GREETING, ASKING, OPEN };

struct flow {
	int inner; /* in our stack */
	int outer; /* the kernel's; -1: this flow is free */
	enum stage stage;
	struct sockaddr_in6 target; /* IPv4 mapped */
	uint8_t reply[REPLY_MAX];
	size_t reply_length;
	bool inner_ended, outer_ended; /* no more comes from there */
	/* What was read from outside and the stack has not taken yet. */
	uint8_t *held;
	size_t held_length, held_sent;
};

static struct berth_stack *stack;
static struct sockaddr_in proxy;
static bool direct;
static struct flow flows[FLOWS];
static int listener;

static void die(const char *what)
{
	fprintf(stderr, "tunnel: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void flow_end(struct flow *flow, bool reset)
{
	if (reset)
		berth_abort(stack, flow->inner);
	else
		berth_close(stack, flow->inner);
	close(flow->outer);
	free(flow->held);
	*flow = (struct flow){ .outer = -1 };
}

static int connect_outer(const struct flow *flow)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = flow->target.sin6_port };
	bool is4 = IN6_IS_ADDR_V4MAPPED(&flow->target.sin6_addr);
	const struct sockaddr *to = (const struct sockaddr *)&flow->target;
	socklen_t length = sizeof(flow->target);
	int fd;

	if (!direct) {
		to = (const struct sockaddr *)&proxy;
		length = sizeof(proxy);
	} else if (is4) {
		memcpy(&four.sin_addr, flow->target.sin6_addr.s6_addr + 12, 4);
		to = (const struct sockaddr *)&four;
		length = sizeof(four);
	}
	fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, to, length) < 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

static void welcome(void)
{
	int inner;

	while ((inner = berth_accept(stack, listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct flow *flow = flows;
		socklen_t length = sizeof(flow->target);

		while (flow < flows + FLOWS && flow->outer >= 0)
			flow++;
		if (flow == flows + FLOWS) {
			berth_abort(stack, inner);
			continue;
		}
		*flow = (struct flow){ .inner = inner, .outer = -1 };
		berth_getsockname(stack, inner, (struct sockaddr *)&flow->target, &length); /* whom it was sent to */
		flow->outer = connect_outer(flow);
		if (flow->outer < 0)
			berth_abort(stack, inner);
	}
}

/* The next word of the conversation with the proxy. False: that is the end of the flow. */
static bool say(struct flow *flow, const void *bytes, size_t length, enum stage next)
{
	flow->stage = next;
	flow->reply_length = 0;
	return send(flow->outer, bytes, length, MSG_NOSIGNAL) == (ssize_t)length; /* a few bytes always fit */
}

static bool connected(struct flow *flow)
{
	int error = 0;
	socklen_t length = sizeof(error);

	getsockopt(flow->outer, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error)
		return false;
	flow->stage = OPEN;
	return direct || say(flow, "\x05\x01\x00", 3, GREETING); /* version 5, one method: none */
}

/* CONNECT to the target: RFC 1928 §4. */
static bool ask(struct flow *flow)
{
	bool is4 = IN6_IS_ADDR_V4MAPPED(&flow->target.sin6_addr);
	uint8_t request[4 + 16 + 2] = { 5, 1, 0, is4 ? 1 : 4 };
	size_t size = is4 ? 4 : 16;

	memcpy(request + 4, flow->target.sin6_addr.s6_addr + 16 - size, size);
	memcpy(request + 4 + size, &flow->target.sin6_port, 2);
	return say(flow, request, 4 + size + 2, ASKING);
}

/* How long the reply is that begins so: RFC 1928 §3, §6. Names are not taken. */
static size_t reply_size(const struct flow *flow)
{
	if (flow->stage == GREETING)
		return 2;
	return flow->reply_length < 4 ? 4 : flow->reply[3] == 4 ? 22 : 10;
}

static bool hear(struct flow *flow)
{
	while (flow->reply_length < reply_size(flow)) {
		ssize_t n =
			recv(flow->outer, flow->reply + flow->reply_length, reply_size(flow) - flow->reply_length, 0);

		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		flow->reply_length += (size_t)n;
	}
	if (flow->reply[0] != 5 || flow->reply[1] != 0)
		return false;
	if (flow->stage == GREETING)
		return ask(flow);
	flow->stage = OPEN;
	return true;
}

/* From the stack out. What the kernel does not take stays in the stack: peek first. */
static bool pump_out(struct flow *flow)
{
	static uint8_t bytes[CHUNK];
	ssize_t got, sent;

	while (!flow->inner_ended && (got = berth_recv(stack, flow->inner, bytes, sizeof(bytes), MSG_PEEK)) != 0) {
		sent = got > 0 ? send(flow->outer, bytes, (size_t)got, MSG_NOSIGNAL) : got;
		if (sent < 0)
			return errno == EAGAIN;
		berth_recv(stack, flow->inner, bytes, (size_t)sent, 0);
	}
	if (!flow->inner_ended)
		shutdown(flow->outer, SHUT_WR);
	flow->inner_ended = true;
	return true;
}

/* From outside into the stack. Read only when the last piece has been taken. */
static bool pump_in(struct flow *flow)
{
	if (!flow->held && !(flow->held = malloc(CHUNK)))
		return false;
	while (!flow->outer_ended || flow->held_length) {
		if (!flow->held_length) {
			ssize_t got = recv(flow->outer, flow->held, CHUNK, 0);

			if (got < 0)
				return errno == EAGAIN;
			flow->held_length = (size_t)got;
			flow->held_sent = 0;
			flow->outer_ended = got == 0;
			if (!got)
				berth_shutdown(stack, flow->inner, SHUT_WR);
			continue;
		}
		ssize_t sent = berth_send(stack, flow->inner, flow->held + flow->held_sent,
					  flow->held_length - flow->held_sent, 0);
		if (sent < 0)
			return errno == EAGAIN;
		flow->held_sent += (size_t)sent;
		flow->held_length = flow->held_sent == flow->held_length ? 0 : flow->held_length;
	}
	return true;
}

static void flow_run(struct flow *flow, unsigned outer_events)
{
	bool good = true;

	if (flow->stage == CONNECTING && outer_events & (POLLOUT | POLLERR | POLLHUP))
		good = connected(flow);
	if (good && (flow->stage == GREETING || flow->stage == ASKING))
		good = hear(flow);
	if (good && flow->stage == OPEN)
		good = pump_out(flow) && pump_in(flow);
	if (!good || (flow->inner_ended && flow->outer_ended && !flow->held_length))
		flow_end(flow, !good);
}

/* What each flow wants to know of its outer socket. Returns how many. */
static unsigned watch(struct pollfd *poll, struct flow **who)
{
	unsigned count = 0;

	for (struct flow *flow = flows; flow < flows + FLOWS; flow++) {
		if (flow->outer < 0)
			continue;
		short events = flow->stage == CONNECTING ? POLLOUT : POLLIN;

		if (flow->stage == OPEN && (flow->held_length || flow->outer_ended))
			events = 0; /* the stack is to take that first */
		if (flow->stage == OPEN && !flow->inner_ended && berth_readiness(stack, flow->inner) & BERTH_POLLIN)
			events |= POLLOUT; /* it waits for the kernel to take more */
		who[count] = flow;
		poll[count++] = (struct pollfd){ events ? flow->outer : -1, events, 0 }; /* -1: not even its end */
	}
	return count;
}

static int listen_to_all(struct berth_link *link)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(1) };

	berth_link_set_intercept(link, true);
	listener = berth_socket(stack, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (berth_bind(stack, listener, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    berth_setsockopt(stack, listener, BERTH_SOL, BERTH_ANY_PORT, &(int){ 1 }, sizeof(int)) < 0 ||
	    berth_listen(stack, listener, 256) < 0)
		return -1;
	for (size_t i = 0; i < FLOWS; i++)
		flows[i].outer = -1;
	return 0;
}

/* Everything that can go on, goes on. */
static void run(const struct pollfd *poll, struct flow **who, unsigned count)
{
	welcome();
	for (unsigned i = 0; i < count; i++)
		if (who[i]->outer >= 0)
			flow_run(who[i], (unsigned)poll[i].revents);
}

static int on_device(const char *name, char *address)
{
	static struct pollfd poll[FLOWS];
	static struct flow *who[FLOWS];
	struct berth_stack_config config = { .seed = (uint64_t)berth_clock(), .now = berth_clock() };
	struct berth_device *device;
	struct berth_ip ip;
	char *slash = strchr(address, '/');
	int r;

	if (slash)
		*slash = 0;
	errno = EINVAL;
	stack = berth_stack_new(&config);
	if (!stack || !slash || berth_ip_parse(address, &ip) < 0)
		die(address);
	r = berth_device_open(stack, name, NULL, 0, &device);
	if (r == 0)
		r = berth_link_add_address(berth_device_link(device), ip, (unsigned)atoi(slash + 1));
	errno = -r;
	if (r < 0)
		die(name);
	if (listen_to_all(berth_device_link(device)) < 0)
		die("listen");
	puts("the tunnel is open");
	fflush(stdout);
	do {
		unsigned count = watch(poll, who);

		r = berth_device_turn(device, BERTH_NEVER, poll, count);
		run(poll, who, count);
		berth_stack_advance(stack, berth_clock());
	} while (r == 0);
	berth_device_close(device);
	berth_stack_free(stack);
	return 0;
}

/* The self-test's proxy, a process of its own: tells the client whom it asked for. One connection. */
static void play_proxy(int server)
{
	uint8_t bytes[64];
	char text[64];
	int fd = accept(server, NULL, NULL);

	if (recv(fd, bytes, 3, MSG_WAITALL) != 3 || send(fd, "\x05\x00", 2, 0) != 2 ||
	    recv(fd, bytes, 10, MSG_WAITALL) != 10)
		_exit(1);
	send(fd, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10, 0);
	snprintf(text, sizeof(text), "you have reached %u.%u.%u.%u port %u", bytes[4], bytes[5], bytes[6], bytes[7],
		 bytes[8] << 8 | bytes[9]);
	send(fd, text, strlen(text), 0);
	shutdown(fd, SHUT_WR);
	_exit(recv(fd, bytes, 4, MSG_WAITALL) == 4 && !memcmp(bytes, "ping", 4) ? 0 : 1);
}

/* The in-memory cable of the self-test: frames wait until both stacks have returned. */
struct cable_end {
	struct berth_stack *stack;
	struct berth_link *link;
	struct berth_packet *waiting[256];
	unsigned count;
};

static void carry(void *context, struct berth_packet *packet)
{
	struct cable_end *far = context;

	if (far->count < 256)
		far->waiting[far->count++] = packet;
	else
		berth_packet_unref(packet);
}

static void deliver(struct cable_end *end, berth_time now)
{
	for (unsigned i = 0; i < end->count; i++)
		berth_stack_input(end->stack, end->link, end->waiting[i], now);
	end->count = 0;
	berth_stack_advance(end->stack, now);
}

static int start_proxy(pid_t *ret_pid)
{
	socklen_t length = sizeof(proxy);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	proxy = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(server, (struct sockaddr *)&proxy, sizeof(proxy)) < 0 || listen(server, 1) < 0 ||
	    getsockname(server, (struct sockaddr *)&proxy, &length) < 0) {
		close(server);
		return -1;
	}
	*ret_pid = fork();
	if (*ret_pid == 0)
		play_proxy(server);
	close(server);
	return *ret_pid < 0 ? -1 : 0;
}

static void add_link(struct cable_end *end, struct cable_end *far, const char *address)
{
	struct berth_link_config config = {
		.name = "eth0", .type = BERTH_LINK_IP, .mtu = 1500, .transmit = carry, .context = far
	};
	struct berth_ip ip, all;

	berth_ip_parse(address, &ip);
	berth_ip_parse("0.0.0.0", &all);
	end->stack = berth_stack_new(&(struct berth_stack_config){ .seed = 1, .now = berth_clock() });
	if (!end->stack || berth_link_add(end->stack, &config, &end->link) < 0 ||
	    berth_link_add_address(end->link, ip, 24) < 0 ||
	    berth_route_add(end->stack, all, 0, (struct berth_ip){ { 0 } }, end->link) < 0)
		exit(1);
}

static int test_in_memory(void)
{
	static struct cable_end client, tunnel;
	static struct pollfd polls[FLOWS];
	static struct flow *who[FLOWS];
	struct sockaddr_in there = { .sin_family = AF_INET,
				     .sin_port = htons(443),
				     .sin_addr.s_addr = htonl(0xc0000207) };
	berth_time end = berth_clock() + 30 * BERTH_SEC;
	char text[64] = "";
	int fd, status = 1;
	pid_t pid;

	if (start_proxy(&pid) < 0)
		die("proxy");
	add_link(&client, &tunnel, "10.0.0.2");
	add_link(&tunnel, &client, "10.0.0.1");
	stack = tunnel.stack;
	if (listen_to_all(tunnel.link) < 0)
		die("listen");
	fd = berth_socket(client.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	berth_connect(client.stack, fd, (struct sockaddr *)&there, sizeof(there));
	while (berth_recv(client.stack, fd, text, sizeof(text) - 1, MSG_PEEK) <= 0 && berth_clock() < end) {
		unsigned count = watch(polls, who);

		poll(polls, count, 1);
		run(polls, who, count);
		deliver(&tunnel, berth_clock());
		deliver(&client, berth_clock());
	}
	berth_send(client.stack, fd, "ping", 4, 0);
	berth_close(client.stack, fd);
	while (!waitpid(pid, &status, WNOHANG) && berth_clock() < end) {
		unsigned count = watch(polls, who);

		deliver(&client, berth_clock());
		deliver(&tunnel, berth_clock());
		poll(polls, count, 1);
		run(polls, who, count);
	}
	puts(text);
	berth_stack_free(client.stack);
	berth_stack_free(tunnel.stack);
	return status == 0 && !strcmp(text, "you have reached 192.0.2.7 port 443") ? 0 : 1;
}

int main(int argc, char **argv)
{
	char *colon;

	if (argc < 4)
		return test_in_memory();
	direct = !strcmp(argv[3], "direct");
	colon = strrchr(argv[3], ':');
	if (!direct) {
		proxy.sin_family = AF_INET;
		errno = EINVAL;
		if (!colon)
			die(argv[3]);
		*colon = 0;
		struct berth_ip ip;
		if (berth_ip_parse(argv[3], &ip) < 0)
			die(argv[3]);
		memcpy(&proxy.sin_addr, ip.bytes + 12, 4);
		proxy.sin_port = htons((uint16_t)atoi(colon + 1));
	}
	return on_device(argv[1], argv[2]);
}
