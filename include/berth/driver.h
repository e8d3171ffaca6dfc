/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drivers: links to the world outside. These are the only parts of libberth
 * that make system calls.
 */
#ifndef BERTH_DRIVER_H
#define BERTH_DRIVER_H

#include <berth/stack.h>
#include <berth/types.h>

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
BERTH_EXPORT void berth_tap_close(struct berth_tap *tap);
/* The kernel's descriptor, for poll(2): readable when frames wait. */
BERTH_EXPORT int berth_tap_fd(const struct berth_tap *tap);
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

#ifdef __cplusplus
}
#endif
#endif
