/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of dhcp.t: our stack on a device, with its DHCP client on.
 *
 *	dhcp_client tap|packet DEVICE bind|decline|RENEWALS [PEER]
 *
 * With "decline" waits until an offered address was declined, and that is all.
 * Else says what the lease says in a line, waits until it was renewed so many
 * times ("bind": none, but the address is probed first), sends PEER, if given, a datagram with the address in it, and gives the lease back.
 */
#include <berth/berth.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE (60 * BERTH_SEC)
#define FRAMES 64

static struct berth_stack *stack;
static struct berth_tap *tap;
static struct berth_afpacket *packet;
static struct berth_link *link_;

static berth_time now_of(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * BERTH_SEC + now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "dhcp_client: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Let the stack live for a moment. */
static void world_turn(void)
{
	struct pollfd poll_fd = { .fd = tap ? berth_tap_fd(tap) : berth_afpacket_fd(packet), .events = POLLIN };
	berth_time now = now_of(), due = berth_stack_deadline(stack);
	int timeout = due <= now ? 0 : due - now > BERTH_SEC / 10 ? 100 : (int)((due - now) / BERTH_MSEC + 1);

	poll(&poll_fd, 1, timeout);
	now = now_of();
	if (tap)
		berth_tap_read(tap, FRAMES, now);
	else
		berth_afpacket_read(packet, FRAMES, now);
	berth_stack_advance(stack, now);
}

static void await(unsigned event, uint64_t count, const char *what)
{
	berth_time end = now_of() + PATIENCE;

	while (berth_event_count(stack, event) < count) {
		if (now_of() > end) {
			errno = ETIMEDOUT;
			die(what);
		}
		world_turn();
	}
}

static void say_lease(const struct berth_dhcp_info *lease)
{
	char address[BERTH_IP_STRLEN], router[BERTH_IP_STRLEN], dns[BERTH_IP_STRLEN];

	printf("%s/%u router %s dns %s mtu %u lease %d s\n", berth_ip_format(lease->address, address),
	       lease->prefix_length, berth_ip_format(lease->router, router),
	       lease->dns_server_count ? berth_ip_format(lease->dns_servers[0], dns) : "none", lease->mtu,
	       (int)((lease->expires_at - lease->renew_at) / BERTH_SEC));
}

/* A datagram from the leased address to port 9 of text. */
static void greet(const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = berth_socket(stack, AF_INET, SOCK_DGRAM, 0);
	struct berth_ip ip;

	if (berth_ip_parse(text, &ip))
		die(text);
	memcpy(&to.sin_addr, ip.bytes + 12, 4);
	if (berth_sendto(stack, fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)) != 5)
		die("sendto");
	for (int i = 0; i < 5; i++)
		world_turn();
}

static void use_lease(uint64_t renewals, const char *peer)
{
	struct berth_dhcp_info lease;

	await(BERTH_EVENT_DHCP_BOUND, 1, "no lease");
	berth_link_dhcp_inspect(link_, &lease);
	say_lease(&lease);
	await(BERTH_EVENT_DHCP_RENEWED, renewals, "not renewed");
	printf("renewed %llu times\n", (unsigned long long)renewals);
	if (peer)
		greet(peer);
}

int main(int argc, char **argv)
{
	static const uint8_t mac[6] = { 0x02, 0xbe, 0x27, 0x48, 0x00, 0x02 };
	struct berth_stack_config config = { .seed = (uint64_t)now_of(), .now = now_of() };
	struct berth_dhcp_config dhcp = { .host_name = "boat" };
	int r;

	if (argc < 4) {
		fprintf(stderr, "usage: dhcp_client tap|packet DEVICE bind|decline|RENEWALS [PEER]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	dhcp.flags = strcmp(argv[3], "bind") && strcmp(argv[3], "decline") ? BERTH_DHCP_NO_PROBE : 0;
	stack = berth_stack_new(&config);
	if (!stack)
		die("stack");
	r = !strcmp(argv[1], "tap") ? berth_tap_open(stack, argv[2], mac, 1500, &tap)
				    : berth_afpacket_open(stack, argv[2], mac, 1500, &packet);
	if (r >= 0) {
		link_ = tap ? berth_tap_link(tap) : berth_afpacket_link(packet);
		r = berth_link_dhcp_start(link_, &dhcp);
	}
	errno = -r;
	if (r < 0)
		die(argv[2]);
	if (!strcmp(argv[3], "decline"))
		await(BERTH_EVENT_DHCP_DECLINED, 1, "nothing was declined");
	else
		use_lease(strtoull(argv[3], NULL, 10), argv[4]);
	berth_link_dhcp_stop(link_);
	for (int i = 0; i < 5; i++)
		world_turn();
	berth_tap_close(tap);
	berth_afpacket_close(packet);
	berth_stack_free(stack);
	return 0;
}
