/* SPDX-License-Identifier: BSD-2-Clause */
/* The in-memory cable: cable.h. Perfect but for a fixed delay. */
#include "link/cable.h"

#include <string.h>

void cable_init(struct cable *cable)
{
	memset(cable, 0, sizeof(*cable));
}

void cable_fini(struct cable *cable)
{
	if (cable)
		packet_queue_clear(&cable->queue);
}

void cable_send(struct cable *cable, struct berth_packet *packet, berth_time now)
{
	cable->packets_in++;
	cable->bytes_in += packet->length;
	packet->stamp = now + cable->conditions.delay;
	packet_queue_push(&cable->queue, packet);
}

struct berth_packet *cable_take_due(struct cable *cable, berth_time now)
{
	if (cable_deadline(cable) > now)
		return NULL;
	cable->packets_out++;
	return packet_queue_pop(&cable->queue);
}

berth_time cable_deadline(const struct cable *cable)
{
	return cable->queue.head ? cable->queue.head->stamp : BERTH_NEVER;
}
