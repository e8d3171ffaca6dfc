/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TAP device as a link: frames to and from the kernel's network. Linux:
 * Documentation/networking/tuntap.rst. The kernel may damage nothing on the
 * way, so with a struct virtio_net_hdr before each frame checksums and cutting
 * are left to whoever is the first to need them (vnet.h). A kernel that has no
 * such header gets and gives whole frames. A frame that the device does not take
 * is lost, as on a wire.
 */
#include "driver/tee.h"
#include "driver/vnet.h"

#include <berth/driver.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct berth_tap {
	struct berth_stack *stack;
	struct berth_link *link;
	int fd;
	unsigned mtu;
	bool header;   /* IFF_VNET_HDR */
	bool udp_runs; /* it knows VIRTIO_NET_HDR_GSO_UDP_L4: Linux 6.2 */
	struct driver_tee tee;
	uint8_t rest[VNET_RUN_MAX]; /* where a frame goes on that is longer than the MTU */
};

void tap_set_tee(struct berth_tap *tap, const struct driver_tee *tee)
{
	tap->tee = *tee;
}

void tap_write(struct berth_tap *tap, struct berth_packet *packet)
{
	struct virtio_net_hdr header;
	struct iovec parts[] = { { &header, sizeof(header) }, { packet->data, packet->length } };

	if (tap->header)
		vnet_give(packet, &header);
	/* A full queue loses the frame: nobody waits for a driver. */
	while (writev(tap->fd, parts + !tap->header, 1 + tap->header) < 0 && errno == EINTR)
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

/* What headers of before Linux 6.2 do not know. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

int tap_set_offload(struct berth_tap *tap, bool on)
{
	unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	if (!tap->header)
		return -EOPNOTSUPP;
	if (on && !ioctl(tap->fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6)) {
		tap->udp_runs = true;
		return 0;
	}
	return ioctl(tap->fd, TUNSETOFFLOAD, on ? tcp : 0) < 0 ? -errno : 0;
}

bool tap_knows_udp_runs(const struct berth_tap *tap)
{
	return tap->udp_runs;
}

bool tap_has_header(const struct berth_tap *tap)
{
	return tap->header;
}

/* With the header if the kernel has it. */
static int attach(int fd, const char *name, bool *ret_header)
{
	int size = sizeof(struct virtio_net_hdr);

	for (int header = 1; header >= 0; header--) {
		struct ifreq request = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (header ? IFF_VNET_HDR : 0)) };

		strncpy(request.ifr_name, name, IFNAMSIZ - 1);
		if (ioctl(fd, TUNSETIFF, &request) < 0) {
			if (errno == EINVAL && header)
				continue;
			return -errno;
		}
		/* A device that was prepared for us may have another program's settings. */
		if (header && ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
			return -errno;
		*ret_header = header;
		return 0;
	}
	return -EINVAL;
}

static int open_device(const char *name, int *ret_fd, bool *ret_header)
{
	int fd, r;

	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return -EINVAL;
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
	r = attach(fd, name, ret_header);
	if (r < 0) {
		close(fd);
		return r;
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
	int r = tap->mtu > VNET_RUN_MAX - VNET_FRAME_EXTRA ? -EINVAL : open_device(name, &tap->fd, &tap->header);
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
	/* Refused: then the kernel leaves nothing to us. */
	(void)tap_set_offload(tap, true);
	if (tap->header)
		vnet_offload(tap->link, true, tap->udp_runs);
	*ret_tap = tap;
	return 0;
}

void berth_tap_close(struct berth_tap *tap)
{
	if (!tap)
		return;
	berth_link_remove(tap->link);
	(void)tap_set_offload(tap, false); /* whoever takes the device next may know nothing of it */
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

/* One frame. Returns its packet, or NULL and *ret_error; -ENOMSG: one that is to be skipped. */
static struct berth_packet *read_one(void *device, int *ret_error)
{
	struct berth_tap *tap = device;
	size_t size = tap->mtu + VNET_FRAME_EXTRA, length;
	struct berth_packet *packet = berth_packet_new(berth_stack_packets(tap->stack), 0, size);
	struct virtio_net_hdr header = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct iovec parts[] = {
		{ &header, sizeof(header) },
		{ packet ? packet->data : NULL, size },
		{ tap->rest, sizeof(tap->rest) },
	};
	ssize_t n;

	*ret_error = -ENOMEM;
	if (!packet)
		return NULL;
	n = readv(tap->fd, parts + !tap->header, tap->header ? 3 : 1);
	*ret_error = n < 0 && errno != EINTR ? -errno : -ENOMSG;
	length = n < 0 ? 0 : (size_t)n - (tap->header ? sizeof(header) : 0);
	if (n < 0 || length > VNET_RUN_MAX) {
		berth_packet_unref(packet);
		return NULL;
	}
	if (length > size)
		packet = vnet_join(packet, tap->rest, size, length);
	if (!packet) {
		*ret_error = -ENOMEM;
		return NULL;
	}
	packet->length = (uint32_t)length;
	if (!vnet_take(&header, packet)) {
		berth_packet_unref(packet);
		return NULL;
	}
	return packet;
}

int berth_tap_read(struct berth_tap *tap, int max, berth_time now)
{
	struct vnet_source source = { tap, read_one, &tap->tee, tap->stack, tap->link };

	return vnet_read(&source, max, now);
}
