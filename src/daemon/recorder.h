/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames as pcapng blocks. Hosts are interfaces and threads are processes, each
 * introduced when its first frame is seen. For captures and for the ring.
 */
#ifndef DAEMON_RECORDER_H
#define DAEMON_RECORDER_H

#include "link/pcapng.h"

#include <berth/net.h>

struct daemon;
struct recorder_interface;

struct recorder {
	struct daemon *daemon;
	struct recorder_interface *interfaces;
	size_t interface_count;
	uint32_t *processes; /* by an owner's number: the process block's number + 1; 0: not introduced */
	size_t process_room;
	uint32_t process_count;
	size_t snap_length;
	int64_t wall; /* what to add to the loop's time for nanoseconds since 1970 */
};

/* Begin, with a section in head. */
void recorder_init(struct recorder *recorder, struct daemon *daemon, size_t snap_length, struct pcapng *head);
void recorder_fini(struct recorder *recorder);
/* Whose interface has this number. NULL: no such. */
const char *recorder_host(const struct recorder *recorder, uint32_t interface);
/*
 * Write frame into body, and whom it needs introduced into head, which may be the same. When body has no room for it
 * below limit bytes, it is only counted, and the next one of its interface says so. Returns whether it was written.
 */
bool recorder_take(struct recorder *recorder, const struct berth_frame *frame, struct pcapng *head, struct pcapng *body,
		   size_t limit);
/* The interfaces' figures. */
void recorder_statistics(struct recorder *recorder, struct pcapng *pcapng);

#endif
