/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drivers: links to the world outside. These are the only parts of libberth
 * that make system calls.
 */
#ifndef BERTH_DRIVER_H
#define BERTH_DRIVER_H

#include <berth/net.h>
#include <berth/stack.h>
#include <berth/types.h>
#include <poll.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_tap;

/*
 * Open the TAP device name (made if it is not there; needs CAP_NET_ADMIN) and
 * add it to stack as a link with hardware address mac and mtu bytes. Returns 0
 * or a negative errno: -ENOENT (no /dev/net/tun), -EPERM, -EBUSY, -EINVAL.
 */
BERTH_EXPORT int berth_tap_open(struct berth_stack *stack, const char *name, const uint8_t mac[6], unsigned mtu,
				struct berth_tap **ret_tap);
/* Remove the link and close the device. NULL is fine. Before berth_stack_free(). */
BERTH_EXPORT void berth_tap_close(struct berth_tap *tap);
/* The kernel's descriptor, for poll(2): readable when frames wait. */
BERTH_EXPORT int berth_tap_fd(const struct berth_tap *tap);
/* The link, the device's, for addresses and routes. */
BERTH_EXPORT struct berth_link *berth_tap_link(struct berth_tap *tap);
/* Read up to max waiting frames into the stack. Returns how many, or a negative errno. */
BERTH_EXPORT int berth_tap_read(struct berth_tap *tap, int max, berth_time now);

/*
 * Open an AF_PACKET socket on the kernel's interface name (a veth, say; needs
 * CAP_NET_RAW). As with TAP otherwise; frames for other hardware addresses are
 * seen only if the interface is promiscuous, which this asks for.
 */
struct berth_afpacket;
BERTH_EXPORT int berth_afpacket_open(struct berth_stack *stack, const char *name, const uint8_t mac[6], unsigned mtu,
				     struct berth_afpacket **ret_device);
BERTH_EXPORT void berth_afpacket_close(struct berth_afpacket *device);
BERTH_EXPORT int berth_afpacket_fd(const struct berth_afpacket *device);
BERTH_EXPORT struct berth_link *berth_afpacket_link(struct berth_afpacket *device);
BERTH_EXPORT int berth_afpacket_read(struct berth_afpacket *device, int max, berth_time now);

/*
 * Take the kernel's interface name by AF_XDP (Linux 5.9; needs CAP_NET_ADMIN,
 * CAP_NET_RAW and CAP_BPF): frames pass by memory shared with the kernel, many for
 * a system call, and all that the interface receives is this link's; the kernel's
 * own stack gets nothing from it meanwhile. It is the interface's again when the
 * device is closed, or its process gone, however that ended.
 *
 * As with AF_PACKET otherwise, but for offload: there is none, runs are cut and
 * checksums made and verified here. A veth leaves the checksums of what the kernel
 * sends by its other end to hardware that it does not have, and says so to nobody
 * here: ethtool -K PEER tx off. mtu is at most 3,822. Every queue of the interface
 * has a socket, with 6 MiB (above an MTU of 1,774: 12 MiB) of memory for frames.
 *
 * What is sent waits until 32 frames do, or for the next read or flush: call
 * berth_afxdp_flush() before sleeping. Errors beside AF_PACKET's: -EAFNOSUPPORT (a
 * kernel without CONFIG_XDP_SOCKETS), -EBUSY (another XDP program is there),
 * -ERANGE (the interface's MTU is too large for XDP), -E2BIG (more than 64 queues).
 */
struct berth_afxdp;
BERTH_EXPORT int berth_afxdp_open(struct berth_stack *stack, const char *name, const uint8_t mac[6], unsigned mtu,
				  struct berth_afxdp **ret_device);
BERTH_EXPORT void berth_afxdp_close(struct berth_afxdp *device);
BERTH_EXPORT int berth_afxdp_fd(const struct berth_afxdp *device);
BERTH_EXPORT struct berth_link *berth_afxdp_link(struct berth_afxdp *device);
BERTH_EXPORT int berth_afxdp_read(struct berth_afxdp *device, int max, berth_time now);
BERTH_EXPORT void berth_afxdp_flush(struct berth_afxdp *device);

/*
 * Any of the three, with what a program needs to live on it: a turn of a loop,
 * conditions, a capture. It is the caller's until berth_device_close(), which
 * comes before berth_stack_free().
 */
struct berth_device;

/* The time that drivers go by: CLOCK_MONOTONIC. For berth_stack_config's now, and the hook. */
BERTH_EXPORT berth_time berth_clock(void);

/*
 * Open name, "tap:DEVICE", "packet:INTERFACE" or "xdp:INTERFACE", as a link of
 * stack. mac NULL makes one up; mtu in bytes, 0 is 1500. Returns 0, -EINVAL
 * (another kind of name), -ENOMEM, or as berth_tap_open(), berth_afpacket_open()
 * and berth_afxdp_open().
 */
BERTH_EXPORT int berth_device_open(struct berth_stack *stack, const char *name, const uint8_t *mac, unsigned mtu,
				   struct berth_device **ret_device);
BERTH_EXPORT void berth_device_close(struct berth_device *device);
BERTH_EXPORT struct berth_link *berth_device_link(struct berth_device *device);

/*
 * One turn: sleep until a frame comes, a timer is due, one of count other
 * descriptors is ready (poll(2) fills in revents; at most 1024), or deadline;
 * then read frames and advance the stack. Returns 0 or a negative errno: -EINTR
 * when a signal came. As a wait hook it makes calls block.
 */
BERTH_EXPORT int berth_device_turn(struct berth_device *device, berth_time deadline, struct pollfd *others,
				   unsigned count);

/*
 * The pieces of a turn, for loops of one's own: what poll(2) may watch, when to be back, what to do then. An xdp:
 * device has berth_device_flush() called before sleeping; the others send at once, and it does nothing.
 */
BERTH_EXPORT int berth_device_fd(const struct berth_device *device);
BERTH_EXPORT berth_time berth_device_deadline(const struct berth_device *device);
BERTH_EXPORT void berth_device_flush(struct berth_device *device);
/* Read up to max waiting frames into the stack; move what conditions have held up. As berth_tap_read(). */
BERTH_EXPORT int berth_device_read(struct berth_device *device, int max, berth_time now);

/*
 * Who cuts runs of TCP segments, or of UDP datagrams, and computes their checksums: with offload, which
 * is how a device begins, frames of up to 64 KiB pass between stack and kernel,
 * and whoever must puts in what is missing; without, every frame is whole, as on a
 * wire. direction as for conditions. Returns 0, -EINVAL, or -EOPNOTSUPP: BERTH_IN of
 * a packet: device (ethtool -K on its peer says that), or a TAP of a kernel
 * without IFF_VNET_HDR, and an xdp: device, which have none (off is as they are).
 */
BERTH_EXPORT int berth_device_set_offload(struct berth_device *device, int direction, bool on);

/* Let frames suffer, in one direction or both (BERTH_OUT, BERTH_IN: as the stack sees it). 0 or -EINVAL. */
BERTH_EXPORT int berth_device_set_conditions(struct berth_device *device, int direction,
					     const struct berth_conditions *conditions);
/*
 * Write every frame, as the stack sends and gets it, to a new pcapng file at path,
 * until the device is closed. Returns 0 or open(2)'s negative errno; an error
 * of writing ends the capture, and the next berth_device_read() returns it.
 */
BERTH_EXPORT int berth_device_capture(struct berth_device *device, const char *path);

#ifdef __cplusplus
}
#endif
#endif
