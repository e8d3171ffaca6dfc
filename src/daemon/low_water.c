/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SO_RCVLOWAT: poll() of a Unix socket shows the first byte, so a program that
 * waits for more gets none of them before the mark is reached. That is so while
 * it has read all; else what comes joins what it has, for a read that waits has
 * taken that into account. Whatever the mark, the stack shows an end, an error,
 * and a window that is full.
 */
#include "daemon/state.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

static void set_low_water(struct plug *plug, uint32_t low)
{
	int value = (int)low;

	berth_setsockopt(plug->host->stack, plug->fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value));
}

bool stream_below_low_water(struct plug *plug)
{
	int unread = 0;

	if (plug->low_water <= 1)
		return false;
	ioctl(plug->end, SIOCOUTQ, &unread);
	set_low_water(plug, unread ? 1 : plug->low_water);
	return !unread && !(berth_readiness(plug->host->stack, plug->fd) &
			    (BERTH_POLLIN | BERTH_POLLPRI | BERTH_POLLERR | BERTH_POLLHUP));
}

void stream_low_water(struct plug *plug, int value)
{
	plug->low_water = value < 0 ? INT32_MAX : (uint32_t)MAX(value, 1); /* Linux: sock_set_rcvlowat() */
	if (plug->role == &role_stream && plug->established)
		plug_work(plug);
}
