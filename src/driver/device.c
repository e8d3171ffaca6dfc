/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device and everything that a program needs to live on it: one of the
 * drivers, cables in both directions that may have conditions, a capture, and
 * a turn of the loop. Frames are captured where the stack sees them: sent ones
 * before the cable, received ones behind it.
 */
#include "base/bytes.h"
#include "driver/tee.h"
#include "driver/vnet.h"
#include "link/cable.h"
#include "link/frame.h"
#include "link/pcapng.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TURN_FRAMES = 256, CAPTURE_BUFFER = 1 << 16, OTHERS_MAX = 1024, SNAP = 1 << 18 };

struct berth_device {
	struct berth_stack *stack;
	struct berth_tap *tap;
	struct berth_afpacket *packet;
	struct berth_afxdp *xdp;
	struct cable out, in;
	struct pcapng capture;
	int capture_fd; /* -1: none */
	int capture_error;
	int64_t wall; /* what clock_now() lacks to the time since 1970 */
};

static void hand_over(struct berth_device *device, struct berth_packet *packet)
{
	if (device->tap)
		tap_write(device->tap, packet);
	else if (device->xdp)
		afxdp_write(device->xdp, packet);
	else
		afpacket_write(device->packet, packet);
}

/* Write out what is captured so far. The first error ends the capture, and is told by berth_device_read(). */
static void capture_flush(struct berth_device *device)
{
	size_t done = 0;

	while (device->capture_fd >= 0 && done < device->capture.length) {
		ssize_t n =
			write(device->capture_fd, pcapng_bytes(&device->capture) + done, device->capture.length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			device->capture_error = -errno;
			close(device->capture_fd);
			device->capture_fd = -1;
			break;
		}
		done += (size_t)n;
	}
	pcapng_took(&device->capture, device->capture_fd < 0 ? device->capture.length : done);
}

static void capture(struct berth_device *device, struct berth_packet *packet, enum pcapng_direction direction)
{
	struct pcapng_packet frame = { .time = clock_now() + device->wall,
				       .bytes = packet->data,
				       .length = packet->length,
				       .captured = packet->length,
				       .direction = direction };

	if (device->capture_fd < 0)
		return;
	if (packet->checksum == PACKET_CHECKSUM_TRUSTED)
		frame_checksum(packet); /* the one that it will have, or would have had, on a wire */
	pcapng_packet(&device->capture, &frame);
	if (device->capture.length >= CAPTURE_BUFFER)
		capture_flush(device);
}

/* Move what is due on both cables. */
static void cables_run(struct berth_device *device, berth_time now)
{
	struct berth_packet *packet;

	while ((packet = cable_take_due(&device->out, now)))
		hand_over(device, packet);
	while ((packet = cable_take_due(&device->in, now))) {
		capture(device, packet, PCAPNG_INBOUND);
		berth_stack_input(device->stack, berth_device_link(device), packet, now);
	}
}

static void on_out(void *context, struct berth_packet *packet)
{
	struct berth_device *device = context;

	capture(device, packet, PCAPNG_OUTBOUND);
	if (device->out.perfect && cable_deadline(&device->out) == BERTH_NEVER) {
		hand_over(device, packet);
		return;
	}
	cable_send(&device->out, packet, clock_now()); /* goes on in the next turn: not from inside the stack */
}

static void on_in(void *context, struct berth_packet *const *packets, size_t count, berth_time now)
{
	struct berth_device *device = context;

	if (!device->in.perfect || cable_deadline(&device->in) != BERTH_NEVER) {
		for (size_t i = 0; i < count; i++)
			cable_send(&device->in, packets[i], now);
		return;
	}
	for (size_t i = 0; device->capture_fd >= 0 && i < count; i++)
		capture(device, packets[i], PCAPNG_INBOUND);
	berth_stack_input_many(device->stack, berth_device_link(device), packets, count, now);
}

static int open_driver(struct berth_device *device, const char *name, const uint8_t mac[6], unsigned mtu)
{
	const struct driver_tee tee = { .context = device, .out = on_out, .in = on_in };
	const char *rest = strchr(name, ':');
	size_t kind = rest ? (size_t)(rest - name) : 0;
	int r = -EINVAL;

	if (kind == 3 && !memcmp(name, "tap", kind)) {
		r = berth_tap_open(device->stack, rest + 1, mac, mtu, &device->tap);
		if (r >= 0)
			tap_set_tee(device->tap, &tee);
	} else if (kind == 6 && !memcmp(name, "packet", kind)) {
		r = berth_afpacket_open(device->stack, rest + 1, mac, mtu, &device->packet);
		if (r >= 0)
			afpacket_set_tee(device->packet, &tee);
	} else if (kind == 3 && !memcmp(name, "xdp", kind)) {
		r = berth_afxdp_open(device->stack, rest + 1, mac, mtu, &device->xdp);
		if (r >= 0)
			afxdp_set_tee(device->xdp, &tee);
	}
	return r;
}

int berth_device_open(struct berth_stack *stack, const char *name, const uint8_t *mac, unsigned mtu,
		      struct berth_device **ret_device)
{
	struct berth_device *device = calloc(1, sizeof(*device));
	uint8_t own[6];
	uint64_t seeds[2];
	int r;

