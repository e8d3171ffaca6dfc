/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of kernel_udp.t: UDP on a device, with runs of datagrams.
 *
 *	kernel_udp [-n] tap:NAME|packet:NAME|xdp:NAME ADDRESS/LENGTH PORT BYTES
 *
 * Reads several datagrams at a time (UDP_GRO), and sends them back cut as they
 * came (UDP_SEGMENT), until it has had BYTES. Says how many frames that took.
 * -n: no offload.
 */
#include <berth/berth.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct berth_stack *stack;
static struct berth_device *device;
static uint8_t bytes[65536];

static void die(const char *what)
{
	fprintf(stderr, "kernel_udp: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int wait_hook(void *context, berth_time deadline)
{
	return berth_device_turn(device, deadline, NULL, 0);
}

static berth_time now_hook(void *context)
{
	return berth_clock();
}

static void open_device(const char *name, char *address, bool plain)
{
	struct berth_stack_config config = { .seed = (uint64_t)berth_clock(),
					     .now = berth_clock(),
					     .hooks = { .wait = wait_hook, .now = now_hook } };
	static const uint8_t mac[6] = {
		0x02, 0xbe, 0x27, 0x48, 0x00, 0x02
	}; /* known to the kernel from one run to the next */
	char *slash = strchr(address, '/');
	struct berth_ip ip;
	int r;

	stack = berth_stack_new(&config);
	r = berth_device_open(stack, name, mac, 1500, &device);
	if (!r && plain)
		r = berth_device_set_offload(device, strncmp(name, "tap:", 4) ? BERTH_OUT : BERTH_BOTH, false);
	if (!r && slash) {
		*slash = '\0';
		r = berth_ip_parse(address, &ip);
	}
	if (!r && slash)
		r = berth_link_add_address(berth_device_link(device), ip, (unsigned)atoi(slash + 1));
	errno = -r;
	if (r)
		die(name);
}

static int open_socket(uint16_t port)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = berth_socket(stack, AF_INET6, SOCK_DGRAM, 0), one = 1, room = 4 << 20;

	if (berth_bind(stack, fd, (struct sockaddr *)&name, sizeof(name)) ||
	    berth_setsockopt(stack, fd, IPPROTO_UDP, UDP_GRO, &one, sizeof(one)) ||
	    berth_setsockopt(stack, fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)))
		die("socket");
	return fd;
}

/* Several datagrams, if several wait. Returns their bytes; *ret_size is how long each is. */
static ssize_t read_some(int fd, struct sockaddr_in6 *from, int *ret_size)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr message = { .msg_name = from,
				  .msg_namelen = sizeof(*from),
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = berth_recvmsg(stack, fd, &message, 0);

	*ret_size = (int)n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); n >= 0 && c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			memcpy(ret_size, CMSG_DATA(c), sizeof(*ret_size));
	return n;
}

int main(int argc, char **argv)
{
	bool plain = argc > 1 && !strcmp(argv[1], "-n");
	long long left, reads = 0;
	int fd;

	argv += plain;
	argc -= plain;
	if (argc != 5) {
		fprintf(stderr, "usage: kernel_udp [-n] DEVICE ADDRESS/LENGTH PORT BYTES\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_device(argv[1], argv[2], plain);
	fd = open_socket((uint16_t)atoi(argv[3]));
	left = atoll(argv[4]);
	puts("listening");
	while (left > 0) {
		struct sockaddr_in6 from;
		int size;
		ssize_t n = read_some(fd, &from, &size);

		if (n < 0 || berth_setsockopt(stack, fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) ||
		    berth_sendto(stack, fd, bytes, (size_t)n, 0, (struct sockaddr *)&from, sizeof(from)) != n)
			die("echo");
		left -= n;
		reads++;
	}
	berth_device_flush(device);
	printf("frames in %llu out %llu, reads %lld\n",
	       (unsigned long long)berth_event_count(stack, BERTH_EVENT_LINK_IN),
	       (unsigned long long)berth_event_count(stack, BERTH_EVENT_LINK_OUT), reads);
	berth_device_close(device);
	berth_stack_free(stack);
	return 0;
}
