/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libberth on a TAP device or the kernel's interface, and the kernel's TCP at
 * the other end: bulk, up (to the kernel) or down (from it).
 *
 *	device up|down DEVICE ADDRESS/LENGTH PEER PORT SECONDS [MTU [plain]]
 *
 * DEVICE as berth_device_open() takes it; plain: frames are cut and summed here, not by the kernel. Prints Gbit/s of what was acknowledged
 * (up) or read (down).
 */
#include "measure.h"

#include <arpa/inet.h>
#include <berth/berth.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 * 1024 };

static uint8_t bytes[PIECE];
static struct berth_stack *stack;
static struct berth_device *device;

static void must(int r, const char *what)
{
	if (r < 0) {
		errno = -r;
		fail(what);
	}
}

static int wait_hook(void *context, berth_time deadline)
{
	int r = berth_device_turn(device, deadline, NULL, 0);

	return r == -EINTR ? 0 : r;
}

static berth_time now_hook(void *context)
{
	return berth_clock();
}

static void open_device(const char *name, char *address, unsigned mtu)
{
	struct berth_stack_config config = { .now = berth_clock(),
					     .seed = (uint64_t)berth_clock(),
					     .hooks = { .wait = wait_hook, .now = now_hook } };
	char *slash = strchr(address, '/');
	struct berth_ip ip;

	stack = berth_stack_new(&config);
	must(berth_device_open(stack, name, NULL, mtu, &device), name);
	*slash = '\0';
	if (berth_ip_parse(address, &ip))
		fail(address);
	must(berth_link_add_address(berth_device_link(device), ip, (unsigned)atoi(slash + 1)), "address");
}

static int dial(const char *peer, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = berth_socket(stack, AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, peer, &to.sin_addr);
	if (berth_connect(stack, fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		fail("connect");
	return fd;
}

int main(int argc, char **argv)
{
	uint64_t count = 0;
	double begun, seconds;
	bool up;
	int fd;

	if (argc < 7 || !strchr(argv[3], '/')) {
		fprintf(stderr, "usage: device up|down DEVICE ADDRESS/LENGTH PEER PORT SECONDS [MTU [plain]]\n");
		return 2;
	}
	up = !strcmp(argv[1], "up");
	seconds = strtod(argv[6], NULL);
	open_device(argv[2], argv[3], argc > 7 ? (unsigned)atoi(argv[7]) : 1500);
	if (argc > 8) {
		must(berth_device_set_offload(device, BERTH_OUT, false), "offload");
		berth_device_set_offload(device, BERTH_IN, false); /* a packet: device has no say: ethtool has */
	}
	fd = dial(argv[4], (uint16_t)atoi(argv[5]));
	begun = clock_seconds();
	while (clock_seconds() - begun < seconds) {
		ssize_t n = up ? berth_send(stack, fd, bytes, sizeof(bytes), 0)
			       : berth_recv(stack, fd, bytes, sizeof(bytes), 0);

		if (n <= 0)
			fail(up ? "send" : "recv");
		count += (uint64_t)n;
	}
	printf("%.6g\n", (double)count * 8 / (clock_seconds() - begun) / 1e9);
	berth_abort(stack, fd);
	berth_device_close(device);
	berth_stack_free(stack);
	return 0;
}
