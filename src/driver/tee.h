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
	void (*in)(void *context, struct berth_packet *packet, berth_time now);
};

void tap_set_tee(struct berth_tap *tap, const struct driver_tee *tee);
void afpacket_set_tee(struct berth_afpacket *device, const struct driver_tee *tee);
/* Hand packet to the kernel. Takes ownership; what the device does not take is lost, as on a wire. */
void tap_write(struct berth_tap *tap, struct berth_packet *packet);
void afpacket_write(struct berth_afpacket *device, struct berth_packet *packet);

#endif
