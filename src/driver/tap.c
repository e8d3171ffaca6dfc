/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TAP device as a link: frames to and from the kernel's network. Linux:
 * Documentation/networking/tuntap.rst. The kernel may damage nothing on the
 * way, but its own stack sends and wants full checksums, so the link claims
 * no offloads. A frame that the device does not take is lost, as on a wire.
 */
#include "driver/tee.h"

#include <berth/driver.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_EXTRA = 14 + 4 }; /* Ethernet header and a VLAN tag */

struct berth_tap {
	struct berth_stack *stack;
	struct berth_link *link;
	int fd;
	unsigned mtu;
	struct driver_tee tee;
};

void tap_set_tee(struct berth_tap *tap, const struct driver_tee *tee)
{
	tap->tee = *tee;
}

void tap_write(struct berth_tap *tap, struct berth_packet *packet)
{
	/* A full queue loses the frame: nobody waits for a driver. */
	while (write(tap->fd, packet->data, packet->length) < 0 && errno == EINTR)
		;
	berth_packet_unref(packet);
}

static void tap_transmit(void *context, struct berth_packet *packet)
{
	struct berth_tap *tap = context;

	if (tap->tee.out)
		tap->tee.out(tap->tee.context, packet);
	else
		tap_write(tap, packet);
}

/* Bring the kernel's side up with our MTU. Who may not (the device was prepared for us) goes without. */
static void bring_up(const char *name, unsigned mtu)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	request.ifr_mtu = (int)mtu;
	ioctl(fd, SIOCSIFMTU, &request);
	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
		request.ifr_flags |= IFF_UP | IFF_RUNNING;
		ioctl(fd, SIOCSIFFLAGS, &request);
	}
	close(fd);
}

static int open_device(const char *name, int *ret_fd)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd;

	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return -EINVAL;
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	*ret_fd = fd;
	return 0;
}

int berth_tap_open(struct berth_stack *stack, const char *name, const uint8_t mac[6], unsigned mtu,
		   struct berth_tap **ret_tap)
{
	struct berth_tap *tap = calloc(1, sizeof(*tap));

	if (!tap)
		return -ENOMEM;
	tap->stack = stack;
	tap->mtu = mtu ? mtu : 1500;
	int r = open_device(name, &tap->fd);
	if (r < 0) {
		free(tap);
		return r;
	}
	bring_up(name, tap->mtu);
	struct berth_link_config config = {
		.name = name, .type = BERTH_LINK_ETHERNET, .mtu = tap->mtu, .transmit = tap_transmit, .context = tap
	};
	memcpy(config.mac, mac, sizeof(config.mac));
	r = berth_link_add(stack, &config, &tap->link);
	if (r < 0) {
		close(tap->fd);
		free(tap);
		return r;
	}
	*ret_tap = tap;
	return 0;
}

void berth_tap_close(struct berth_tap *tap)
{
	if (!tap)
		return;
	berth_link_remove(tap->link);
	close(tap->fd);
	free(tap);
}

int berth_tap_fd(const struct berth_tap *tap)
{
	return tap->fd;
}

struct berth_link *berth_tap_link(struct berth_tap *tap)
{
	return tap->link;
}

int berth_tap_read(struct berth_tap *tap, int max, berth_time now)
{
	size_t size = tap->mtu + FRAME_EXTRA;
	int count = 0;

	while (count < max) {
		struct berth_packet *packet = berth_packet_new(berth_stack_packets(tap->stack), 0, size);
		if (!packet)
			return count ? count : -ENOMEM;
		ssize_t n = read(tap->fd, packet->data, size);
		if (n < 0) {
			int error = errno;
			berth_packet_unref(packet);
			if (error == EINTR)
				continue;
			return count || error == EAGAIN ? count : -error;
		}
		packet->length = (uint32_t)n;
		if (tap->tee.in)
			tap->tee.in(tap->tee.context, packet, now);
		else
			berth_stack_input(tap->stack, tap->link, packet, now);
		count++;
	}
	return count;
}
