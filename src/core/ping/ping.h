/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP echo sockets: socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) and its IPv6
 * twin. The identifier is the port, so replies find their socket as datagrams do.
 */
#ifndef CORE_PING_PING_H
#define CORE_PING_PING_H

#include <berth/protocol.h>

extern const struct berth_protocol ping4_protocol, ping6_protocol;

/* An echo reply; data is at the ICMP header, which was looked at. Takes packet. */
void ping_input(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info);
/* An error about a packet of ICMP's. As struct berth_protocol's error(). */
void ping_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted, size_t length);

#endif
