/* SPDX-License-Identifier: BSD-2-Clause */
/* Between a driver and its stack: whoever wants a say in each frame. struct berth_device does. */
#ifndef DRIVER_TEE_H
#define DRIVER_TEE_H

#include "base/packet.h"

#include <berth/driver.h>

/* Both take ownership. NULL: frames go straight on. */
struct driver_tee {
	void *context;
	void (*out)(void *context, struct berth_packet *packet);
	void (*in)(void *context, struct berth_packet *const *packets, size_t count, berth_time now);
};

void tap_set_tee(struct berth_tap *tap, const struct driver_tee *tee);
void afpacket_set_tee(struct berth_afpacket *device, const struct driver_tee *tee);
void afxdp_set_tee(struct berth_afxdp *device, const struct driver_tee *tee);
/* Ask the kernel to leave checksums and cutting of what it sends us to us, or not to. 0 or a negative errno. */
int tap_set_offload(struct berth_tap *tap, bool on);
/* Do frames come and go with a header that can say what is left to do? */
bool tap_has_header(const struct berth_tap *tap);
/* Runs of UDP datagrams among them? */
bool tap_knows_udp_runs(const struct berth_tap *tap);
/* The same of the kernel beneath, as far as was seen. */
bool afpacket_knows_udp_runs(const struct berth_afpacket *device);
/* Hand packet to the kernel. Takes ownership; what the device does not take is lost, as on a wire. */
void tap_write(struct berth_tap *tap, struct berth_packet *packet);
void afpacket_write(struct berth_afpacket *device, struct berth_packet *packet);
/* This one waits for its device's next flush, or until enough wait to be worth a system call. */
void afxdp_write(struct berth_afxdp *device, struct berth_packet *packet);

#endif