	if (!device)
		return -ENOMEM;
	entropy_fill(own, sizeof(own));
	entropy_fill(seeds, sizeof(seeds));
	own[0] = (uint8_t)((own[0] & 0xfc) | 2); /* locally administered, one station's */
	device->stack = stack;
	device->capture_fd = -1;
	cable_init(&device->out, NULL, seeds[0]);
	cable_init(&device->in, NULL, seeds[1]);
	cable_set_conditions(&device->out, &(struct berth_conditions){ 0 });
	cable_set_conditions(&device->in, &(struct berth_conditions){ 0 });
	r = open_driver(device, name, mac ? mac : own, mtu);
	if (r < 0) {
		berth_device_close(device);
		return r;
	}
	*ret_device = device;
	return 0;
}

void berth_device_close(struct berth_device *device)
{
	if (!device)
		return;
	berth_tap_close(device->tap);
	berth_afpacket_close(device->packet);
	berth_afxdp_close(device->xdp);
	cable_fini(&device->out);
	cable_fini(&device->in);
	capture_flush(device);
	pcapng_fini(&device->capture);
	if (device->capture_fd >= 0)
		close(device->capture_fd);
	free(device);
}

int berth_device_fd(const struct berth_device *device)
{
	if (device->xdp)
		return berth_afxdp_fd(device->xdp);
	return device->tap ? berth_tap_fd(device->tap) : berth_afpacket_fd(device->packet);
}

struct berth_link *berth_device_link(struct berth_device *device)
{
	if (device->xdp)
		return berth_afxdp_link(device->xdp);
	return device->tap ? berth_tap_link(device->tap) : berth_afpacket_link(device->packet);
}

void berth_device_flush(struct berth_device *device)
{
	if (device->xdp)
		berth_afxdp_flush(device->xdp);
}

static int read_driver(struct berth_device *device, int max, berth_time now)
{
	if (device->xdp)
		return berth_afxdp_read(device->xdp, max, now);
	return device->tap ? berth_tap_read(device->tap, max, now) : berth_afpacket_read(device->packet, max, now);
}

int berth_device_read(struct berth_device *device, int max, berth_time now)
{
	int r = device->capture_error;

	device->capture_error = 0;
	if (r >= 0)
		r = read_driver(device, max, now);
	cables_run(device, now);
	return r;
}

berth_time berth_device_deadline(const struct berth_device *device)
{
	berth_time out = cable_deadline(&device->out), in = cable_deadline(&device->in);
	berth_time due = berth_stack_deadline(device->stack);

	due = MIN(due, out);
	return MIN(due, in);
}

/* Nanoseconds to sleep, as ppoll() wants them. */
static struct timespec pause_until(berth_time due)
{
	berth_time now = clock_now(), left = due > now ? due - now : 0;

	left = MIN(left, 3600 * BERTH_SEC);
	return (struct timespec){ left / BERTH_SEC, left % BERTH_SEC };
}

int berth_device_turn(struct berth_device *device, berth_time deadline, struct pollfd *others, unsigned count)
{
	struct pollfd all[1 + OTHERS_MAX] = { { .fd = berth_device_fd(device), .events = POLLIN } };
	berth_time due = berth_device_deadline(device), now;
	struct timespec left;
	int r;

	if (count > OTHERS_MAX)
		return -EINVAL;
	if (count)
		memcpy(all + 1, others, count * sizeof(*others));
	berth_device_flush(device);
	left = pause_until(MIN(due, deadline));
	r = ppoll(all, 1 + count, &left, NULL);
	if (r < 0)
		return -errno;
	if (count)
		memcpy(others, all + 1, count * sizeof(*others));
	now = clock_now();
	r = berth_device_read(device, TURN_FRAMES, now);
	berth_stack_advance(device->stack, now);
	cables_run(device, now);
	berth_device_flush(device);
	return r < 0 ? r : 0;
}

int berth_device_set_offload(struct berth_device *device, int direction, bool on)
{
	int r = 0;

	if (!(direction & BERTH_BOTH) || direction & ~BERTH_BOTH)
		return -EINVAL;
	if (device->xdp)
		return on ? -EOPNOTSUPP : 0;
	if (direction & BERTH_IN)
		r = device->tap ? tap_set_offload(device->tap, on) : -EOPNOTSUPP;
	if (r >= 0 && direction & BERTH_OUT)
		r = device->tap && !tap_has_header(device->tap) ? -EOPNOTSUPP : 0;
	if (r >= 0 && direction & BERTH_OUT)
		vnet_offload(berth_device_link(device), on,
			     device->tap ? tap_knows_udp_runs(device->tap) : afpacket_knows_udp_runs(device->packet));
	return r;
}

int berth_device_set_conditions(struct berth_device *device, int direction, const struct berth_conditions *conditions)
{
	if (!(direction & BERTH_BOTH) || direction & ~BERTH_BOTH)
		return -EINVAL;
	if (direction & BERTH_OUT)
		cable_set_conditions(&device->out, conditions);
	if (direction & BERTH_IN)
		cable_set_conditions(&device->in, conditions);
	return 0;
}

int berth_device_capture(struct berth_device *device, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	capture_flush(device);
	if (device->capture_fd >= 0)
		close(device->capture_fd);
	pcapng_fini(&device->capture);
	pcapng_init(&device->capture, SIZE_MAX);
	device->capture_fd = fd;
	device->wall = clock_wall_ns() - clock_now();
	pcapng_section(&device->capture, "libberth " BERTH_VERSION);
	pcapng_interface(&device->capture,
			 &(struct pcapng_interface){ .name = berth_link_name(berth_device_link(device)),
						     .description = "as the stack sees it",
						     .system = "libberth " BERTH_VERSION,
						     .snap_length = SNAP });
	return 0;
}

berth_time berth_clock(void)
{
	return clock_now();
}
