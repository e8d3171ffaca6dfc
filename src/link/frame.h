/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a cable must know of the frames that it carries: how to cut a superframe
 * into the segments that a real cable would see, one by one, and how to put in
 * the checksums that the sender left out, before a bit is flipped.
 */
#ifndef LINK_FRAME_H
#define LINK_FRAME_H

#include "base/packet.h"

/*
 * Cut packet, a superframe of Ethernet with TCP or UDP, into frames of one segment
 * or datagram each, appended to *queue in order. Takes packet; what is no superframe goes
 * in whole. Returns 0, or -ENOMEM when some segments are missing.
 */
int frame_cut(struct berth_packet *packet, struct packet_queue *queue);
/* Compute the transport checksum that a trusting sender left out; the receiver will verify it. */
void frame_checksum(struct berth_packet *packet);

/* Where TCP's or UDP's header, its checksum (from there) and its payload are in a frame. */
struct frame_offload {
	size_t transport, checksum, payload;
	bool udp, ip6, cwr;
};
/*
 * Prepare packet for a device that computes the transport's checksum: the pseudo
 * header's sum is put in its place. False, and nothing is done: this is neither.
 */
bool frame_offload(struct berth_packet *packet, struct frame_offload *ret_offload);

/*
 * Mark packet as having met congestion, when it is IP and its ends can be told
 * (ECT; RFC 3168 §5). Marked already is marked. Returns true when it is.
 */
bool frame_mark(struct berth_packet *packet);

#endif
